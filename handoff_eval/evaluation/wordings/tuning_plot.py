"""The picture of a search: every wording by what it catches and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_eval.evaluation.look import (
    COLOURS,
    INK,
    MUTED,
    PAPER,
    WIDE,
    Picture,
    Row,
    chart,
    compose,
    require_altair,
)

if TYPE_CHECKING:
    from handoff_eval.evaluation.wordings.tuning_result import Tuning

KINDS = {"other wordings": MUTED, "front": COLOURS[0], "winner": COLOURS[2], "given": COLOURS[1]}
MARKS = ("circle", "diamond", "triangle-up", "square")
"""In the order of the kinds."""


def tuning_plot(tuning: Tuning, *, width: int = WIDE) -> Picture:
    """Draw the candidates of a search by recall and volume on train, where they were judged.

    Parameters
    ----------
    tuning : Tuning
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    front = {candidate.text for candidate in tuning.front}
    rows: list[Row] = []
    for candidate in tuning.candidates:
        kind = "front" if candidate.text in front else "other wordings"
        kind = "winner" if candidate.text == tuning.winner.text else kind
        kind = "given" if candidate.text == tuning.given.text else kind
        rows.append(
            {
                "recall": candidate.recall,
                "emails": candidate.emails_at_floor,
                "words": candidate.words,
                "kind": kind,
            }
        )
    rows.sort(key=lambda row: list(KINDS).index(row["kind"]))
    budget = tuning.objective.budget
    dots = chart(rows).mark_point(filled=True, opacity=0.9, stroke=PAPER, strokeWidth=1).encode(
        alt.X("recall:Q", title=f"recall at {budget.max_emails_per_day:g} emails a day, on train",
              scale=alt.Scale(zero=False)).axis(format=".0%"),
        alt.Y("emails:Q", title=f"emails a day for a recall of {budget.min_recall:.0%}",
              scale=alt.Scale(zero=False)),
        alt.Color("kind:N", scale=alt.Scale(domain=list(KINDS), range=list(KINDS.values())),
                  title=None),
        alt.Shape("kind:N", scale=alt.Scale(domain=list(KINDS), range=list(MARKS)), title=None),
        alt.Size("words:Q", scale=alt.Scale(range=[40, 260]), legend=None),
    )  # fmt: skip
    named = [row for row in rows if row["kind"] in ("winner", "given")]
    words = chart(named).mark_text(dy=-14, fontSize=12, color=INK).encode(
        alt.X("recall:Q"), alt.Y("emails:Q"), text="kind:N"
    )  # fmt: skip
    subtitle = (
        f"{len(tuning.candidates)} wordings on the {tuning.train_positives} positives of train, "
        "where the winner was chosen, so its place flatters it. Larger dots have more words."
    )
    return compose([dots, words], tuning.verdict.rstrip("."), subtitle, width=width)
