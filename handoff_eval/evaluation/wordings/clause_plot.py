"""The picture of what each clause of an instruction is worth."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from handoff_eval.evaluation.look import (
    COLOURS,
    INK,
    LINES,
    PAPER,
    WIDE,
    Picture,
    Row,
    chart,
    in_our_look,
    require_altair,
)
from handoff_eval.instructions.sentence import PieceKind

if TYPE_CHECKING:
    from handoff_eval.evaluation.intervals import Estimate
    from handoff_eval.evaluation.wordings.ablation import Ablation, Contribution

LETTERS, LETTERS_NARROW = 32, 22
"""Of a clause beside its bars, to a line."""
LABEL_WIDTH, LABEL_WIDTH_NARROW = 230, 158
KINDS = {
    PieceKind.CUE.value: COLOURS[0],
    PieceKind.PRECONDITION.value: COLOURS[2],
    PieceKind.EXCLUSION.value: COLOURS[1],
}
MARKS = dict(zip(KINDS, ("circle", "square", "diamond"), strict=True))


def clause_plot(ablation: Ablation, *, width: int = WIDE) -> Picture:
    """Draw each clause's contribution to recall at equal volume and to emails a day.

    Parameters
    ----------
    ablation : Ablation
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    panels: dict[str, Callable[[Contribution], Estimate]] = {
        "recall at the same volume, in points": lambda c: c.recall_at_volume.scaled(100),
        "emails a day at the same threshold": lambda c: c.emails_per_day,
    }
    beside_each_other = width > 500
    letters = LETTERS if beside_each_other else LETTERS_NARROW
    room = LABEL_WIDTH if beside_each_other else LABEL_WIDTH_NARROW
    labels = ["\n".join(textwrap.wrap(c.clause.text, letters)) for c in ablation.contributions]
    y = alt.Y("clause:N", sort=labels, title=None)
    there = [kind for kind in KINDS if any(c.clause.kind == kind for c in ablation.contributions)]
    colours, marks = [KINDS[kind] for kind in there], [MARKS[kind] for kind in there]
    colour = alt.Color("kind:N", scale=alt.Scale(domain=there, range=colours), title=None)
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=there, range=marks), title=None)
    drawn: list[Any] = []
    for title, estimate_of in panels.items():
        rows = [
            {"clause": label, "kind": c.clause.kind.value, **_limits(estimate_of(c))}
            for label, c in zip(labels, ablation.contributions, strict=True)
        ]
        named = not (drawn and beside_each_other)
        axis = {"labels": named, "ticks": named, "domain": False, "grid": False}
        beside = y.axis(labelLimit=room, labelExpr=LINES, **axis)
        zero = chart([{"value": 0.0}]).mark_rule(color=INK).encode(alt.X("value:Q"))
        bars = chart(rows).mark_rule(strokeWidth=1.5, opacity=0.75).encode(
            alt.X("low:Q"), beside, colour, x2="high:Q"
        )  # fmt: skip
        dots = chart(rows).mark_point(
            size=130, filled=True, opacity=1, stroke=PAPER, strokeWidth=1.5
        ).encode(alt.X("value:Q", title=title), beside, colour, shape)  # fmt: skip
        share = (width - room - 60) / 2 if beside_each_other else width - room - 40
        drawn.append(
            alt.layer(zero, bars, dots).properties(width=share, height=max(90, 54 * len(labels)))
        )
    both = alt.hconcat(*drawn, spacing=16) if beside_each_other else alt.vconcat(*drawn)
    return in_our_look(both, *_words(ablation), width=width)


def _limits(estimate: Estimate) -> Row:
    """Return value and limits; where no replicate differs, the limits are the value."""
    value = estimate.value
    low, high = (value if np.isnan(limit) else limit for limit in (estimate.low, estimate.high))
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}


def _words(ablation: Ablation) -> tuple[str, str]:
    shown = [c for c in ablation.contributions if c.p_adjusted < 0.05]
    total = len(ablation.contributions)
    title = (
        f"{len(shown)} of {total} clauses change what {ablation.trigger} catches"
        if shown
        else f"No clause is shown to change what {ablation.trigger} catches"
    )
    subtitle = (
        f"The instruction with each clause minus the instruction without it, on "
        f"{ablation.conversations} conversations of {ablation.split.value} with "
        f"{ablation.positives} positives. Bars: 95% over customers."
    )
    return title, subtitle
