"""Score a file of transcripts of any length: in bounded memory, and on from where it was killed.

Each line of the transcripts gives one line of the output, in the same order: a decision with the
score of every decision point, or the refusal of a line that can't be used. The output grows by
whole batches that are on disk before the next one is begun. `OUT.job` beside it names the bundle
and the transcripts by digest, so that a job is only taken up with what it was begun with.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from handoff_eval.conversation import Conversation
from handoff_eval.errors import DataError
from handoff_eval.evaluation.replay import BATCH_TURNS, replay
from handoff_eval.production.bundle import Bundle
from handoff_eval.production.decide import decide
from handoff_eval.transcripts.jsonl import read_objects
from handoff_eval.transcripts.parse import parse_conversation
from handoff_eval.transcripts.refusals import FieldError, Refusal

_CHUNK = 2**20
_Item = tuple[int, Conversation | Refusal]


@dataclass(frozen=True, slots=True)
class Scored:
    """What the output of a finished job holds.

    Attributes
    ----------
    decided, fired, refused : int
        Conversations decided, those of them that send an email, and lines that can't be used.
    resumed : int
        Lines of the output that an earlier run had written.
    """

    decided: int
    fired: int
    refused: int
    resumed: int


@dataclass(slots=True)
class _Done:
    """What the output holds so far; `line` is the last line of the transcripts in it."""

    line: int = 0
    decided: int = 0
    fired: int = 0
    refused: int = 0

    def count(self, row: dict[str, Any]) -> None:
        self.line = int(row["line"])
        if "refused" in row:
            self.refused += 1
        else:
            self.decided += 1
            self.fired += bool(row["fired"])


def score_file(
    bundle: Bundle,
    transcripts: Path,
    *,
    to: Path,
    batch_turns: int = BATCH_TURNS,
    on_progress: Callable[[int, int], None] | None = None,
) -> Scored:
    """Write one line of output for each line of the transcripts that isn't blank.

    Parameters
    ----------
    bundle : Bundle
        What decides.
    transcripts : Path
        JSON lines of conversations.
    to : Path
        The output. Where an unfinished job has left one, its torn last line is dropped and the
        job goes on behind it; a finished one stays as it is.
    batch_turns : int
        About how many turns are held at once, and scored again after a kill.
    on_progress : callable, optional
        Called after each batch with the lines read and the lines there are.

    Raises
    ------
    DataError
        When a file can't be read or written, the output was begun with another bundle or other
        transcripts or isn't this command's, or another process is writing it.
    """
    try:
        job, lines = _describe(bundle, transcripts)
        with to.open("ab+") as output:
            _lock(output, to)
            _check_job(job, to, output)
            done = _take_stock(output, to)
            resumed = done.decided + done.refused
            with transcripts.open("rb") as source:
                for batch in _batches(source, transcripts.name, done.line, batch_turns):
                    rows = list(score_batch(bundle, batch))
                    _append(output, rows)
                    for row in rows:
                        done.count(row)
                    if on_progress is not None:
                        on_progress(done.line, lines)
            if on_progress is not None:
                on_progress(lines, lines)
    except OSError as error:
        raise DataError(
            f"Expected to read {transcripts} and write {to}; got: {error.strerror} "
            f"({error.filename})."
        ) from None
    return Scored(done.decided, done.fired, done.refused, resumed)


def _describe(bundle: Bundle, transcripts: Path) -> tuple[dict[str, Any], int]:
    """Return what the output depends on, and the number of lines."""
    digest, lines, last = hashlib.sha256(), 0, b"\n"
    with transcripts.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    job = {"format": 1, "bundle": bundle.digest, "transcripts": digest.hexdigest()}
    return job, lines + (last != b"\n")


def _lock(output: BinaryIO, to: Path) -> None:
    try:
        fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            f"Expected to be alone in writing {to}; another process is at it. Wait for it."
        ) from None


def _check_job(job: dict[str, Any], to: Path, output: BinaryIO) -> None:
    path = to.with_name(f"{to.name}.job")
    if not path.exists():
        if output.tell():
            raise DataError(
                f"Expected {to} to be free or an unfinished output of this command; there is no "
                f"{path.name} beside it. Name another file."
            )
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with draft.open("w", encoding="utf-8") as stream:
            json.dump(job, stream)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
        return
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        begun = None
    if begun != job:
        known = begun if isinstance(begun, dict) else {}
        other = [name for name, value in job.items() if known.get(name) != value]
        raise DataError(
            f"Expected to go on with {to} as it was begun; got another {' and '.join(other)}. "
            f"Give the same ones, or delete {to.name} and {path.name}."
        )


def _take_stock(output: BinaryIO, to: Path) -> _Done:
    """Drop a torn last line and count what stands, leaving the file at its end."""
    done = _Done()
    output.seek(0)
    whole = 0
    for number, line in enumerate(output, start=1):
        if not line.endswith(b"\n"):
            output.truncate(whole)
            break
        try:
            done.count(json.loads(line))
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{to}:{number}: expected a line of this command's output; it was changed. "
                f"Delete {to.name} and {to.name}.job to begin again."
            ) from None
        whole += len(line)
    output.seek(0, os.SEEK_END)
    return done


def _batches(source: BinaryIO, name: str, done: int, batch_turns: int) -> Iterator[list[_Item]]:
    """Yield line number and conversation or refusal, behind the lines that are done."""
    batch: list[_Item] = []
    turns = 0
    for line, document in read_objects(source):
        if line <= done:
            continue
        try:
            if isinstance(document, FieldError):
                raise document
            item: Conversation | Refusal = parse_conversation(document)
        except FieldError as fault:
            item = fault.at(name, line)
        batch.append((line, item))
        turns += len(item.turns) if isinstance(item, Conversation) else 1
        if turns >= batch_turns:
            yield batch
            batch, turns = [], 0
    if batch:
        yield batch


def score_batch(bundle: Bundle, batch: Sequence[_Item]) -> Iterator[dict[str, Any]]:
    """Yield one row a line of the transcripts: the decision with its scores, or the refusal.

    Parameters
    ----------
    bundle : Bundle
    batch : sequence of (int, Conversation or Refusal)
        Number of the line and what it holds; scored together.
    """
    conversations = [item for _, item in batch if isinstance(item, Conversation)]
    played = replay(bundle.trigger, conversations)
    decisions = iter(
        decide(bundle.trigger, bundle.point, conversations, handoff=bundle.handoff, played=played)
    )
    bounds = iter(zip(played.offsets[:-1], played.offsets[1:], strict=True))
    for line, item in batch:
        if isinstance(item, Refusal):
            yield {"line": line, "refused": str(item)}
        else:
            first, stop = next(bounds)
            scores = [float(score) for score in played.scores[first:stop]]
            yield {"line": line, **next(decisions).to_dict(), "scores": scores}


def _append(output: BinaryIO, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
    output.write("".join(lines).encode("utf-8"))
    output.flush()
    os.fsync(output.fileno())
