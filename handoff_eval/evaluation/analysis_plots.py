"""The pictures of the findings beside a comparison, in its look."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from handoff_eval.evaluation.look import (
    COLOURS,
    INK,
    MUTED,
    WIDE,
    Picture,
    Row,
    chart,
    compose,
    require_altair,
)

if TYPE_CHECKING:
    from handoff_eval.evaluation.audit import AuditEstimate
    from handoff_eval.evaluation.timing import Timing

FURTHEST = 6
"""Delays beyond this many decision points share a bar."""


def timing_plot(timing: Timing, *, width: int = WIDE) -> Picture:
    """Draw how many needed handoffs fired how far from the due point, and how many never.

    Parameters
    ----------
    timing : Timing
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    counts = Counter(max(-FURTHEST, min(FURTHEST, delay)) for delay in timing.delays)
    names = {at: f"{at:+d}" for at in range(-FURTHEST, FURTHEST + 1)}
    names |= {-FURTHEST: f"≤ -{FURTHEST}", 0: "due", FURTHEST: f"≥ +{FURTHEST}"}
    rows: list[Row] = [
        {"at": name, "n": counts[at], "kind": _kind(at, timing.tolerance)}
        for at, name in names.items()
    ]
    never = timing.never.n - len(timing.delays)
    rows.append({"at": "never", "n": never, "kind": "never"})
    kinds = ["early", "on time", "late", "never"]
    x = alt.X("at:N", sort=[row["at"] for row in rows], title="decision points from due")
    x = x.axis(labelAngle=0, grid=False)
    bars = chart(rows).mark_bar(cornerRadius=2).encode(
        x,
        alt.Y("n:Q", title="needed handoffs").axis(tickMinStep=1),
        alt.Color(
            "kind:N",
            scale=alt.Scale(domain=kinds, range=[COLOURS[5], COLOURS[2], COLOURS[1], MUTED]),
            title=None,
        ),
    )  # fmt: skip
    words: Any = chart([row for row in rows if row["n"]]).mark_text(dy=-7, fontSize=12, color=INK)
    first, *rest = timing.sentences()
    return compose(
        [bars, words.encode(x, alt.Y("n:Q"), text="n:Q")], first, " ".join(rest), width=width
    )


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


def _kind(delay: int, tolerance: int) -> str:
    if abs(delay) <= tolerance:
        return "on time"
    return "early" if delay < 0 else "late"
