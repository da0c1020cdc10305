"""The team lead's page: one HTML file that loads nothing, read on a phone as on a screen.

What customers wrote reaches it escaped, with addresses, numbers and names that people give masked.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from handoff_eval.evaluation.audit.estimate import AuditEstimate
from handoff_eval.evaluation.pages.pictures import sized_pictures
from handoff_eval.evaluation.pages.template import template
from handoff_eval.handoff import Handoff
from handoff_eval.production.drift.picture import trends_plot, watch_plot
from handoff_eval.production.drift.watch import Watch
from handoff_eval.production.volume.advice import sentences, this_week, title
from handoff_eval.production.volume.figures import Volume
from handoff_eval.production.volume.picture import volume_plot

SHOWN = 10
"""Rows of each list."""


def render_volume(
    volume: Volume,
    *,
    handoff: Handoff,
    zone: ZoneInfo,
    now: datetime,
    audit: AuditEstimate | None = None,
    watch: Watch | None = None,
) -> str:
    """Return the page.

    Parameters
    ----------
    volume : Volume
    handoff : Handoff
        For its name, budget and instruction.
    zone : ZoneInfo
        In which times are shown.
    now : datetime
    audit : AuditEstimate, optional
        What a sample of the unsent says.
    watch : Watch, optional
        Whether the promise holds.

    Raises
    ------
    MissingExtraError
        When jinja2, altair or vl-convert is not installed.
    """
    budget = handoff.budget
    return template("production/volume/volume.html").render(
        handoff=handoff,
        budget=budget,
        volume=volume,
        title=title(volume, budget),
        sentences=list(sentences(volume, budget, audit, watch)),
        actions=this_week(volume, budget, audit, watch, now=now),
        by_day=sized_pictures("volume", lambda width: volume_plot(volume, budget, width=width)),
        audit=audit,
        watch=watch,
        watched=watch and sized_pictures("drift", lambda width: watch_plot(watch, width=width)),
        trends=watch
        and any(trend.weeks for trend in watch.trends)
        and sized_pictures("trends", lambda width: trends_plot(watch.trends, width=width)),
        zone=zone,
        now=now.astimezone(zone),
        shown=SHOWN,
    )
