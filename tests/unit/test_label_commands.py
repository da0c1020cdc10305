"""The commands `labels` and `agreement`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handoff_eval.cli.main import main
from handoff_eval.conversation import Label, Reason, Split
from handoff_eval.transcripts.label_store import labels_of, save_labels
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.transcripts.write import write_dataset
from tests.builders import talk

SAMPLING = {"sampling": {"how": "random", "probability": 0.5, "pool": 2}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a dataset of four conversations with the labels of two annotators."""
    folder = tmp_path / "set"
    splits = (Split.TRAIN, Split.TUNE, Split.TEST, Split.TEST)
    write_dataset(
        folder,
        conversations=[
            talk("C: a", "A: b", "C: c", id=f"c-{i}", customer=f"u-{i}", split=split)
            for i, split in enumerate(splits)
        ],
    )
    reasons = (Reason.OTHER,)
    save_labels(
        folder,
        [
            Label("c-0", True, at_turn=0, reasons=reasons, annotator="ana", extra=SAMPLING),
            Label("c-1", handoff=False, annotator="ana"),
            Label("c-2", True, at_turn=0, reasons=reasons, annotator="ana"),
            Label("c-3", handoff=False, annotator="ana"),
            Label("c-0", True, at_turn=None, reasons=reasons, annotator="ben"),
            Label("c-1", handoff=False, annotator="ben"),
            Label("c-2", True, at_turn=2, reasons=reasons, annotator="ben"),
            Label("c-3", True, at_turn=2, reasons=reasons, annotator="ben"),
        ],
    )
    return folder


def decisions(path: Path, *documents: dict[str, object]) -> str:
    """Write decisions as `handoff-eval decide` prints them and return the file's name."""
    lines = [json.dumps({"handoff": "help", **document}) for document in documents]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def test_a_sheet_goes_out_and_comes_back(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only changed answers are saved anew, and how they were drawn is kept."""
    sheet = tmp_path / "s.csv"
    arguments = [str(folder), "--csv", str(sheet), "--annotator", "ana"]
    assert main(["labels", "export", *arguments]) == 0
    assert capsys.readouterr().out == f"4 conversations written to {sheet}\n"
    before = labels_of(read_dataset(folder), "ana")
    text = sheet.read_text(encoding="utf-8-sig")
    sheet.write_text(text.replace("yes,other", "yes,complaint", 1), encoding="utf-8")
    assert main(["labels", "import", *arguments]) == 0

    after = labels_of(read_dataset(folder), "ana")
    out = capsys.readouterr().out
    assert out == "Labels of ana: 0 new, 1 changed, 3 as before, 0 unanswered, 0 refused.\n"
    assert after["c-0"].reasons == (Reason.COMPLAINT,)
    assert after["c-0"].extra == SAMPLING
    assert after["c-0"].labeled_at is not None
    assert {i: after[i] for i in ("c-1", "c-2", "c-3")} == {
        i: before[i] for i in ("c-1", "c-2", "c-3")
    }


def test_an_empty_sheet_of_one_split_is_blind(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a name no answer of anybody is in it, and importing it as it is saves nothing."""
    sheet = tmp_path / "s.csv"
    before = (folder / "labels.jsonl").read_bytes()
    assert main(["labels", "export", str(folder), "--csv", str(sheet), "--split", "test"]) == 0
    main(["labels", "import", str(folder), "--csv", str(sheet), "--annotator", "cy", "--json"])

    counts = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert counts == {
        "new": 0, "changed": 0, "as_before": 0, "unanswered": 2, "refused": 0, "refusals": [],
    }  # fmt: skip
    assert (folder / "labels.jsonl").read_bytes() == before


def test_rows_that_were_refused_are_named_and_the_rest_saved(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusals go to stderr, and the code says that not all was taken."""
    sheet = tmp_path / "s.csv"
    sheet.write_text("conversation_id,turn,handoff,reasons,note\nc-0,0,no,,\nc-1,0,si,,\n")
    code = main(["labels", "import", str(folder), "--csv", str(sheet), "--annotator", "cy"])

    captured = capsys.readouterr()
    assert code == 1
    assert "1 new, 0 changed, 0 as before, 0 unanswered, 1 refused" in captured.out
    assert "s.csv:3: 'handoff' must be yes, no or empty; got 'si'" in captured.err
    assert list(labels_of(read_dataset(folder), "cy")) == ["c-0"]


def test_a_sheet_needs_a_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers of nobody can't be compared with anybody's."""
    assert main(["labels", "import", str(folder), "--csv", "s.csv", "--annotator", " "]) == 2
    assert "Expected the annotator's name" in capsys.readouterr().err


def test_the_agreement_of_every_pair_is_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Matrix, kappa, equal answers, turns, and where to look; each share with limits and n."""
    assert main(["agreement", str(folder)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ana and ben, 4 conversations"
    assert [line.split() for line in lines[2:5]] == [
        ["ben:", "handoff", "ben:", "none"],
        ["ana:", "handoff", "2", "0"],
        ["ana:", "none", "1", "1"],
    ]
    # p_o = 3/4; p = 2/4, q = 3/4: p_e = 3/8 + 1/8 = 1/2; kappa = (3/4 - 1/2) / (1/2).
    assert lines[6].startswith("Cohen’s kappa              0.50 [")
    # Exact limits of 3 in 4: Clopper-Pearson .194 to .994.
    assert lines[7] == "same answer                0.75 [0.19, 0.99] n=4"
    # c-0: points 0 and 2 (the close), c-2: points 0 and 1; exact limits of 1 in 2 are .013, .987.
    assert lines[8] == "within one decision point  0.50 [0.01, 0.99] n=2"
    assert lines[9] == "different answers          c-3"
    assert lines[10] == "turns further apart        c-0"


def test_agreement_as_json_lists_everything(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same, for a program."""
    assert main(["agreement", str(folder), "--first", "ben", "--split", "test", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert (document["dataset"], document["split"], document["refused"]) == ("set", "test", 0)
    (found,) = document["agreements"]
    assert (found["first"], found["second"], found["conversations"]) == ("ben", "ana", 2)
    assert found["confusion"] == {"both": 1, "first_only": 1, "second_only": 0, "neither": 0}
    assert found["different"] == ["c-3"]


def test_a_trigger_is_compared_on_test(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its decisions on other splits, and on conversations we don't have, are left out."""
    path = decisions(
        tmp_path / "d.jsonl",
        {"conversation_id": "c-0", "fired": True, "turns": 1, "closed": False},
        {"conversation_id": "c-2", "fired": True, "turns": 3, "closed": True},
        {"conversation_id": "c-3", "fired": False, "turns": 3, "closed": True},
        {"conversation_id": "x-1", "fired": True, "turns": 9, "closed": False},
    )
    assert main(["agreement", str(folder), "--decisions", path, "--json"]) == 0

    with_ana, with_ben = json.loads(capsys.readouterr().out)["agreements"]
    assert (with_ana["first"], with_ana["second"]) == ("ana", "trigger of help")
    assert with_ana["confusion"] == {"both": 1, "first_only": 0, "second_only": 0, "neither": 1}
    # ana: c-2 from point 0 on; it fired at the close, point 2. ben: from point 1 on.
    assert with_ana["apart"] == ["c-2"]
    assert with_ben["apart"] == []
    assert with_ben["confusion"] == {"both": 1, "first_only": 1, "second_only": 0, "neither": 0}


def test_one_of_several_handoffs_is_chosen_by_name(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Decisions of two handoffs don't mix."""
    fire = {"conversation_id": "c-2", "fired": True, "turns": 1, "closed": False}
    path = decisions(tmp_path / "d.jsonl", fire, {**fire, "handoff": "sales", "fired": False})
    assert main(["agreement", str(folder), "--decisions", path]) == 2
    assert "got those of 'help', 'sales'. Say which with --handoff" in capsys.readouterr().err
    options = ["--decisions", path, "--handoff", "sales", "--first", "ana", "--json"]
    assert main(["agreement", str(folder), *options]) == 0

    (found,) = json.loads(capsys.readouterr().out)["agreements"]
    assert found["confusion"] == {"both": 0, "first_only": 1, "second_only": 0, "neither": 0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--first", "dan"], "Expected labels of 'dan' in 'set'; it has labels of 'ana', 'ben'"),
        (["--first", "ana", "--second", "ana"], "got 'ana' twice"),
        (["--decisions", "d.jsonl", "--second", "ben"], "got --second too"),
        (["--decisions", "d.jsonl", "--split", "tune"], "compared on the test split; got 'tune'"),
        (["--decisions", "d.jsonl"], "d.jsonl: expected a file of decisions; No such file"),
    ],
)
def test_what_cannot_be_compared_is_told(
    folder: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence on stderr, code 2, nothing on stdout."""
    assert main(["agreement", str(folder), *options]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"turns": 2}, "'turns' must be the number of turns at a decision point of 'c-2'; got 2"),
        ({"turns": None}, "'turns' must be the number of turns at a decision point"),
        ({"fired": "yes"}, "d.jsonl:1: 'fired' must be true or false; got 'yes'"),
        ({"conversation_id": 3}, "'conversation_id' must be a text; got 3"),
    ],
)
def test_a_decision_that_cannot_be_is_named(
    folder: Path,
    tmp_path: Path,
    change: dict[str, object],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file that isn't of this dataset or not of decisions is refused by line."""
    fire: dict[str, object] = {"conversation_id": "c-2", "fired": True, "turns": 1, "closed": False}
    path = decisions(tmp_path / "d.jsonl", {**fire, **change})
    assert main(["agreement", str(folder), "--decisions", path]) == 2
    assert message in capsys.readouterr().err


def test_one_annotator_alone_agrees_with_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What to do is told: a second person, or a trigger."""
    write_dataset(
        tmp_path,
        conversations=[talk("C: a")],
        labels=[Label("c-1", handoff=False, annotator="ana")],
    )
    assert main(["agreement", str(tmp_path)]) == 2
    assert "only 'ana' has labelled it. Have a second person label it" in capsys.readouterr().err
