"""From an export to a dataset folder, by the command."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest

from handoff_eval.cli import import_
from handoff_eval.errors import DataError, MissingExtraError, SettingsError
from handoff_eval.transcripts.formats.base import ImportOptions
from handoff_eval.transcripts.formats.registry import FORMATS
from handoff_eval.transcripts.read import read_dataset

DATA = Path(__file__).parents[1] / "data" / "imports"


def run(*given: object) -> int:
    """Run the command with these arguments."""
    parser = argparse.ArgumentParser()
    import_.add_arguments(parser)
    return import_.run(parser.parse_args([str(argument) for argument in given]))


def lines(path: Path, *documents: object) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(document) + "\n" for document in documents), "utf-8")
    return path


def chat(name: str, *texts: str, **fields: object) -> dict[str, object]:
    """Return an OpenAI-style conversation in which the user speaks first."""
    messages = [
        {"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)
    ]
    return {"id": name, "messages": messages, **fields}


@pytest.mark.parametrize(
    ("name", "file", "conversations", "refused"),
    [
        ("csv", "turns.csv", 2, 0),
        ("openai", "openai.jsonl", 2, 2),
        ("intercom", "intercom.json", 1, 1),
        ("zendesk", "zendesk.json", 1, 1),
        ("chatbase", "chatbase.json", 1, 1),
        ("tau-bench", "tau2_bench.json", 1, 0),
    ],
)
@pytest.mark.parametrize("mask", [[], ["--mask"]])
def test_every_format_makes_a_dataset_that_reads_back(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    file: str,
    conversations: int,
    refused: int,
    mask: list[str],
) -> None:
    """What is written is read without a refusal, and the counts are told as JSON."""
    code = run(name, DATA / file, "--to", tmp_path / "d", "--time-zone", "UTC", "--json", *mask)

    told = json.loads(capsys.readouterr().out)
    dataset = read_dataset(tmp_path / "d")
    assert (code, told["conversations"], told["refused"]) == (0, conversations, refused)
    assert (len(dataset.conversations), dataset.refusals) == (conversations, ())
    assert told["turns"] == sum(len(c.turns) for c in dataset.conversations)


def test_what_is_refused_is_counted_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The result stands on stdout, the refusals on stderr; an id that comes again is one."""
    source = lines(tmp_path / "s.jsonl", chat("a", "Hi"), chat("a", "Hi"), {"id": "b"})

    run("openai", source, "--to", tmp_path / "d")

    out, err = capsys.readouterr()
    assert out == f"1 conversation with 1 turn written to {tmp_path / 'd'}, 2 refused\n"
    assert err.splitlines() == [
        "s.jsonl:2: 'id' must be an id that no conversation before has; got 'a'. Fix the line.",
        "s.jsonl:3: 'messages' must be a list with at least one entry; got nothing. Fix the line.",
    ]


def test_a_folder_of_files_is_read_by_name(tmp_path: Path) -> None:
    """All files of the format are read, in the order of their names, and no other file."""
    source = tmp_path / "s"
    (source / "more").mkdir(parents=True)
    lines(source / "b.jsonl", chat("b", "Hi"))
    lines(source / "more" / "c.jsonl", chat("c", "Hi"))
    lines(source / "a.json", chat("a", "Hi"))
    (source / "notes.txt").write_text("no", "utf-8")

    run("openai", source, "--to", tmp_path / "d")

    assert [c.id for c in read_dataset(tmp_path / "d").conversations] == ["a", "b", "c"]


def test_several_documents_in_one_json_file_are_lines(tmp_path: Path) -> None:
    """A .json file that holds a conversation a line is read as such."""
    source = lines(tmp_path / "s.json", chat("a", "Hi"), chat("b", "Hi"))

    run("openai", source, "--to", tmp_path / "d")

    assert [c.id for c in read_dataset(tmp_path / "d").conversations] == ["a", "b"]


def test_turns_stand_in_the_order_of_time(tmp_path: Path) -> None:
    """An export with the newest first is turned round, and its first time is the start."""
    source = tmp_path / "t.csv"
    source.write_text(
        "id,role,text,at,email\na,agent,Hello,2026-03-02T09:15Z,Ana@example.com\n"
        "a,user,Hi,2026-03-02T09:14Z,Ana@example.com\n",
        "utf-8",
    )

    run("csv", source, "--to", tmp_path / "d")

    (one,) = read_dataset(tmp_path / "d").conversations
    assert [turn.text for turn in one.turns] == ["Hi", "Hello"]
    assert one.started_at == one.turns[0].at
    assert one.customer.id == "ana@example.com"


def test_a_folder_with_transcripts_is_left_alone(tmp_path: Path) -> None:
    """Without --append nothing is written over what is there."""
    (tmp_path / "transcripts.jsonl").write_text("mine", "utf-8")
    with pytest.raises(DataError, match=r"has one\. Choose another folder, or give --append"):
        run("csv", DATA / "turns.csv", "--to", tmp_path, "--time-zone", "UTC")
    assert (tmp_path / "transcripts.jsonl").read_text("utf-8") == "mine"


def test_append_keeps_every_byte_and_the_pseudonyms(tmp_path: Path) -> None:
    """New conversations follow the old lines, known ids are refused, a person stays the same."""
    first = lines(tmp_path / "1.jsonl", chat("a", "I am ana@example.com"))
    second = lines(tmp_path / "2.jsonl", chat("a", "again"), chat("b", "ana@example.com here"))
    target = tmp_path / "d" / "transcripts.jsonl"
    run("openai", first, "--to", tmp_path / "d", "--mask")
    before = target.read_bytes().rstrip(b"\n") + b'\n{"broken": 1}'
    target.write_bytes(before)

    run("openai", second, "--to", tmp_path / "d", "--mask", "--append")

    kept, added = target.read_bytes().split(b'{"broken": 1}\n')
    assert kept + b'{"broken": 1}' == before
    texts = [json.loads(line)["turns"][0]["text"] for line in (kept.splitlines()[0], added)]
    assert texts[0].removeprefix("I am ") == texts[1].removesuffix(" here")
    assert texts[0].endswith("@masked.invalid")


@pytest.mark.parametrize(
    ("name", "file"),
    [("csv", "turns.csv"), ("openai", "openai.jsonl"), ("zendesk", "zendesk.json")],
)
def test_progress_ends_at_the_size_of_the_source(name: str, file: str) -> None:
    """The steps reported add up to the bytes of the file, and none is negative."""
    steps: list[int] = []
    list(FORMATS[name].read(DATA / file, ImportOptions(time_zone=UTC), steps.append))

    assert sum(steps) == (DATA / file).stat().st_size
    assert min(steps) > 0


def test_nothing_usable_changes_nothing(tmp_path: Path) -> None:
    """A source without a usable conversation is an error, and no folder is left behind."""
    source = lines(tmp_path / "s.jsonl", {}, {})
    with pytest.raises(DataError, match=r"at least one usable conversation; 2 were refused\. The"):
        run("openai", source, "--to", tmp_path / "d", "--mask")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--time-zone", "Berlin"], "Expected a time zone such as Europe/Berlin"),
        (["--time-zone", "../etc"], "Expected a time zone such as Europe/Berlin"),
        (["--columns", "speaker=role"], "Expected one of id, role, text"),
        (["--columns", "role"], "Expected NAME=VALUE in --columns; got 'role'"),
        (["--roles", "bot=robot"], "Expected customer, agent, human or system for 'bot'"),
    ],
)
def test_a_wrong_option_is_explained(tmp_path: Path, arguments: list[str], words: str) -> None:
    """Each option says what it takes, before anything is read."""
    with pytest.raises(SettingsError, match=words):
        run("csv", DATA / "turns.csv", "--to", tmp_path / "d", *arguments)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p / "absent", "Expected a file or folder at .*absent; there is none"),
        (lambda p: p, "Expected files ending in .json, .jsonl, .ndjson"),
        (lambda p: _bad(p / "s.json", b"{"), r"s\.json: expected a JSON object; got JSON that"),
        (lambda p: _bad(p / "s.json", b"\xff"), r"s\.json: expected text in UTF-8; got byte 0xff"),
    ],
)
def test_a_source_that_cannot_be_read(
    tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    """A missing, empty or broken source is the user's to mend."""
    source = make(tmp_path)
    with pytest.raises(DataError, match=words):
        run("openai", source, "--to", tmp_path / "d")


def _bad(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_without_the_workbench_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base install names what is missing."""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'handoff-eval\[bench\]'"):
        run("csv", DATA / "turns.csv", "--to", tmp_path / "d")


MEASURE = """
import resource, sys
from pathlib import Path
from handoff_eval.transcripts.formats.base import ImportOptions
from handoff_eval.transcripts.formats.registry import FORMATS
from handoff_eval.transcripts.importing import import_conversations
name, source, target = sys.argv[1:]
import_conversations(FORMATS[name], Path(source), Path(target), options=ImportOptions())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(name: str, source: Path, target: Path) -> int:
    """Return the peak memory of an import in a process of its own, in KiB."""
    command = [sys.executable, "-c", MEASURE, name, str(source), str(target)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["csv", "openai"])
def test_a_long_file_takes_no_more_memory(tmp_path: Path, name: str) -> None:
    """200,000 turns of 500 characters, 100 MB, take at most 30 MiB above a hundred times fewer."""
    words = "Where is my parcel? " * 25
    sources = []
    for conversations in (100, 10_000):
        source = tmp_path / f"{conversations}.{'csv' if name == 'csv' else 'jsonl'}"
        with source.open("w", encoding="utf-8") as stream:
            if name == "csv":
                stream.write("id,role,text\n")
                for turn in range(20):
                    speaker = "user" if turn % 2 == 0 else "bot"
                    stream.writelines(f"c{c},{speaker},{words}\n" for c in range(conversations))
            else:
                for c in range(conversations):
                    stream.write(json.dumps(chat(f"c{c}", *[words] * 20)) + "\n")
        sources.append(source)

    small, large = (peak(name, source, tmp_path / source.stem) for source in sources)

    assert sources[1].stat().st_size > 100e6
    assert large - small < 30 * 1024
