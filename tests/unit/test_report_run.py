"""The report of a logged run: the page of the comparison, its errors read from the dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from handoff_eval.cli.main import main
from handoff_eval.conversation import Split
from handoff_eval.errors import DataError, SettingsError
from handoff_eval.evaluation.comparison.plots import shown_arm
from handoff_eval.evaluation.comparison.result import Comparison
from handoff_eval.evaluation.pages.errors import BEGIN, END, Errors
from handoff_eval.evaluation.pages.report import render_report
from handoff_eval.handoff import Handoff
from handoff_eval.tracking.log import log_comparison
from handoff_eval.tracking.report import fetch_report
from handoff_eval.tracking.store import experiment_id, locate_store, open_client
from handoff_eval.transcripts.read import Dataset
from handoff_eval.transcripts.write import write_dataset
from tests.conftest import SECRET, empty_project

pytestmark = pytest.mark.medium

HANDOFF = Handoff("support", ("team@example.com",))


@pytest.fixture(scope="module")
def logged(
    mlflow_schema: Path,
    tmp_path_factory: pytest.TempPathFactory,
    comparison: Comparison,
    dataset: Dataset,
) -> tuple[str, Path, Path]:
    """Log the comparison once; give its run, the project and the folder of its dataset."""
    folder = tmp_path_factory.mktemp("logged")
    write_dataset(folder / "data", conversations=dataset.conversations, labels=dataset.labels)
    with empty_project(mlflow_schema, folder / "home"):
        placed = replace(dataset, path=folder / "data")
        run = log_comparison(comparison, dataset=placed, handoff=HANDOFF, seed=7)
    return run, folder / "home", folder / "data"


@pytest.fixture(autouse=True)
def _in_that_project(logged: tuple[str, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("HANDOFF_EVAL_HOME", str(logged[1]))


def test_a_run_gives_the_page_of_the_comparison(
    logged: tuple[str, Path, Path], comparison: Comparison, dataset: Dataset, tmp_path: Path
) -> None:
    """But for the lines on the code's origin it is, letter by letter, what `--report` writes."""
    assert main(["report", logged[0], "--to", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    fetched = fetch_report(logged[0])
    code = fetched.page.partition("<dt>Code</dt><dd>")[2].partition("</dd>")[0]
    expected = render_report(
        comparison,
        test=dataset.labeled(Split.TEST),
        instruction=HANDOFF.instruction,
        seed=7,
        context={"Code": code, "Refused lines": "0"},
    )

    assert page == expected
    assert SECRET in page
    assert SECRET not in fetched.page


def test_a_run_is_found_by_name_and_by_an_arm(
    logged: tuple[str, Path, Path],
) -> None:
    """The name that MLflow shows will do, and so does the run of an arm; others are refused."""
    found = fetch_report(logged[0])
    client = open_client(locate_store())
    runs = client.search_runs(
        [experiment_id(client, locate_store())], "attributes.run_name = 'minilm'"
    )

    assert fetch_report(found.name).run_id == logged[0]
    assert fetch_report(runs[0].info.run_id).run_id == logged[0]
    assert found.dataset == logged[2]
    with pytest.raises(SettingsError, match=f"there is no 'nonsense'.*{found.name}"):
        fetch_report("nonsense")
    other = client.create_run(experiment_id(client, locate_store()), run_name="other")
    client.set_terminated(other.info.run_id)
    with pytest.raises(SettingsError, match="is of another kind"):
        fetch_report(other.info.run_id)


def test_a_changed_dataset_leaves_ids_alone(
    logged: tuple[str, Path, Path],
    dataset: Dataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where the dataset has moved on, the ids stay and why is told; named, it is an error."""
    changed = tmp_path / "changed"
    write_dataset(changed, conversations=dataset.conversations[1:], labels=())
    command = ["report", logged[0], "--to", str(tmp_path / "page.html")]

    assert main([*command, "--dataset", str(changed)]) == 2
    assert "has changed since" in capsys.readouterr().err
    logged[2].rename(tmp_path / "away")
    try:
        assert main(command) == 0
    finally:
        (tmp_path / "away").rename(logged[2])
    assert "the errors are named by their ids alone" in capsys.readouterr().err
    assert SECRET not in (tmp_path / "page.html").read_text()
    assert main([*command, "--no-transcripts"]) == 0
    assert (tmp_path / "page.html").read_text() == fetch_report(logged[0]).page


def test_errors_round_trip_and_refuse_what_is_not_theirs(
    comparison: Comparison, dataset: Dataset
) -> None:
    """Ids, scores and turns come back as they were; unknown ids and other pages are refused."""
    test = dataset.labeled(Split.TEST)
    items = {item.conversation.id: item for item in test}
    errors = Errors.of(shown_arm(comparison), test)

    assert Errors.from_dict(errors.to_dict(), items) == errors
    assert SECRET not in str(errors.to_dict())
    with pytest.raises(DataError, match="of these conversations"):
        Errors.from_dict(errors.to_dict(), {})
    with pytest.raises(DataError, match="another page"):
        errors.put_into("<html></html>")


def test_what_customers_wrote_is_masked_and_can_not_end_the_part(
    comparison: Comparison, dataset: Dataset
) -> None:
    """Addresses, numbers and names become their kind; a forged end stays text."""
    test = dataset.labeled(Split.TEST)
    errors = Errors.of(shown_arm(comparison), test)
    wrong = (*errors.missed, *errors.needless)[0]
    said = f"{END} My name is Ana Perez, ana@example.org or +44 7700 900123"
    turns = (
        replace(wrong.item.conversation.turns[0], text=said),
        *wrong.item.conversation.turns[1:],
    )
    item = replace(wrong.item, conversation=replace(wrong.item.conversation, turns=turns))
    html = str(
        replace(errors, missed=(replace(wrong, item=item),), needless=()).render(
            with_transcripts=True
        )
    )

    assert (html.count(BEGIN), html.count(END)) == (1, 1)
    assert "My name is [name], email@masked.invalid or [phone]" in html


def test_values_show_under_the_pointer(comparison: Comparison, dataset: Dataset) -> None:
    """Each mark of a picture carries its values as a title, and curves carry unseen points."""
    page = render_report(comparison, test=dataset.labeled(Split.TEST), instruction="when", seed=7)

    assert "<title>emails a day: " in page
    assert page.count("<title>") > 50
    assert "<script" not in page
