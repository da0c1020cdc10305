"""The picture of an audit: what was sent of what was needed, and what was not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_eval.evaluation.look import (
    COLOURS,
    INK,
    WIDE,
    Picture,
    Row,
    chart,
    compose,
    require_altair,
)

if TYPE_CHECKING:
    from handoff_eval.evaluation.audit.estimate import AuditEstimate


def audit_plot(audit: AuditEstimate, *, width: int = WIDE) -> Picture:
    """Draw how many needed handoffs were sent and how many were not, with their limits.

    Parameters
    ----------
    audit : AuditEstimate
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    rows: list[Row] = [
        {"what": what, "value": e.value, "low": e.low, "high": e.high}
        for what, e in (("sent", audit.caught), ("not sent", audit.missed))
    ]
    y = alt.Y("what:N", sort=["sent", "not sent"], title=None).axis(grid=False)
    x = alt.X("value:Q", title="needed handoffs of the period")
    colour = alt.Color(
        "what:N",
        scale=alt.Scale(domain=["sent", "not sent"], range=[COLOURS[0], COLOURS[1]]),
        legend=None,
    )
    layers = [
        chart(rows).mark_bar(cornerRadius=2, height=26).encode(x, y, colour),
        chart(rows).mark_rule(strokeWidth=2, color=INK).encode(alt.X("low:Q"), y, x2="high:Q"),
    ]
    first, *rest = audit.sentences()
    return compose(layers, first, " ".join(rest), width=width, height=110)
