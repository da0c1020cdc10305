"""Saving labels so that none is lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from handoff_eval.conversation import Label, Reason
from handoff_eval.errors import DataError, SettingsError
from handoff_eval.transcripts import label_store
from handoff_eval.transcripts.label_store import Saved, check_annotator, labels_of, save_labels
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.transcripts.write import write_dataset
from tests.builders import talk

YES = Label("c-1", handoff=True, at_turn=0, reasons=(Reason.COMPLAINT,), annotator="ana")
NO = Label("c-1", handoff=False, annotator="ana")
SAVER = """
import sys
from pathlib import Path
from handoff_eval.conversation import Label
from handoff_eval.transcripts.label_store import save_labels

for number in range(100_000):
    label = Label(f"c-{number % 50}", handoff=False, annotator=f"a{number // 50 % 3}")
    save_labels(Path(sys.argv[1]), [label])
    print(number, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a dataset of 50 conversations without labels."""
    write_dataset(tmp_path, conversations=[talk("C: hello?", id=f"c-{i}") for i in range(50)])
    return tmp_path


def test_a_first_answer_is_appended(folder: Path) -> None:
    """What stands in the file before stays byte for byte, and the new line comes last."""
    save_labels(folder, [YES])
    before = (folder / "labels.jsonl").read_bytes()
    saved = save_labels(folder, [Label("c-2", handoff=False, annotator="ana")])

    after = (folder / "labels.jsonl").read_bytes()
    assert saved == Saved(added=1, replaced=0)
    assert after.startswith(before)
    assert after.count(b"\n") == 2
    assert [label.conversation_id for label in read_dataset(folder).labels] == ["c-1", "c-2"]


def test_a_changed_answer_takes_the_place_of_the_former(folder: Path) -> None:
    """One label of an annotator is left, written last; the reader refuses nothing."""
    save_labels(folder, [YES, Label("c-2", handoff=False, annotator="ana")])
    saved = save_labels(folder, [NO])

    dataset = read_dataset(folder)
    assert saved == Saved(added=0, replaced=1)
    assert dataset.refusals == ()
    assert [label.conversation_id for label in dataset.labels] == ["c-2", "c-1"]
    assert labels_of(dataset, "ana")["c-1"] == NO
    assert sorted(path.name for path in folder.iterdir()) == ["labels.jsonl", "transcripts.jsonl"]


def test_other_annotators_are_left_alone(folder: Path) -> None:
    """The same conversation may be labelled by several people, and by nobody by name."""
    others = [Label("c-1", handoff=True, annotator="ben"), Label("c-1", handoff=True)]
    save_labels(folder, [*others, YES])
    save_labels(folder, [NO])

    dataset = read_dataset(folder)
    assert dataset.labels == (*others, NO)
    assert labels_of(dataset, "ben") == {"c-1": others[0]}


def test_a_line_cut_short_costs_no_other_label(folder: Path) -> None:
    """After a crash in mid-line the reader refuses that line, and the next label stands alone."""
    save_labels(folder, [YES])
    with (folder / "labels.jsonl").open("ab") as stream:
        stream.write(b'{"conversation_id": "c-2", "hando')
    save_labels(folder, [Label("c-3", handoff=False, annotator="ana")])

    dataset = read_dataset(folder)
    assert [label.conversation_id for label in dataset.labels] == ["c-1", "c-3"]
    assert [(refusal.line, refusal.field) for refusal in dataset.refusals] == [(2, None)]


def test_a_rewrite_keeps_lines_it_cannot_read(folder: Path) -> None:
    """Refused lines are somebody's work: byte for byte they stay where they are."""
    odd = b'{"conversation_id": ["c-1"], "annotator": "ana"}\n\xff half\r a line\n'
    save_labels(folder, [YES])
    with (folder / "labels.jsonl").open("ab") as stream:
        stream.write(odd)
    save_labels(folder, [NO])

    content = (folder / "labels.jsonl").read_bytes()
    assert content.startswith(odd)
    assert content.count(b"\n") == 3


def test_a_byte_order_mark_hides_no_label(folder: Path) -> None:
    """An answer on the first line of a file saved by an editor is found and replaced."""
    save_labels(folder, [YES])
    path = folder / "labels.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    save_labels(folder, [NO])

    assert read_dataset(folder).labels == (NO,)


@pytest.mark.skipif(sys.platform == "win32", reason="links and modes are those of POSIX")
def test_a_rewrite_goes_through_a_link_and_keeps_the_mode(folder: Path, tmp_path: Path) -> None:
    """A labels file that lies elsewhere is replaced there, as readable as it was."""
    real = tmp_path / "elsewhere" / "shared.jsonl"
    real.parent.mkdir()
    (folder / "labels.jsonl").symlink_to(real)
    save_labels(folder, [YES])
    real.chmod(0o664)
    save_labels(folder, [NO])

    assert (folder / "labels.jsonl").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o664
    assert read_dataset(folder).labels == (NO,)


def test_a_rewrite_that_fails_keeps_the_former_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is told in a sentence and leaves the file as it was."""
    save_labels(folder, [YES])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(label_store.os, "fsync", full)
    with pytest.raises(DataError, match=r"could not be saved \(No space left on device\)"):
        save_labels(folder, [NO])
    assert read_dataset(folder).labels == (YES,)
    assert sorted(path.name for path in folder.iterdir()) == ["labels.jsonl", "transcripts.jsonl"]


def test_an_answer_is_on_the_disk_before_it_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is synced after the line is in it, and its folder when the file is new."""
    synced: list[bytes] = []

    def spy(_: int) -> None:
        synced.append((folder / "labels.jsonl").read_bytes())

    monkeypatch.setattr(label_store.os, "fsync", spy)
    save_labels(folder, [YES])

    content = (folder / "labels.jsonl").read_bytes()
    assert synced == [content, content] if os.name != "nt" else [content]


def test_nothing_to_save_touches_nothing(folder: Path) -> None:
    """No labels file appears where no label was given."""
    assert save_labels(folder, []) == Saved(added=0, replaced=0)
    assert not (folder / "labels.jsonl").exists()


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    """A dataset that was moved away under a session is a sentence, not a traceback."""
    with pytest.raises(DataError, match="the label could not be saved"):
        save_labels(tmp_path / "gone", [YES])


def test_two_labels_of_one_annotator_at_once_are_a_bug(folder: Path) -> None:
    """The reader would refuse the second, so it is never written."""
    with pytest.raises(ValueError, match="at most one label of each conversation"):
        save_labels(folder, [YES, NO])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no lock there")
def test_two_programs_lose_none_of_each_others_labels(folder: Path) -> None:
    """Rewrites of one and appends of another don't overwrite each other."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=save_many, args=(folder, name)) for name in ("ana", "ben")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    dataset = read_dataset(folder)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert dataset.refusals == ()
    assert len(labels_of(dataset, "ana")) == len(labels_of(dataset, "ben")) == 50


def save_many(folder: Path, annotator: str) -> None:
    """Label every conversation twice, changing each answer once."""
    for i in range(50):
        for handoff in (False, True):
            save_labels(folder, [Label(f"c-{i}", handoff=handoff, annotator=annotator)])


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_a_killed_program_loses_no_label_it_had_saved(folder: Path) -> None:
    """Whatever was reported as saved is there after SIGKILL, and at most one line is refused."""
    saver = subprocess.Popen(
        [sys.executable, "-c", SAVER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert saver.stdout is not None
    with saver.stdout as reported:
        while reported.readline() != "120\n":
            pass
        os.kill(saver.pid, signal.SIGKILL)
        rest = reported.read().split()
    saver.wait()

    last = int(rest[-1]) if rest else 120
    dataset = read_dataset(folder)
    assert len(dataset.refusals) <= 1
    assert len(dataset.labels) >= min(last + 1, 150)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\0b"])
def test_an_annotator_has_a_name_on_one_line(name: str) -> None:
    """A blank name would mix with labels of nobody, a broken one with none at all."""
    with pytest.raises(SettingsError, match="annotator's name on one line"):
        check_annotator(name)


def test_blanks_around_a_name_are_dropped() -> None:
    """The same person is one annotator, however it was typed."""
    assert check_annotator(" ana ") == "ana"
