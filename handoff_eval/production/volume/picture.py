"""The picture of the volume: each day's emails by what they turned out to be, and the budget."""

from __future__ import annotations

from handoff_eval.evaluation.look import (
    COLOURS,
    INK,
    RULE,
    WIDE,
    Picture,
    Row,
    chart,
    compose,
    require_altair,
)
from handoff_eval.handoff import Budget
from handoff_eval.production.volume.figures import Volume

KINDS = ("needed", "needless", "not read")


def volume_plot(volume: Volume, budget: Budget | None, *, width: int = WIDE) -> Picture:
    """Draw emails a day, stacked by needed, needless and not read, with the budget as a line.

    Parameters
    ----------
    volume : Volume
    budget : Budget or None
    width : int
        Of the whole picture in pixels.

    Raises
    ------
    MissingExtraError
        When altair or vl-convert is not installed.
    """
    alt = require_altair()
    rows: list[Row] = []
    for day in volume.days:
        counts = (day.needed, day.needless, day.emails - day.needed - day.needless)
        rows += [
            {"day": day.date.isoformat(), "kind": kind, "order": order, "emails": count}
            for order, (kind, count) in enumerate(zip(KINDS, counts, strict=True))
        ]
    colours = alt.Scale(domain=list(KINDS), range=[COLOURS[0], COLOURS[1], RULE])
    layers = [
        chart(rows)
        .mark_bar()
        .encode(
            alt.X("yearmonthdate(day):T", title=None).axis(format="%-d %b", grid=False),
            alt.Y("emails:Q", title="emails a day"),
            alt.Color("kind:N", scale=colours, sort=list(KINDS), title=None),
            order="order:Q",
        )
    ]
    words = "Each bar is a day; what nobody has read yet is grey."
    if budget is not None:
        line = chart([{"budget": budget.max_emails_per_day}])
        layers.append(line.mark_rule(color=INK, strokeDash=[5, 3]).encode(alt.Y("budget:Q")))
        words += f" The dashed line is the budget, {budget.max_emails_per_day:g} a day."
    return compose(layers, "Emails a day", words, width=width, height=220)
