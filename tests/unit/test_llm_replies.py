"""Kept replies: recorded first, then the cache; shared by processes; no transcript recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff_eval.errors import DataError, SettingsError
from handoff_eval.llm.question import Exchange, Message, Question, Reply, TokenLogprob
from handoff_eval.llm.replies import ReplyStore, read_recorded, write_recorded

REPLY = Reply(
    text="Yes",
    model="tiny",
    logprobs=(TokenLogprob("Yes", -0.25), TokenLogprob("Maria", -2.0), TokenLogprob(" no", -3.5)),
    prompt_tokens=40,
    completion_tokens=1,
    seconds=0.125,
)
WEIGHED = Question((Message("user", "secret words"),), max_tokens=1, answers=("yes", "no"))
STATED = Question((Message("user", "secret words"),), max_tokens=8, recordable=".*")


def used(question: Question, reply: Reply = REPLY) -> Exchange:
    """Return a question with its reply as a run leaves them."""
    return Exchange(question.key("tiny"), "tiny", question, reply, kept=False)


LOGPROBS = st.floats(max_value=0, allow_nan=False)
REPLIES = st.builds(
    Reply,
    text=st.text(),
    model=st.text(),
    logprobs=st.none()
    | st.lists(st.builds(TokenLogprob, token=st.text(), logprob=LOGPROBS), max_size=3).map(tuple),
    prompt_tokens=st.none() | st.integers(0, 10**6),
    completion_tokens=st.none() | st.integers(0, 10**6),
    seconds=st.integers(0, 10**6).map(lambda milliseconds: milliseconds / 1000),
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), REPLIES, max_size=4))
def test_whatever_is_kept_is_found_again(
    tmp_path_factory: pytest.TempPathFactory, kept: dict[str, Reply]
) -> None:
    """The cache gives back each reply to the last digit, and nothing that was not kept."""
    store = ReplyStore(cache=tmp_path_factory.mktemp("replies") / "deep" / "replies.sqlite")
    for key, reply in kept.items():
        store.keep(key, reply)

    assert store.find([*kept, "another"]) == {k: v for k, v in kept.items() if k != "another"}


def test_more_keys_than_one_statement_takes(tmp_path: Path) -> None:
    """A find over thousands of keys is complete."""
    store = ReplyStore(cache=tmp_path / "r.sqlite")
    for key in ("0", "700", "1999"):
        store.keep(key, REPLY)

    assert set(store.find([str(i) for i in range(2000)])) == {"0", "700", "1999"}


def test_recorded_replies_go_before_cached_ones(tmp_path: Path) -> None:
    """What ships with the dataset is what a reader sees, whatever the cache holds."""
    write_recorded(tmp_path / "r.jsonl", {"k": used(STATED, replace(REPLY, text="recorded"))})
    store = ReplyStore(cache=tmp_path / "r.sqlite", recorded=tmp_path / "r.jsonl")
    store.keep("k", replace(REPLY, text="cached"))
    store.keep("other", replace(REPLY, text="cached"))

    assert {k: r.text for k, r in store.find(["k", "other"]).items()} == {
        "k": "recorded",
        "other": "cached",
    }


@pytest.mark.parametrize("recordable", [None, r"\d{1,3}"])
def test_a_text_that_may_quote_a_customer_is_not_recorded(
    tmp_path: Path, recordable: str | None
) -> None:
    """A reply out of the form its question states is left out as a whole."""
    question = replace(STATED, recordable=recordable)
    chatty = replace(REPLY, text="37, since Maria wrote", logprobs=None)
    write_recorded(tmp_path / "r.jsonl", {"k": used(question, chatty)})

    assert (tmp_path / "r.jsonl").read_text() == ""
    assert question.key("tiny") == STATED.key("tiny")


def test_recorded_replies_need_no_cache(tmp_path: Path) -> None:
    """A fully recorded run works where nothing can be written."""
    write_recorded(tmp_path / "r.jsonl", {"k": used(STATED)})
    (tmp_path / "file").touch()
    store = ReplyStore(cache=tmp_path / "file" / "r.sqlite", recorded=tmp_path / "r.jsonl")

    assert store.find(["k"]) == {"k": REPLY}


def test_live_finds_nothing_and_refreshes_the_cache(tmp_path: Path) -> None:
    """Live replies replace cached ones for those who read the cache later."""
    write_recorded(tmp_path / "r.jsonl", {"k": used(STATED)})
    cache = tmp_path / "r.sqlite"
    ReplyStore(cache=cache).keep("k", REPLY)
    live = ReplyStore(cache=cache, recorded=tmp_path / "r.jsonl", live=True)

    found = live.find(["k"])
    live.keep("k", replace(REPLY, text="newer"))

    assert found == {}
    assert ReplyStore(cache=cache).find(["k"])["k"].text == "newer"


def test_processes_share_a_cache(tmp_path: Path) -> None:
    """Four processes that write two hundred replies at once lose none and fail none."""
    script = """
import sys
from pathlib import Path
from handoff_eval.llm.question import Reply
from handoff_eval.llm.replies import ReplyStore
store = ReplyStore(cache=Path(sys.argv[1]))
for i in range(50):
    store.keep(f"{sys.argv[2]}-{i}", Reply("37", "m", None, 1, 1, 0.5))
    store.find([f"0-{i}"])
"""
    path = tmp_path / "r.sqlite"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(i)], stderr=subprocess.PIPE, text=True
        )
        for i in range(4)
    ]
    said = [writer.communicate(timeout=120)[1] for writer in writers]

    assert said == [""] * 4
    assert (
        len(ReplyStore(cache=path).find([f"{i}-{j}" for i in range(4) for j in range(50)])) == 200
    )


def test_a_broken_cache_is_a_sentence(tmp_path: Path) -> None:
    """A file that is no database says what to delete."""
    path = tmp_path / "r.sqlite"
    path.write_text("this is not a database, however long one looks at it" * 20)
    store = ReplyStore(cache=path)

    with pytest.raises(SettingsError, match=r"r\.sqlite: expected a cache of replies .* Delete"):
        store.find(["k"])


def test_a_record_is_sorted_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    """Recording twice, in another order, changes no byte; nothing partial is left behind."""
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    write_recorded(one, {"b": used(STATED), "a": used(WEIGHED)})
    write_recorded(two, {"a": used(WEIGHED), "b": used(STATED)})

    assert one.read_bytes() == two.read_bytes()
    assert [json.loads(line)["key"] for line in one.read_text().splitlines()] == ["a", "b"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.jsonl", "two.jsonl"]


def test_a_record_holds_the_answers_and_no_transcript(tmp_path: Path) -> None:
    """Of a weighed question only the answers' log-probabilities stay: no prompt, text or name."""
    path = tmp_path / "r.jsonl"
    write_recorded(path, {"k": used(WEIGHED, replace(REPLY, text="secret"))})
    reply = read_recorded(path)["k"]

    assert "secret" not in path.read_text()
    assert "Maria" not in path.read_text()
    assert reply.logprobs == (TokenLogprob("Yes", -0.25), TokenLogprob(" no", -3.5))
    assert reply.probability("yes") == REPLY.probability("yes")


def test_a_record_keeps_the_text_that_is_the_answer(tmp_path: Path) -> None:
    """A stated score is read back from its text."""
    path = tmp_path / "r.jsonl"
    write_recorded(path, {"k": used(STATED, replace(REPLY, text="37", logprobs=None))})

    assert read_recorded(path) == {"k": replace(REPLY, text="37", logprobs=None)}


def line(**changes: object) -> str:
    """Return a good recorded line with some fields changed or, where None, left out."""
    fields = {
        "key": "k",
        "model": "m",
        "text": "",
        "logprobs": [["Yes", -1.0]],
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "seconds": 0.1,
    }
    fields.update(changes)
    return json.dumps({name: value for name, value in fields.items() if value != "gone"})


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        line(key=4),
        line(key="good"),
        line(model="gone"),
        line(transcript="x"),
        line(logprobs=[["Yes"]]),
        line(logprobs=[["Yes", 2.0]]),
        line(logprobs=5),
        line(prompt_tokens="many"),
        line(seconds="long"),
        line(text=3),
        "[" * 100_000,
    ],
    ids=lambda bad: bad[:60],
)
def test_a_malformed_recorded_line_is_named(tmp_path: Path, bad: str) -> None:
    """File and line are named, and what was found is shown shortly."""
    path = tmp_path / "r.jsonl"
    path.write_text(f"{line(key='good')}\n{bad}\n")

    with pytest.raises(DataError, match=r"r\.jsonl:2: expected a recorded reply .* again\.$") as e:
        read_recorded(path)
    assert len(str(e.value)) < 500


def test_an_unreadable_record_is_a_sentence(tmp_path: Path) -> None:
    """A missing file and one that is no UTF-8 are told apart from an empty one."""
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe")
    (tmp_path / "empty.jsonl").touch()

    for name in ("absent.jsonl", "latin.jsonl"):
        with pytest.raises(DataError, match=f"{name}: expected recorded replies in UTF-8"):
            read_recorded(tmp_path / name)
    assert read_recorded(tmp_path / "empty.jsonl") == {}
