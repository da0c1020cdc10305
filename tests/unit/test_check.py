"""The report of all checks, its command and its documentation."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from handoff_eval.cli import check as command
from handoff_eval.conversation import Split
from handoff_eval.errors import DataError, MissingExtraError, SettingsError
from handoff_eval.evaluation.checks.check import CHECKS, blocking_findings, check_dataset
from handoff_eval.transcripts.read import Dataset, read_dataset
from handoff_eval.transcripts.write import write_dataset
from tests.checks.build import answers, dataset, talks

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("HANDOFF_EVAL_SHARED_DATA", ROOT.parent / "shared" / "data"))


def broken() -> Dataset:
    """Return a dataset with errors, warnings and infos: all labels alike, a straddling customer."""
    conversations = talks(2, split=Split.TRAIN) + talks(2, split=Split.TEST, prefix="x")
    conversations[2] = replace(conversations[2], customer=conversations[0].customer)
    conversations += talks(1, "A: Hello?", split=Split.TEST, prefix="silent")
    return dataset(conversations, answers(conversations, handoff=True, reasons=()))


def arguments(*given: str) -> argparse.Namespace:
    """Parse the command's arguments."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(given)


def test_every_check_is_reported_once() -> None:
    """Each code is among the findings, the passed or the ones that could not run, and once only."""
    report = check_dataset(broken())

    heard = {f.code for f in report.findings} | {n.code for n in report.not_run}
    assert heard | set(report.passed) == {check.code for check in CHECKS}
    assert not heard & set(report.passed)


def test_errors_come_first() -> None:
    """Findings are ordered by severity, then by code."""
    report = check_dataset(broken())

    order = ["error", "warning", "info"]
    keys = [(order.index(finding.severity), finding.code) for finding in report.findings]
    assert keys == sorted(keys)
    assert [code for _, code in keys].index("HE022") < [code for _, code in keys].index("HE017")
    assert [f.code for f in report.findings if f.severity == "error"] == ["HE002", "HE004", "HE005"]
    assert report.has_errors


def test_the_frame_holds_every_finding_in_order() -> None:
    """One row a finding, with its sentence and the first few of what it concerns."""
    report = check_dataset(broken())
    table = report.frame()

    assert table.index.tolist() == [finding.code for finding in report.findings]
    assert table["finding"].tolist() == [finding.sentence for finding in report.findings]
    assert table.loc["HE004", "such as"] == "; ".join(report.findings[1].examples[:3])


def test_what_blocks_a_comparison_is_the_errors() -> None:
    """The quick answer holds the very errors of the full report, and no warning."""
    errors = [f for f in check_dataset(broken()).findings if f.severity == "error"]

    assert list(blocking_findings(broken())) == errors
    assert blocking_findings(dataset(talks(3))) == ()


@pytest.mark.parametrize("name", ["prevalence", "min_recall", "confidence"])
@pytest.mark.parametrize("value", [0.0, 1.0, 5.0, float("nan")])
def test_a_share_outside_0_and_1_is_refused(name: str, value: float) -> None:
    """Five percent given as 5 is a mistake of the caller."""
    with pytest.raises(SettingsError, match=f"Expected {name} to lie between 0 and 1"):
        check_dataset(broken(), **{name: value})


def test_progress_names_every_check() -> None:
    """The caller can show which check is running."""
    titles: list[str] = []
    check_dataset(broken(), progress=titles.append)

    assert titles == [check.title for check in CHECKS]


def test_the_documentation_lists_the_checks() -> None:
    """docs/checks.md has the codes and titles of the code, in order, and explains each code."""
    text = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    table, _, prose = text.partition("## The files")

    rows = re.findall(r"^\| (HE\d{3}) \| ([^|]+) \|", table, flags=re.MULTILINE)
    assert [(code, title.strip()) for code, title in rows] == [(c.code, c.title) for c in CHECKS]
    assert sorted(set(re.findall(r"HE\d{3}", prose))) == [check.code for check in CHECKS]


def test_every_code_has_its_test_file() -> None:
    """Codes run from HE001 without a gap, and tests/checks has one file for each."""
    files = [path.name for path in (ROOT / "tests" / "checks").glob("test_he*.py")]

    assert sorted(name[5:10].upper() for name in files) == [check.code for check in CHECKS]
    assert [c.code for c in CHECKS] == [f"HE{i:03}" for i in range(1, len(CHECKS) + 1)]


def test_the_table_names_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Errors give exit code 1; the table has counts, findings, what could not run and totals."""
    made = broken()
    write_dataset(tmp_path, conversations=made.conversations, labels=made.labels)

    code = command.run(arguments(str(tmp_path)))

    out, err = capsys.readouterr()
    assert (code, err) == (1, "")
    assert re.search(r"^all +5 +4 +5 +5$", out, flags=re.MULTILINE)
    assert re.search(r"^train +2 +2 +2 +2$", out, flags=re.MULTILINE)
    assert "HE004  error    1 customer is on more than one split" in out
    assert "HE008  not run  prevalence of the traffic: the prevalence of the traffic is" in out
    assert "\npassed  HE001 HE003 HE009" in out
    assert re.search(r"\n3 errors, \d warnings, \d infos?, \d+ not run, \d+ passed\n$", out)
    assert max(len(line) for line in out.splitlines()) <= 100


def test_long_lists_of_examples_are_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An info shows three examples and says how many more there are."""
    write_dataset(tmp_path, conversations=talks(12, started_at=None))
    command.run(arguments(str(tmp_path)))

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    start = lines.index("- c-0")
    assert lines[start : start + 4] == ["- c-0", "- c-1", "- c-2", "- and 9 more"]


def test_ids_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters of the data are shown as escapes."""
    write_dataset(tmp_path, conversations=talks(1, started_at=None, id="a\x1b[2Jb"))
    command.run(arguments(str(tmp_path)))

    out = capsys.readouterr().out
    assert "- a\\x1b[2Jb" in out
    assert "\x1b" not in out


def test_json_has_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document with counts, findings, refusals and the digest; no error gives exit code 0."""
    write_dataset(tmp_path, conversations=talks(40))
    with (tmp_path / "transcripts.jsonl").open("a", encoding="utf-8") as stream:
        stream.write("[]\n")

    code = command.run(arguments(str(tmp_path), "--json"))

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document["counts"]["all"]["conversations"] == 40
    assert document["digest"] == read_dataset(tmp_path).digest
    assert document["refusals"][0]["line"] == 41
    assert document["findings"][0]["code"] == "HE001"
    assert {"code", "title", "why"} == set(document["not_run"][0])


def test_a_missing_dataset_raises(tmp_path: Path) -> None:
    """A mistake in the call is a DataError, which the main program turns into exit code 2."""
    with pytest.raises(DataError, match="Expected a dataset folder"):
        command.run(arguments(str(tmp_path / "absent")))


def test_without_the_workbench_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base install names what is missing."""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    write_dataset(tmp_path, conversations=talks(1))
    with pytest.raises(MissingExtraError, match=r"pip install 'handoff-eval\[bench\]'"):
        command.run(arguments(str(tmp_path)))


@pytest.mark.medium
@pytest.mark.skipif(
    not SHARED.is_dir(),
    reason=f"no folder of public conversations at {SHARED}; set HANDOFF_EVAL_SHARED_DATA",
)
@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("tau_transfer", {"HE006", "HE014", "HE019"}),
        ("tweetsumm", {"HE014"}),
        ("uss_sgd", {"HE019"}),
        ("todsum", {"HE002"}),
    ],
)
def test_public_sets_show_what_is_known_of_them(name: str, codes: set[str]) -> None:
    """Known artefacts are found: cut transcripts, few customers, scores among the metadata."""
    report = check_dataset(read_dataset(SHARED / name))

    assert codes <= {finding.code for finding in report.findings}
    assert not report.has_errors
