"""The picture of two versions: which emails start and stop, and whether they were needed."""

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
    from handoff_eval.evaluation.wordings.versions import VersionComparison

BETTER, WORSE = "better after", "worse after"


def versions_plot(versions: VersionComparison, *, width: int = WIDE) -> Picture:
    """Draw how many conversations flip in each direction, and which of the flips are right.

    Parameters
    ----------
    versions : VersionComparison
    width : int
        Of the whole picture in pixels.
    """
    alt = require_altair()
    names = {
        (True, True): "needed email starts",
        (False, False): "needless email stops",
        (True, False): "needless email starts",
        (False, True): "needed email stops",
    }
    rows: list[Row] = [
        {
            "what": name,
            "n": sum(
                flip.started == started and flip.item.label.handoff == needed
                for flip in versions.flips
            ),
            "kind": BETTER if started == needed else WORSE,
        }
        for (started, needed), name in names.items()
    ]
    y = alt.Y("what:N", sort=list(names.values()), title=None).axis(grid=False, ticks=False)
    most = max(1, *(row["n"] for row in rows))
    scale = alt.Scale(domain=[0, 1.08 * most], nice=False)
    x = alt.X("n:Q", title=f"conversations of {versions.split.value}", scale=scale)
    x = x.axis(tickMinStep=1)
    kinds = alt.Scale(domain=[BETTER, WORSE], range=[COLOURS[2], COLOURS[1]])
    colour = alt.Color("kind:N", scale=kinds, title=None)
    layers = [
        chart(rows).mark_bar(cornerRadius=2, height=20).encode(x, y, colour),
        chart(rows).mark_text(dx=10, fontSize=12, color=INK).encode(x, y, text="n:Q"),
    ]
    first, second = versions.sentences()
    return compose(layers, first, second, width=width, height=140)
