"""A replay as a table of plain numbers and back, so that an export can be held against it."""

from __future__ import annotations

import csv
import io

import numpy as np

from handoff_eval.errors import DataError
from handoff_eval.evaluation.replay import Replay

_COLUMNS = ["conversation_id", "turns", "score"]


def replay_to_csv(replay: Replay) -> str:
    """Return one row a decision point, its score to the last bit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for i, name in enumerate(replay.ids):
        for point in range(replay.offsets[i], replay.offsets[i + 1]):
            writer.writerow([name, int(replay.turns[point]), repr(float(replay.scores[point]))])
    return text.getvalue()


def replay_from_csv(text: str, *, trigger: str) -> Replay:
    """Return the replay that `replay_to_csv` wrote.

    Raises
    ------
    DataError
        When it is no such table.
    """
    ids: list[str] = []
    offsets, turns, scores = [0], [], []
    try:
        rows = csv.reader(io.StringIO(text), strict=True)
        if next(rows) != _COLUMNS:
            raise ValueError(f"the columns aren't {', '.join(_COLUMNS)}")
        for name, seen, score in rows:
            if not ids or ids[-1] != name:
                ids.append(name)
                offsets.append(offsets[-1])
            offsets[-1] += 1
            turns.append(int(seen))
            scores.append(float(score))
    except (ValueError, StopIteration, csv.Error) as error:
        raise DataError(f"Expected a table of scores; {error}. Compare again.") from None
    return Replay(
        trigger=trigger,
        ids=tuple(ids),
        offsets=np.array(offsets, dtype=np.int64),
        turns=np.array(turns, dtype=np.int64),
        scores=np.array(scores, dtype=np.float64),
    )
