"""A labelling session: what is served, saved and shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.conversation import ADJUDICATED, Label, Reason, Split
from handoff_eval.errors import SettingsError
from handoff_eval.transcripts.label_queue import pool_weights
from handoff_eval.transcripts.label_store import labels_of, save_labels
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.transcripts.write import write_dataset
from handoff_eval.workbench.session import ALL_DONE, REASONS, LabelingSession
from tests.builders import talk

NO: Mapping[str, Any] = {"handoff": False, "at_turn": None, "reasons": [], "note": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a dataset of six conversations of three turns, half of them for training."""
    write_dataset(
        tmp_path,
        conversations=[
            talk("C: a", "A: b", "C: c", id=f"c-{i}", split=Split.TRAIN if i < 3 else Split.TEST)
            for i in range(6)
        ],
    )
    return tmp_path


def answer(session: LabelingSession, **fields: Any) -> str:
    """Answer the conversation on screen and return its id."""
    shown = session.shown
    assert shown is not None
    session.answer({"conversation_id": shown, **NO, **fields})
    return shown


def test_an_answer_is_saved_before_the_next_is_shown(folder: Path) -> None:
    """All of it reaches the file: decision, turn, reasons, note, who, when and how drawn."""
    session = LabelingSession(folder, annotator=" ana ")
    shown = answer(session, handoff=True, at_turn=1, reasons=["other", "complaint"], note=" odd ")

    (label,) = read_dataset(folder).labels
    assert (label.conversation_id, label.handoff, label.at_turn) == (shown, True, 1)
    assert (label.annotator, label.note) == ("ana", "odd")
    assert label.reasons == (Reason.OTHER, Reason.COMPLAINT)
    assert label.labeled_at is not None
    assert label.extra == {"sampling": {"how": "random", "probability": 1 / 6, "pool": 6}}
    assert session.shown != shown
    assert session.view()["message"]["kind"] == "info"


def test_a_session_goes_on_where_it_stopped(folder: Path) -> None:
    """A new kernel shows the conversation that the old one showed, and no answered one again."""
    first = LabelingSession(folder, annotator="ana", seed=3)
    answered = {answer(first), answer(first)}
    second = LabelingSession(folder, annotator="ana", seed=3)

    assert second.shown == first.shown
    assert second.done == 2
    assert second.view()["message"]["text"] == "Welcome back, ana: you stopped after 2."
    while second.shown is not None:
        answered.add(answer(second))
    assert len(answered) == len(read_dataset(folder).labels) == 6


def test_each_annotator_has_a_way_of_their_own(folder: Path) -> None:
    """What one has done is still to do for another, who labels blind."""
    save_labels(folder, [Label(f"c-{i}", handoff=True, annotator="ben") for i in range(6)])
    session = LabelingSession(folder, annotator="ana")

    view = session.view()
    assert (view["done"], view["goal"], view["others"]) == (0, 6, [])


def test_a_whole_session_weighs_like_its_pool(folder: Path) -> None:
    """The chances stored are those of one shrinking pool, whatever was served by usefulness."""
    scores = {f"c-{i}": i / 10 for i in range(6)}
    session = LabelingSession(folder, annotator="ana", scores=scores, threshold=0.3)
    for _ in range(4):
        answer(session)

    labels = read_dataset(folder).labels
    assert [label.extra["sampling"]["pool"] for label in labels] == [6, 5, 4, 3]
    assert "uncertain" in {label.extra["sampling"]["how"] for label in labels}
    assert set(pool_weights(labels)) == {label.conversation_id for label in labels}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"handoff": None}, "Expected handoff to be true or false; got null"),
        ({"handoff": True, "at_turn": 3, "reasons": ["other"]}, "Expected a turn up to 2"),
        ({"handoff": True, "at_turn": 1}, "Expected a reason for the handoff"),
        ({"handoff": True, "reasons": ["boredom"]}, "to be one of 'follow_up_requested'"),
        ({"at_turn": 1}, "Expected at_turn to be null"),
        ({"note": 7}, "Expected note to be a text or null"),
    ],
)
def test_an_answer_that_cannot_be_used_stays_on_screen(
    folder: Path, fields: dict[str, Any], message: str
) -> None:
    """Nothing is saved, the conversation stays, and the sentence says what is missing."""
    session = LabelingSession(folder, annotator="ana")
    before = session.view()
    answer(session, **fields)

    view = session.view()
    assert message in view["message"]["text"]
    assert view["message"]["kind"] == "error"
    assert (view["ticket"], view["conversation"]) == (before["ticket"], before["conversation"])
    assert not (folder / "labels.jsonl").exists()


def test_an_answer_that_cannot_be_saved_stays_on_screen(folder: Path) -> None:
    """When the folder is gone the annotator is told, and may try again."""
    session = LabelingSession(folder, annotator="ana")
    shown = session.shown
    moved = folder.rename(folder.with_name("moved"))
    answer(session)

    assert session.view()["message"]["text"].startswith("Not saved. ")
    assert session.shown == shown
    moved.rename(folder)
    answer(session)
    assert session.done == 1


def test_a_key_pressed_twice_answers_once(folder: Path) -> None:
    """The second of two quick presses is about a conversation that is no longer on screen."""
    session = LabelingSession(folder, annotator="ana")
    shown = answer(session)
    session.answer({"conversation_id": shown, **NO})

    assert session.done == 1


def test_an_earlier_answer_can_be_changed(folder: Path) -> None:
    """Back shows it filled in; saving replaces it, keeps how it was drawn, and goes on."""
    session = LabelingSession(folder, annotator="ana")
    first, second = answer(session), answer(session)
    waiting = session.shown
    session.back()
    assert session.shown == second
    session.back()
    view = session.view()
    assert (session.shown, view["revising"]) == (first, True)
    assert view["answer"] == {"handoff": False, "at_turn": None, "reasons": [], "note": ""}
    answer(session, handoff=True, at_turn=None, reasons=["unresolved"])

    dataset = read_dataset(folder)
    label = labels_of(dataset, "ana")[first]
    assert (label.handoff, label.at_turn, label.reasons) == (True, None, (Reason.UNRESOLVED,))
    assert label.extra["sampling"]["pool"] == 6
    assert (dataset.refusals, len(dataset.labels), session.done) == ((), 2, 2)
    assert session.shown == waiting
    assert session.view()["message"]["text"].startswith(f"Changed: {first}, handoff at the close")


def test_an_earlier_answer_can_be_left_as_it_was(folder: Path) -> None:
    """Leaving returns to the conversation that was waiting and writes nothing."""
    session = LabelingSession(folder, annotator="ana")
    answer(session)
    waiting, content = session.shown, (folder / "labels.jsonl").read_bytes()
    session.back()
    session.leave()

    assert session.shown == waiting
    assert (folder / "labels.jsonl").read_bytes() == content
    session.leave()
    assert session.shown == waiting


def test_there_is_nothing_before_the_first_answer(folder: Path) -> None:
    """Back says so and stays."""
    session = LabelingSession(folder, annotator="ana")
    shown = session.shown
    session.back()

    assert session.shown == shown
    assert session.view()["message"]["text"] == "There is no earlier answer."


def test_a_goal_ends_the_session(folder: Path) -> None:
    """After the number wanted nothing more is served, but answers can still be changed."""
    session = LabelingSession(folder, annotator="ana", goal=2)
    answer(session)
    last = answer(session)

    view = session.view()
    assert (view["conversation"], view["done"], view["goal"]) == (None, 2, 2)
    assert view["message"]["text"] == f"Saved: {last}, no handoff. {ALL_DONE}"
    session.answer({"conversation_id": None, **NO})
    assert session.done == 2
    session.back()
    assert session.shown == last
    again = LabelingSession(folder, annotator="ana", goal=2)
    assert again.view()["message"]["text"] == ALL_DONE


def test_a_session_can_be_narrowed(folder: Path) -> None:
    """A split and a list of ids each limit what is served and what progress counts."""
    save_labels(folder, [Label("c-5", handoff=False, annotator="ana")])

    train = LabelingSession(folder, annotator="ana", split=Split.TRAIN)
    assert (train.done, train.goal) == (0, 3)
    only = LabelingSession(folder, annotator="ana", only={"c-4", "c-5"})
    assert (only.done, only.goal, only.shown) == (1, 2, "c-4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"annotator": ""}, "annotator's name"),
        ({"only": ["c-9"]}, "1 are not among those to label, such as 'c-9'"),
        ({"only": []}, "none is left of 6"),
        ({"split": Split.TUNE}, "none is left of 6"),
        ({"annotator": ADJUDICATED}, "two annotators must contradict each other"),
        ({"goal": 0}, "Expected goal to be at least 1; got 0"),
        ({"random_share": 0}, "Expected random_share"),
        ({"scores": {"c-1": 2.0}}, "the score of 'c-1'"),
    ],
)
def test_a_session_that_cannot_serve_is_refused(
    folder: Path, options: dict[str, Any], message: str
) -> None:
    """What is wrong is told before the first conversation, not by an empty screen."""
    with pytest.raises(SettingsError, match=message):
        LabelingSession(folder, **{"annotator": "ana", **options})


def test_the_adjudicator_sees_what_the_others_contradict_each_other_on(folder: Path) -> None:
    """Different answers, or turns more than a decision point apart, with both answers beside."""
    yes = {"handoff": True, "reasons": (Reason.OTHER,)}
    save_labels(
        folder,
        [
            Label("c-0", at_turn=0, annotator="ana", **yes),
            Label("c-0", handoff=False, annotator="ben", note="met"),
            # Points are after turn 0, after turn 2, and the close: 0 and 2 are two apart.
            Label("c-1", at_turn=0, annotator="ana", **yes),
            Label("c-1", at_turn=None, annotator="ben", **yes),
            Label("c-2", at_turn=0, annotator="ana", **yes),
            Label("c-2", at_turn=1, annotator="ben", **yes),
            Label("c-3", at_turn=0, annotator="ana", **yes),
        ],
    )
    session = LabelingSession(folder, annotator=ADJUDICATED, random_share=0.01)
    others = session.view()["others"]

    assert (session.shown, session.goal) == ("c-0", 2)
    assert [(o["annotator"], o["handoff"], o["note"]) for o in others] == [
        ("ana", True, ""),
        ("ben", False, "met"),
    ]
    answer(session, handoff=True, at_turn=0, reasons=["other"])
    assert session.shown == "c-1"
    assert read_dataset(folder).labels_of_record()["c-0"].annotator == ADJUDICATED


def test_lines_that_were_refused_are_shown(folder: Path) -> None:
    """A damaged file is never silent."""
    (folder / "labels.jsonl").write_bytes(b'{"half')

    (refusal,) = LabelingSession(folder, annotator="ana").view()["refusals"]
    assert refusal.startswith("labels.jsonl:1: the line must be a JSON object")


def test_every_reason_has_a_key() -> None:
    """Keys 1 to 6 are all there are, so a seventh reason must not come unnoticed."""
    assert list(REASONS) == list(Reason)
    assert len(REASONS) == 6
