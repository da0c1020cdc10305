"""`handoff-eval instruction`: every action from a dataset folder to its answer."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.cli.main import main
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.tracking.store import Store, open_client
from handoff_eval.tracking.versions import keep_instruction, read_instruction
from handoff_eval.transcripts.write import write_conversations, write_labels
from tests.llm_provider import Answer, completion, provider
from tests.wordings import word_dataset

BUDGET = ["--max-emails-per-day", "15", "--min-recall", "0.5", "--conversations-per-day", "30"]
CUES = "Send it when the customer asks for a person, or when the customer names a lawyer."


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a dataset folder, read with hashed words in MiniLM's place, and a cache of its own."""
    dataset = word_dataset()
    (tmp_path / "words").mkdir()
    write_conversations(dataset.conversations, tmp_path / "words" / "transcripts.jsonl")
    write_labels(dataset.labels, tmp_path / "words" / "labels.jsonl")
    (tmp_path / "before.txt").write_text(CUES, encoding="utf-8")
    (tmp_path / "after.txt").write_text(f"{CUES} Not if all is solved.", encoding="utf-8")
    monkeypatch.setenv("HANDOFF_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HANDOFF_EVAL_LLM_URL", raising=False)
    monkeypatch.setattr("handoff_eval.encoders.minilm.cached_minilm", lambda: HashingEncoder(256))
    return tmp_path


def test_lint_prints_clauses_and_findings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instruction on stdin is taken apart; an error makes the exit code 1."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("Send it to a@example.com when X is lost."))

    code = main(["instruction", "lint", "-"])

    out = capsys.readouterr().out
    assert code == 1
    assert "  cue           X is lost" in out
    assert "HI005  error" in out
    assert out.rstrip().endswith("1 error, 1 warning, 0 infos")


def test_lint_reads_every_handoff_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A handoff file gives one document a handoff, each finding with the edited text."""
    code = main(["instruction", "lint", "datasets/support_handoff/handoff.toml", "--json"])

    (document,) = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document["instruction"] == "support"
    assert len(document["clauses"]) == 3
    assert document["findings"][0]["edited"].endswith("thanks the agent.")


def test_ablate_writes_table_json_and_picture(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every clause has its figures, on stdout; the picture goes to a file."""
    arguments = ["instruction", "ablate", str(folder / "words"), *BUDGET, "--no-tracking"]
    arguments += ["--instruction", str(folder / "after.txt")]

    assert main([*arguments, "--picture", str(folder / "out" / "clauses.png")]) == 0
    table = capsys.readouterr().out
    assert main([*arguments, "--json", "--split", "test"]) == 0
    document = json.loads(capsys.readouterr().out)

    assert table.count("recall at 15 emails a day") == 3
    assert (folder / "out" / "clauses.png").read_bytes().startswith(b"\x89PNG")
    assert (document["split"], len(document["contributions"])) == ("test", 3)


@pytest.mark.medium
def test_compare_keeps_versions_under_an_alias(
    folder: Path, capsys: pytest.CaptureFixture[str], tracking_store: Store
) -> None:
    """Both texts become versions; the second gets the alias and is read back by it."""
    arguments = ["instruction", "compare", str(folder / "before.txt"), str(folder / "after.txt")]
    arguments += [str(folder / "words"), *BUDGET]

    page = folder / "out" / "versions.html"
    assert main([*arguments, "--alias", "candidate", "--report", str(page)]) == 0
    assert "needless email stops" in page.read_text(encoding="utf-8")
    assert "{+. Not if all is solved+}" in capsys.readouterr().out
    again = [*arguments[:2], "prompts:/handoff/1", "prompts:/handoff@candidate", *arguments[4:]]
    assert main([*again, "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["before"] == CUES
    assert document["after"].endswith("solved.")
    client = open_client(tracking_store)
    assert len(client.search_prompt_versions("handoff-instruction.handoff")) == 2


@pytest.mark.medium
def test_runs_are_logged_with_their_version(folder: Path, tracking_store: Store) -> None:
    """Ablation and tuning are runs with figures, a picture and a link to a version."""
    base = [str(folder / "words"), *BUDGET, "--instruction", str(folder / "after.txt")]

    assert main(["instruction", "ablate", *base]) == 0
    assert main(["instruction", "tune", *base, "--max-candidates", "2"]) == 0

    client = open_client(tracking_store)
    experiment = client.get_experiment_by_name("handoff_eval")
    assert experiment is not None
    runs = {
        r.data.tags["handoff_eval.kind"]: r for r in client.search_runs([experiment.experiment_id])
    }
    ablation, tuning = runs["ablation"], runs["tuning"]
    assert ablation.data.params["clause_3"] == "all is solved"
    assert ablation.data.metrics["uncertainty/clause_1/recall_at_volume.n"] == 30
    assert tuning.data.metrics["uncertainty/recall.n"] == 10
    winner = tuning.data.params["instruction"]
    assert client.load_prompt(winner).template == read_instruction("prompts:/handoff@candidate")
    for run, kind in ((ablation, "ablation"), (tuning, "tuning")):
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {f"{kind}.json", f"{kind}.png"} <= files


@pytest.mark.usefixtures("tracking_store")
def test_an_alias_moves_and_a_missing_version_is_told() -> None:
    """An alias belongs to the version it was given to last; what isn't there is a sentence."""
    keep_instruction("one", handoff="support", alias="candidate")
    kept = keep_instruction("two", handoff="support", alias="candidate")

    assert kept.version == 2
    assert read_instruction("prompts:/support@candidate") == "two"
    assert read_instruction("prompts:/support/1") == "one"
    for where in ("prompts:/support/3", "prompts:/other/1", "prompts:/support@champion"):
        with pytest.raises(ValueError, match=f"Expected a version '{where}' in sqlite"):
            read_instruction(where)
    with pytest.raises(ValueError, match="such as prompts:/support/3"):
        read_instruction("prompts:/support")
    with pytest.raises(ValueError, match="Expected an alias of lower-case letters"):
        keep_instruction("one", handoff="support", alias="../x")


def test_tune_says_that_it_made_do_with_edits(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a configured model it says so; the winner is printed and written."""
    arguments = ["instruction", "tune", str(folder / "words"), *BUDGET, "--no-tracking"]
    arguments += ["--instruction", str(folder / "before.txt"), "--max-candidates", "6"]

    assert main([*arguments, "--to", str(folder / "winner.txt")]) == 0
    out = capsys.readouterr().out
    winner = (folder / "winner.txt").read_text(encoding="utf-8").strip()

    assert "Clause edits only: no language model is configured" in out
    assert out.rstrip().endswith(winner)
    assert (folder / "cache" / "tuning_tries.json").exists()


def small_model(request: dict[str, Any]) -> Answer:
    """Play a model that says yes to lawyers under a rule that names them, and writes that rule."""
    if len(request["messages"]) == 1 and "better instruction" in request["messages"][0]["content"]:
        return completion("```\nSend it when the customer names a lawyer.\n```", logprobs=None)
    rule, asked = (message["content"] for message in (request["messages"] * 2)[:2])
    yes = -0.1 if "lawyer" in rule and "lawyer" in asked else -3.0
    return completion("Yes", logprobs=[("Yes", yes), ("No", -1.0)])


def test_a_configured_model_reads_and_writes_instructions(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompt arm is ablated on a draw, and tuning takes the wording that the model writes."""
    (folder / "no.txt").write_text("Send it when X is lost, or when Y is late.", encoding="utf-8")
    base = [str(folder / "words"), *BUDGET, "--arm", "prompt", "--json"]
    base += ["--instruction", str(folder / "no.txt"), "--max-llm-decisions", "60"]
    with provider(small_model) as served:
        monkeypatch.setenv("HANDOFF_EVAL_LLM_URL", served.settings.url)
        monkeypatch.setenv("HANDOFF_EVAL_LLM_MODEL", "tiny")
        monkeypatch.setenv("HANDOFF_EVAL_LLM_KEY", "sk-secret-123456")

        assert main(["instruction", "ablate", *base, "--no-tracking"]) == 0
        ablation = json.loads(capsys.readouterr().out)
        tune = ["instruction", "tune", *base, "--max-candidates", "1", "--proposals", "1"]
        assert main([*tune, "--no-tracking"]) == 0
        tuning = json.loads(capsys.readouterr().out)

    assert ablation["trigger"] == "prompt"
    assert ablation["conversations"] == 20
    assert tuning["winner"] == "Send it when the customer names a lawyer."
    assert [c["origin"] for c in tuning["candidates"]] == ["as given", "reflection"]
    assert tuning["note"] == "Clause edits and reflection by the configured model."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lint", "none.txt"], "none.txt: can't be read"),
        (["ablate", "nowhere", *BUDGET], "nowhere"),
        (["ablate", "nowhere"], "missing: --max-emails-per-day"),
        (["ablate", "nowhere", *BUDGET, "--max-llm-decisions", "3"], "at least 20; got 3"),
        (["tune", "nowhere", *BUDGET, "--proposals", "0"], "--proposals to be at least 1; got 0"),
        (["compare", "a.txt", "b.txt", "nowhere", *BUDGET], "a.txt: can't be read"),
    ],
)
def test_a_users_mistake_is_a_sentence_and_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing on stdout, `error: ...` on stderr, exit code 2."""
    code = main(["instruction", *arguments])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
