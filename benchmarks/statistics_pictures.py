"""Draw the pictures of docs/statistics.md from made-up scores whose truth is known.

    python benchmarks/statistics_pictures.py docs/images

`threshold_interval.png`: what the exact tests leave of the thresholds, with many positives and
with few. `prevalence.png`: one trigger, measured in a sample and met in a deployment.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from handoff_eval.evaluation.exact import allowed_counts, recall_edge, volume_edge
from handoff_eval.evaluation.look import COLOURS, INK, TARGET, Picture, in_our_look, require_altair

MIN_RECALL, MAX_RATE, RISK = 0.80, 0.10, 0.05
PREVALENCE = 0.05
TRAFFIC = 4000
MANY, FEW = 300, 20
SEED = 20


def threshold_interval() -> Picture:
    """Draw share caught and share emailed against the threshold, and the thresholds left."""
    alt = require_altair()
    rng = np.random.default_rng(SEED)
    panels = []
    for positives in (MANY, FEW):
        need = rng.beta(6, 2, positives)
        traffic = np.where(
            rng.random(TRAFFIC) < PREVALENCE, rng.beta(6, 2, TRAFFIC), rng.beta(1.2, 6, TRAFFIC)
        )
        allowed = allowed_counts(positives, TRAFFIC, MIN_RECALL, MAX_RATE, RISK)
        low = float(volume_edge(traffic, allowed.fires))
        high = float(recall_edge(need, allowed.misses))
        at = np.linspace(0, 1, 201)
        rows = [
            {"threshold": t, "share": float((scores >= t).mean()), "what": what}
            for scores, what in ((need, "needed handoffs caught"), (traffic, "traffic emailed"))
            for t in at
        ]
        lines = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=2)
        lines = lines.encode(
            alt.X("threshold:Q", title="threshold"),
            alt.Y("share:Q", title="share of conversations", axis=alt.Axis(format=".0%")),
            alt.Color(
                "what:N",
                scale=alt.Scale(range=list(COLOURS[:2])),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
        )
        promises = alt.Chart(alt.Data(values=[{"y": MIN_RECALL}, {"y": MAX_RATE}]))
        layers: list[Any] = [promises.mark_rule(color=INK, strokeDash=[4, 3]).encode(y="y:Q")]
        words = f"{positives} positives: no threshold is certified"
        if low < high:
            words = f"{positives} positives: {low:.2f} to {high:.2f} is certified"
            span = alt.Chart(alt.Data(values=[{"x": low, "x2": high}]))
            layers.insert(0, span.mark_rect(color=TARGET, opacity=0.4).encode(x="x:Q", x2="x2:Q"))
        for edge, colour in ((high, COLOURS[0]), (low, COLOURS[1])):
            drawn = alt.Chart(alt.Data(values=[{"x": edge}]))
            layers.append(drawn.mark_rule(color=colour, strokeWidth=1.5).encode(x="x:Q"))
        title = alt.TitleParams(words, fontSize=13)
        panels.append(alt.layer(*layers, lines).properties(width=300, height=230, title=title))
    return in_our_look(
        alt.hconcat(*panels),
        "What two exact tests leave of the thresholds",
        f"Dashed: at least {MIN_RECALL:.0%} caught, at most {MAX_RATE:.0%} emailed. Upright: the "
        "recall is proved up to the blue line, the volume from the orange line on.",
    )


def prevalence() -> Picture:
    """Draw the precision of one trigger against the share of conversations in need."""
    alt = require_altair()
    recall, false_positives = 0.6, 0.05
    share = np.linspace(0.005, 0.6, 120)
    rows = [
        {"prevalence": p, "precision": p * recall / (p * recall + (1 - p) * false_positives)}
        for p in share
    ]
    marks = []
    for p, name in ((0.05, "deployed"), (0.33, "labelled sample")):
        precision = p * recall / (p * recall + (1 - p) * false_positives)
        words = f"{name}: {precision:.0%} of emails needed"
        marks.append({"prevalence": p, "precision": precision, "words": words})
    percent = alt.Axis(format=".0%")
    x = alt.X("prevalence:Q", title="conversations that need a handoff", axis=percent)
    y = alt.Y("precision:Q", title="emails that were needed", axis=percent)
    line = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=2, color=COLOURS[0]).encode(x, y)
    points = alt.Chart(alt.Data(values=marks))
    dots = points.mark_point(filled=True, size=90, opacity=1, color=COLOURS[1]).encode(x, y)
    text = points.mark_text(align="left", dx=9, dy=9, color=INK).encode(x, y, text="words:N")
    return in_our_look(
        alt.layer(line, dots, text).properties(width=520, height=260),
        "The same trigger, met at two prevalences",
        f"It catches {recall:.0%} of the needed and fires on {false_positives:.0%} of the rest.",
    )


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the PNG files go")
    folder = parser.parse_args().folder
    for draw in (threshold_interval, prevalence):
        (folder / f"{draw.__name__}.png").write_bytes(draw().png(scale=1.5))


if __name__ == "__main__":
    main()
