"""The service's engine: repeated, conflicting and missing turns; batches; one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handoff_eval.conversation import Customer, Role, Split, Turn
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.errors import DataError, DeliveryError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.handoff import Handoff
from handoff_eval.mail.entries import Status
from handoff_eval.mail.outbox import Outbox, open_outbox
from handoff_eval.mail.postgres_outbox import PostgresOutbox
from handoff_eval.production.bundle import Bundle
from handoff_eval.production.decide import decide
from handoff_eval.production.decider import Decider
from handoff_eval.production.drift.log import read_log
from handoff_eval.production.feedback.logged import read_logged
from handoff_eval.production.service import engine as engine_module
from handoff_eval.production.service.engine import Engine, Lane
from handoff_eval.production.service.ledger import Ledger
from handoff_eval.production.service.steps import Answer, Refusal, Result, Step
from handoff_eval.trigger import Trigger
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from handoff_eval.triggers.train import train_classifier
from tests.builders import talk
from tests.training import TRAINING

KEYWORD = KeywordTrigger(default_rules())
HASHING = train_classifier(TRAINING, HashingEncoder(32), name="hashing")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TALK = talk("C: where is it", "A: sorry", "C: let me talk to a person", "A: ok", "C: thanks")


def lane(trigger: Trigger, threshold: float = 0.4, name: str = "support", mark: str = "b") -> Lane:
    point = OperatingPoint(trigger.name, threshold, Split.TUNE, None, "")
    bundle = Bundle(trigger, point, name, "when", Path())
    return Lane(Decider(bundle), Handoff(name, ("team@example.com",)), mark)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.medium)])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outbox]:
    """Return an outbox of either kind."""
    postgres = request.param == "postgres"
    where = request.getfixturevalue("postgres_url") if postgres else str(tmp_path / "state.db")
    opened = open_outbox(where)
    yield opened
    opened.close()


def engine(outbox: Outbox, *lanes: Lane, at: datetime = START) -> Engine:
    return Engine(Ledger(outbox), lanes or (lane(KEYWORD),), clock=lambda: at)


def say(number: int, text: str, role: Role = Role.CUSTOMER, name: str = "c-1") -> Step:
    return Step(name, number, Turn(role, text))


def steps_of(name: str = "c-1") -> list[Step]:
    turns = [Step(name, i, turn) for i, turn in enumerate(TALK.turns)]
    return [*turns, Step(name, len(turns), None)]


def status(result: Result) -> int:
    return 200 if isinstance(result, Answer) else result.status


@pytest.mark.parametrize("trigger", [KEYWORD, HASHING], ids=lambda t: t.name)
def test_it_fires_where_the_replay_does(outbox: Outbox, trigger: Trigger) -> None:
    """Turn by turn, each through the store, the fire and its score are those of `decide`."""
    chosen = lane(trigger, 0.3)
    (expected,) = decide(trigger, chosen.decider.bundle.point, [TALK], handoff="support")
    service = engine(outbox, chosen)
    documents = [service.take([step])[0].document for step in steps_of()]  # type: ignore[union-attr]
    fired = [d["decisions"][0] for d in documents if d["decisions"][0]["fires"]]

    assert [f["fired_turns"] for f in fired] == [expected.turns] * expected.fired
    assert all(f["score"] == pytest.approx(expected.score, abs=1e-9) for f in fired)
    assert outbox.counts()[Status.QUEUED] == len(fired) == 1


def test_a_repeated_turn_gets_the_answer_it_got(outbox: Outbox) -> None:
    """The same turn again, after later ones even, gives the same answer and no second email."""
    service = engine(outbox)
    first = service.take(steps_of())
    again = service.take(steps_of())

    assert [r.document for r in again] == [r.document for r in first]  # type: ignore[union-attr]
    assert {r.new for r in first} == {True}  # type: ignore[union-attr]
    assert {r.new for r in again} == {False}  # type: ignore[union-attr]
    assert outbox.counts()[Status.QUEUED] == 1


@pytest.mark.parametrize(
    ("step", "expected", "words"),
    [
        (say(0, "something else"), 409, "turn 0 as it was accepted"),
        (say(0, "hello", role=Role.AGENT), 409, "turn 0 as it was accepted"),
        (say(3, "hello"), 409, "Expected turn 1 next; got 3"),
        (Step("c-1", 2, None), 409, "close after 1 turns; got 2"),
        (Step("c-9", 0, None), 404, "unknown"),
        (say(5_001, "hello", name="c-9"), 409, "Expected turn 0 next"),
    ],
)
def test_what_does_not_follow_is_refused(
    outbox: Outbox, step: Step, expected: int, words: str
) -> None:
    """Another turn in its place, a gap or an unknown conversation changes nothing."""
    service = engine(outbox)
    service.take([say(0, "hello")])
    (result,) = service.take([step])

    assert isinstance(result, Refusal)
    assert result.status == expected
    assert words in result.words
    assert service.ledger.load(["c-1"])["c-1"].turns == 1


def test_nothing_follows_a_close(outbox: Outbox) -> None:
    """A closed conversation takes no turn, and its close gets the same answer again."""
    service = engine(outbox)
    results = service.take([say(0, "hi"), Step("c-1", 1, None), say(1, "hi"), Step("c-1", 1, None)])

    assert [status(r) for r in results] == [200, 200, 409, 200]
    assert results[3].document == results[1].document  # type: ignore[union-attr]


def test_a_batch_decides_as_one_by_one(outbox: Outbox) -> None:
    """Many conversations interleaved in one call get the answers each would get alone."""
    names = [f"c-{i}" for i in range(20)]
    mixed = [
        step for turn in zip(*(steps_of(name) for name in names), strict=True) for step in turn
    ]
    results = engine(outbox, lane(HASHING, 0.3)).take(mixed)
    alone = engine(outbox, lane(HASHING, 0.3)).take(steps_of("alone"))
    of_one = [r.document["decisions"] for r in results[7 :: len(names)]]  # type: ignore[union-attr]

    assert of_one == [r.document["decisions"] for r in alone]  # type: ignore[union-attr]
    assert outbox.counts()[Status.QUEUED] == len(names) + 1


def test_a_turn_is_stored_with_its_email_or_not_at_all(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the email can't be stored the turn is refused and may come again."""
    service = engine(outbox)

    def fail(*_: object, **__: object) -> bool:
        raise DeliveryError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(engine_module, "hand_over", fail)
        (refused,) = service.take([say(0, "let me talk to a human")])
    kept = service.ledger.load(["c-1"])
    (accepted,) = service.take([say(0, "let me talk to a human")])

    assert (status(refused), kept, status(accepted)) == (503, {}, 200)
    assert outbox.counts()[Status.QUEUED] == 1


def test_one_bad_step_does_not_take_its_batch_with_it(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in one conversation answers 500 there and 200 beside it."""
    service = engine(outbox)
    whole = Engine._record

    def fail_on_one(self: Engine, lane: Lane, move: engine_module._Move, *rest: object) -> None:
        if move.step.conversation_id == "bad":
            raise RuntimeError("a bug")
        whole(self, lane, move, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "_record", fail_on_one)
    results = service.take([say(0, "hi", name=name) for name in ("good", "bad", "fine")])

    assert [status(result) for result in results] == [200, 500, 200]
    assert set(service.ledger.load(["good", "bad", "fine"])) == {"good", "fine"}


def test_of_two_processes_one_decides_again(outbox: Outbox) -> None:
    """A conversation that moved on between loading and storing is looked at anew."""
    service, other = engine(outbox), engine(outbox)
    service.take([say(0, "hi")])
    load = service.ledger.load

    def load_then_lose(ids: list[str]) -> object:
        known = load(ids)
        service.ledger.load = load  # type: ignore[method-assign]
        other.take([say(1, "from elsewhere")])
        return known

    service.ledger.load = load_then_lose  # type: ignore[method-assign, assignment]
    (result,) = service.take([say(1, "let me talk to a human")])

    assert status(result) == 409
    assert service.ledger.turns("c-1")[1].text == "from elsewhere"
    assert outbox.counts()[Status.QUEUED] == 0


def test_another_bundle_takes_over_in_the_middle(outbox: Outbox) -> None:
    """Saved under one trigger, a conversation goes on under another, and fires once in all."""
    engine(outbox, lane(KEYWORD)).take(steps_of()[:3])
    later = engine(outbox, lane(HASHING, 0.01, mark="new"), lane(KEYWORD, 0.99, name="second"))
    (result,) = later.take([steps_of()[3]])
    (closed,) = later.take([Step("c-1", 4, None)])

    assert [d["fires"] for d in result.document["decisions"]] == [False, False]  # type: ignore[union-attr]
    assert [d["fired_turns"] for d in closed.document["decisions"]] == [3, None]  # type: ignore[union-attr]


def test_the_peak_goes_on_after_a_fire(outbox: Outbox) -> None:
    """The log keeps the fire's score and the highest one, for volume at stricter thresholds."""
    service = engine(outbox, lane(HASHING, 0.0))
    service.take([say(0, "thanks"), say(1, "let me talk to a person"), say(2, "a person please")])
    row = service.ledger.load(["c-1"])["c-1"].settled["support"]

    assert row.fired_turns == 1
    assert row.score is not None
    assert row.peak > row.score


def test_silence_and_age_are_found(outbox: Outbox) -> None:
    """Conversations without a turn are listed for closing, and texts go after their time."""
    service = engine(outbox)
    service.take([say(0, "hi"), say(0, "hi", name="c-2")])
    now = START.timestamp()
    silent = service.ledger.silent(before=now + 1)
    service.take([Step(name, turns, None) for name, turns in silent])
    removed = service.ledger.drop_texts(closed_before=now + 1)
    (repeated,) = service.take([say(0, "hi")])

    assert sorted(silent) == [("c-1", 1), ("c-2", 1)]
    assert service.ledger.silent(before=now + 1) == []
    assert removed == 2
    assert status(repeated) == 409
    assert service.ledger.load(["c-1"])["c-1"].settled["support"].peak == 0


def test_what_is_known_of_a_customer_first_stays(outbox: Outbox) -> None:
    """A later turn completes the customer and changes nothing of them."""
    service = engine(outbox)
    first = Step("c-1", 0, Turn(Role.CUSTOMER, "hi", START - timedelta(days=1)), Customer("u-1"))
    second = Step("c-1", 1, Turn(Role.CUSTOMER, "hi"), Customer("u-2", "ana@example.com"), "web")
    service.take([first, second])
    known = service.ledger.load(["c-1"])["c-1"]

    assert known.customer == Customer("u-1", "ana@example.com")
    assert known.channel == "web"
    assert known.started_at == (START - timedelta(days=1)).timestamp()


def test_the_decision_log_is_read_from_the_state(outbox: Outbox, tmp_path: Path) -> None:
    """Each conversation is a row with times, peak, fire and what a reviewer said."""
    service = engine(outbox)
    service.take([*steps_of("c-1"), say(0, "hi", name="c-2")])
    known = service.ledger.review("c-1", "support", needed=True, probability=0.5)
    unknown = service.ledger.review("c-9", "support", needed=True, probability=0.5)
    where = outbox._url if isinstance(outbox, PostgresOutbox) else str(tmp_path / "state.db")
    fired, other = read_log(where, handoff="support")

    assert (known, unknown) == (True, False)
    assert (fired.started_at, fired.closed_at, fired.fired_at) == (START, START, START)
    assert (fired.reason, fired.route, fired.needed) == ("human_requested", "email", True)
    assert fired.audit_probability == 0.5
    assert fired.score is not None
    assert fired.peak >= fired.score
    assert (other.closed_at, other.fired, other.needed) == (None, False, None)
    with pytest.raises(DataError, match="Expected decisions of 'sales'"):
        read_log(where, handoff="sales")
    logged = read_logged(where)
    steps = steps_of("c-1")
    said = tuple(step.turn for step in steps if step.turn is not None)
    assert list(logged.rows) == [fired, other]
    assert fired.turns is not None
    assert [turn.text for turn in logged.conversations["c-1"].turns] == [turn.text for turn in said]
    assert logged.conversations["c-2"].started_at == other.started_at
