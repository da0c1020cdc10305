"""A comparison's run is exported later, elsewhere, and still decides as it was measured."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from handoff_eval.cli.main import main
from handoff_eval.encoders.static import REVISION
from handoff_eval.errors import BundleError, DataError, ParityError, SettingsError
from handoff_eval.evaluation.comparison.arm_scores import Arm
from handoff_eval.evaluation.replay import Replay
from handoff_eval.evaluation.replay_table import replay_from_csv
from handoff_eval.production.bundle import read_bundle
from handoff_eval.production.card import CARD, read_card
from handoff_eval.production.draft import draft_entries
from handoff_eval.production.export import export_run
from handoff_eval.tracking.bundles import SCORES, find_arm
from handoff_eval.tracking.entries import File, Tag
from handoff_eval.tracking.log import log_comparison
from tests.conftest import SECRET
from tests.registry.conftest import HANDOFF, Compared, Project
from tests.training import TRAINING

pytestmark = pytest.mark.medium


def test_the_chosen_arm_is_exported(
    project: Project,
    compared: Compared,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From the beginning of a run's id: bundle and card, made whole by digest, parity shown."""
    run, _ = project
    _, _, comparison = compared
    chosen = comparison.chosen
    to = tmp_path / "bundle"

    assert main(["export", run[:8], "--to", str(to), "--json"]) == 0

    said = json.loads(capsys.readouterr().out)
    bundle = read_bundle(to)
    card = read_card(bundle)
    result = comparison.arm(str(chosen))
    assert (bundle.trigger.name, bundle.point) == (chosen, result.point)
    assert said["digest"] == bundle.digest == card["bundle"]
    assert (said["conversations"], said["changed"]) == (48, 0)
    assert card["parity"]["decisions"] == said["decisions"] == len(result.test.replay.scores)
    assert card["instruction_version"] == "prompts:/handoff-instruction.support/1"
    assert card["measured"]["metrics"]["recall"] == result.measures.recall.to_dict()
    assert card["footprint"]["bytes_on_disk"] == sum(
        file.stat().st_size for file in to.iterdir() if not file.name.startswith("card.")
    )
    assert 0 < card["footprint"]["load_seconds"] < 60
    assert 10e6 < card["footprint"]["memory_bytes"] < 2e9
    text = (to / "card.md").read_text()
    assert f"| {result.measures.recall.value:.3g} |" in text
    assert card["bundle"] in text


@pytest.mark.usefixtures("project")
def test_exported_twice_it_is_the_same_bundle(tmp_path: Path) -> None:
    """What decides has one digest, however long it took to load."""
    arm = find_arm("latest", arm="static")
    one, _ = export_run(arm, tmp_path / "one")
    other, _ = export_run(find_arm(arm.run_id), tmp_path / "other")

    assert one.digest == other.digest
    assert sorted(p.name for p in one.path.iterdir()) == [
        "bundle.json", "card.json", "card.md", "golden.json", "head.onnx", "tokenizer.json",
        "vectors.npy", "words.json",
    ]  # fmt: skip


def test_a_card_of_another_bundle_is_refused(project: Project, tmp_path: Path) -> None:
    """A card speaks of one policy, named by digest."""
    bundle, _ = export_run(find_arm(project[0], arm="keyword"), tmp_path / "b")
    card = json.loads((bundle.path / CARD).read_text())
    (bundle.path / CARD).write_text(json.dumps({**card, "bundle": "0" * 64}))

    with pytest.raises(BundleError, match="about another bundle"):
        read_card(bundle)


def test_a_run_keeps_no_encoder_and_nothing_that_was_said(
    project: Project, compared: Compared
) -> None:
    """Large files are left to the cache, and no file of the store quotes a conversation."""
    _, store = project
    assert store.database is not None
    files = [path for path in store.database.parent.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    quoted = TRAINING[0].conversation.turns[0].text.encode()

    assert {"bundle.json", "head.onnx", "words.json", "golden.json", SCORES} <= names
    assert not names & {"encoder.onnx", "vectors.npy", "tokenizer.json"}
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path
        assert quoted not in path.read_bytes(), path
    data, arms, comparison = compared
    kept = list(draft_entries(arms[2], comparison, HANDOFF, log_text=True))
    assert data.digest == comparison.digest
    assert any(isinstance(entry, File) and quoted in entry.content for entry in kept)


def test_what_cannot_be_found_or_exported_is_a_sentence(project: Project) -> None:
    """No such run, an arm that isn't there or isn't kept, an arm asked of an arm: each says so."""
    run, _ = project
    arm = find_arm(run, arm="keyword").run_id

    with pytest.raises(SettingsError, match=f"no 'nowhere'. The latest comparison is {run}"):
        find_arm("nowhere")
    with pytest.raises(SettingsError, match="one of keyword, prompt, static; got 'magic'"):
        find_arm(run, arm="magic")
    with pytest.raises(SettingsError, match="quotes conversations of train"):
        find_arm(run, arm="prompt")
    with pytest.raises(SettingsError, match="the run of the arm 'keyword'"):
        find_arm(arm, arm="static")
    assert find_arm("parcels, 20 emails a day").name == find_arm(run).name


@pytest.mark.usefixtures("tracking_store")
def test_a_run_without_bundles_says_so(
    compared: Compared,
) -> None:
    """A comparison that was logged alone can't be exported, and an empty store hints at compare."""
    data, arms, comparison = compared
    with pytest.raises(SettingsError, match="Make one with 'handoff-eval compare'"):
        find_arm("abcd1234")
    run = log_comparison(comparison, dataset=data, handoff=HANDOFF, seed=0)
    with pytest.raises(SettingsError, match="made without one"):
        find_arm(run)
    assert arms


def test_a_trigger_of_the_users_own_says_why(
    compared: Compared,
) -> None:
    """What no bundle can hold leaves the reason in its run."""
    _, arms, comparison = compared
    own = replace(comparison.arm("keyword"), name="own")
    there = replace(comparison, arms=(*comparison.arms, replace(own, point=replace(
        own.point, trigger="own"))))  # fmt: skip

    class Own:
        name, description = "own", "mine"

    (entry,) = draft_entries(Arm(Own()), there, HANDOFF)  # type: ignore[arg-type]

    assert isinstance(entry, Tag)
    assert "runs without the workbench" in entry.value
    assert arms


def test_a_changed_dataset_is_refused(
    project: Project,
    compared: Compared,
    tmp_path: Path,
) -> None:
    """Parity is of what was measured, so other conversations don't do; a moved copy does."""
    arm = find_arm(project[0], arm="keyword")
    moved = tmp_path / "moved"
    shutil.copytree(compared[0].path, moved)

    export_run(arm, tmp_path / "b", dataset=moved)
    (moved / "labels.jsonl").write_text(
        (moved / "labels.jsonl").read_text().replace('"handoff": true', '"handoff": false', 1)
    )
    with pytest.raises(DataError, match="changed since: compare again"):
        export_run(arm, tmp_path / "b", dataset=moved)
    with pytest.raises(DataError, match="there is none"):
        export_run(arm, tmp_path / "b", dataset=tmp_path / "gone")


def test_an_encoder_that_was_not_compared_is_refused(project: Project, tmp_path: Path) -> None:
    """Another build of the same weights, or none, leaves no bundle behind."""
    vectors = tmp_path / "cache" / REVISION / "vectors.npy"
    data = bytearray(vectors.read_bytes())
    data[-1] ^= 1
    vectors.write_bytes(bytes(data))

    with pytest.raises(BundleError, match=r"to be the vectors.npy that was compared"):
        export_run(find_arm(project[0], arm="static"), tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda t: t.replace("0.", "0.1", 1), ParityError, "Don't ship it"),
        (lambda t: t.replace("score", "what", 1), DataError, "Expected a table of scores"),
    ],
)
def test_scores_that_do_not_come_again_are_refused(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[str], str],
    error: type[Exception],
    message: str,
) -> None:
    """Where a bundle scores other than its run says, or the run is damaged, nothing is written."""
    arm = find_arm(project[0], arm="keyword")

    def tampered(text: str, *, trigger: str) -> Replay:
        return replay_from_csv(change(text), trigger=trigger)

    monkeypatch.setattr("handoff_eval.tracking.bundles.replay_from_csv", tampered)

    with pytest.raises(error, match=message):
        export_run(arm, tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
