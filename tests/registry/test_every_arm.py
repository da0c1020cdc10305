"""Every arm that `compare` knows can be exported from its run and decides as it was measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from handoff_eval.evaluation.comparison.compare import compare
from handoff_eval.evaluation.comparison.line_up import line_up
from handoff_eval.handoff import Budget
from handoff_eval.llm.asker import default_asker
from handoff_eval.production.export import export_run
from handoff_eval.production.keep import keep_comparison
from handoff_eval.settings import cache_dir
from handoff_eval.tracking.bundles import find_arm
from handoff_eval.transcripts.read import Dataset, read_dataset
from handoff_eval.transcripts.write import write_conversations, write_labels
from handoff_eval.triggers.arms import ARMS
from tests.conftest import empty_project
from tests.contract.test_trigger_contract import served_word_counter
from tests.llm_provider import provider
from tests.registry.conftest import HANDOFF

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def everything(
    dataset: Dataset, mlflow_schema: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Compare all arms once, the dear ones over a small endpoint; give the run and the store."""
    folder = tmp_path_factory.mktemp("data") / "parcels"
    folder.mkdir()
    write_conversations(dataset.conversations, folder / "transcripts.jsonl")
    write_labels(dataset.labels, folder / "labels.jsonl")
    data = read_dataset(folder)
    cache = tmp_path_factory.mktemp("cache")
    for made in cache_dir().glob("*-53aa51172d14*"):
        (cache / made.name).symlink_to(made)
    home = tmp_path_factory.mktemp("project") / "home"
    with (
        provider(served_word_counter) as served,
        empty_project(mlflow_schema, home) as store,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("HANDOFF_EVAL_CACHE", str(cache))
        patch.setenv("HANDOFF_EVAL_LLM_URL", served.settings.url)
        patch.setenv("HANDOFF_EVAL_LLM_MODEL", "tiny")
        patch.setattr("handoff_eval.encoders.fine_tune.STEPS", 2)
        with default_asker() as asker:
            arms = line_up(tuple(ARMS), data, instruction=HANDOFF.instruction, asker=lambda: asker)
            comparison = compare(data, arms, Budget(20, 0.8, 200, prevalence=0.05))
        run = keep_comparison(comparison, arms, dataset=data, handoff=HANDOFF)
        yield run, store.uri


@pytest.mark.parametrize("name", sorted(ARMS))
def test_the_arm_is_exported_from_its_run(
    everything: tuple[str, str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parity holds over all that was measured, whatever stands in the arm."""
    run, uri = everything
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    bundle, parity = export_run(find_arm(run, arm=name), tmp_path / "bundle")

    assert bundle.trigger.name == name
    assert parity.changed == 0
    assert parity.largest_difference <= 1e-5
    assert parity.conversations >= 20
