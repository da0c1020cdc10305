"""Forgetting a person: their bytes are gone from every file that can be reached."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handoff_eval.cli.main import main
from handoff_eval.conversation import Customer, Role, Turn
from handoff_eval.encoders.cache import CachedEncoder
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.encoders.minilm import REVISION
from handoff_eval.handoff import Cap, Handoff
from handoff_eval.llm.question import Reply
from handoff_eval.llm.replies import ReplyStore
from handoff_eval.mail.digest import collect_digests
from handoff_eval.mail.outbox import open_outbox
from handoff_eval.production.service.engine import Engine, Lane
from handoff_eval.production.service.ledger import Ledger
from handoff_eval.production.service.steps import Step
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.unit.test_service_engine import lane

SECRET = "bassoonist"
WHO, ADDRESS = "u-ana", "ana@example.com"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def holding(folder: Path, *words: str) -> list[str]:
    """Return the files below a folder that hold any of these words."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [f.name for f in files if any(word.encode() in f.read_bytes() for word in words)]


def talk_to(engine: Engine, name: str, who: Customer, text: str) -> None:
    first = Step(name, 0, Turn(Role.CUSTOMER, f"let me talk to a human, {text}"), who)
    engine.take([first, Step(name, 1, Turn(Role.AGENT, f"I see, {text}"))])


def service_of(where: str, keyword: Lane) -> Engine:
    return Engine(Ledger(open_outbox(where)), [keyword], clock=lambda: NOW)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project and a cache of this test's own."""
    monkeypatch.setenv("HANDOFF_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}")
    return tmp_path


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.medium)])
@pytest.mark.parametrize("name", [WHO, ADDRESS])
def test_a_person_is_gone_from_the_state_and_the_others_stay(
    home: Path, request: pytest.FixtureRequest, kind: str, name: str
) -> None:
    """By id or address, turns, decisions and emails are gone; another customer's are as before."""
    postgres = kind == "postgres"
    where = request.getfixturevalue("postgres_url") if postgres else str(home / "state.db")
    engine = service_of(where, lane(KeywordTrigger(default_rules())))
    talk_to(engine, "c-1", Customer(WHO, ADDRESS), SECRET)
    talk_to(engine, "c-2", Customer("u-2", "ben@example.com"), "harmless")
    engine.ledger.outbox.close()
    before = holding(home, SECRET)
    code = main(["forget", name, "--state", where])
    outbox = open_outbox(where)
    with outbox.reading() as run:
        counts = [
            run(f"SELECT count(*) AS n FROM {table}", {}).fetchall()[0]["n"]
            for table in ("conversations", "turns", "decisions", "outbox")
        ]
    outbox.close()

    assert code == 0
    assert postgres or before
    assert counts == [1, 2, 1, 1]
    assert holding(home, SECRET, WHO, ADDRESS) == []


def test_a_digest_that_lists_them_goes_and_the_others_wait_for_the_next(home: Path) -> None:
    """A digest not sent yet is taken back; who else it listed is listed again without them."""
    where = str(home / "state.db")
    capped = Handoff("support", ("team@example.com",), cap=Cap(per_day=1))
    keyword = lane(KeywordTrigger(default_rules()))
    engine = service_of(where, Lane(keyword.decider, capped, "b"))
    for number in range(3):
        who = Customer(WHO, ADDRESS) if number == 1 else Customer(f"u-{number}")
        talk_to(engine, f"c-{number}", who, SECRET if number == 1 else "harmless")
    outbox = engine.ledger.outbox
    collect_digests(outbox)
    main(["forget", WHO, "--state", where])
    collect_digests(outbox)
    listed = {e.conversation_id: e.digest for e in outbox.entries() if e.digest}
    outbox.close()

    assert list(listed) == ["c-2"]
    assert holding(home, SECRET, ADDRESS) == []


def test_dataset_vectors_and_tables_lose_them(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines, labels, facts, vectors and table rows go; what can't be changed is named, exit 1."""
    folder, artifacts = home / "set", home / "mlruns" / "artifacts"
    folder.mkdir()
    artifacts.mkdir(parents=True)
    said = f"my name is {SECRET}"
    theirs = {"id": "c-77", "customer": {"id": WHO}, "turns": [{"role": "customer", "text": said}]}
    other = {"id": "c-78", "customer": {"id": "u-2"}, "turns": [{"role": "customer", "text": "hi"}]}
    labels = [{"conversation_id": name, "handoff": False} for name in ("c-77", "c-78")]
    for name, lines in (("transcripts", [theirs, other]), ("labels", labels), ("facts", labels)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    (artifacts / "rows.csv").write_text("conversation,flaws\nc-77,1\nc-78,0\n")
    (artifacts / "page.html").write_text("<p>c-77</p>")
    encoder = HashingEncoder(8)
    encoder.revision = REVISION
    cache = home / "cache" / "vectors.sqlite"
    vector = CachedEncoder(encoder, cache).encode([said, "hi"])[0].astype("<f4").tobytes()
    before = any(vector in file.read_bytes() for file in cache.parent.iterdir())
    encoder.revision = f"{REVISION}-int8-0"
    (home / "cache" / encoder.revision).mkdir()
    CachedEncoder(encoder, cache).encode([said, "hi"])
    replies = ReplyStore(cache=home / "cache" / "replies.sqlite")
    replies.keep("k", Reply(f"They said: {said}", "m", None, None, None, 0.1))
    code = main(["forget", WHO, "--dataset", str(folder), "--json"])
    document = json.loads(capsys.readouterr().out)
    with sqlite3.connect(cache) as connection:
        (kept,) = connection.execute("SELECT count(*) FROM vectors").fetchone()
    connection.close()

    assert code == 1
    assert document["conversations"] == ["c-77"]
    assert [Path(words.split(" (")[0]).name for words in document["left"]] == ["page.html"]
    assert holding(folder, "c-77", WHO, SECRET) == []
    assert (artifacts / "rows.csv").read_text() == "conversation,flaws\nc-78,0\n"
    assert kept == 2
    assert before
    assert replies.find(["k"]) == {}
    assert holding(cache.parent, SECRET) == []
    assert not any(vector in f.read_bytes() for f in cache.parent.rglob("*") if f.is_file())
    assert any("emails that were sent" in words for words in document["beyond_reach"])
    assert any("weights" in words for words in document["beyond_reach"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([" "], "Expected the id or address of a customer"),
        (["u-1", "--state", "nowhere.db"], "there is no such file"),
        (["u-1", "--dataset", "nowhere"], "expected a dataset folder"),
    ],
)
def test_a_place_that_is_not_there_is_said(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong path is an error, so that nobody takes nothing found for all removed."""
    assert main(["forget", *options]) == 2
    assert words in capsys.readouterr().err


def test_reviews_of_a_person_go_with_their_conversations(home: Path) -> None:
    """What reviewers wrote of them is gone, of others it stays, and a wrong folder is refused."""
    rows = [
        {"id": name, "customer": {"id": who}, "turns": [{"role": "customer", "text": "hi"}]}
        for name, who in (("c-1", WHO), ("c-2", "u-ben"))
    ]
    labels = [
        {"conversation_id": name, "handoff": False, "annotator": "x", "note": f"{SECRET} {name}"}
        for name in ("c-1", "c-2")
    ]
    (home / "data").mkdir()
    (home / "reviews").mkdir()
    for file, lines in (("data/transcripts.jsonl", rows), ("reviews/labels.jsonl", labels)):
        (home / file).write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = ["forget", WHO, "--dataset", str(home / "data"), "--reviews"]

    assert main([*command, str(home / "reviews")]) == 0
    assert holding(home, f"{SECRET} c-1") == []
    assert holding(home, f"{SECRET} c-2") == ["labels.jsonl"]
    assert main([*command, str(home)]) == 2
