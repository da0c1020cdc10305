"""The registry: a champion is replaced only through the gate, and comes back in one command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from handoff_eval.cli.main import main
from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.certificate import Certificate
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import Replay, replay
from handoff_eval.production.bundle import Bundle, read_bundle
from handoff_eval.production.decide import decide
from handoff_eval.production.parity import Parity
from handoff_eval.production.promotion import Judgement, judge
from handoff_eval.production.revocation import read_revocation
from handoff_eval.tracking.bundles import find_arm, mark_revoked
from handoff_eval.tracking.store import Store, open_client
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from tests.builders import CERTIFICATE, labeled, talk
from tests.registry.conftest import Project

PARITY = Parity(conversations=400, decisions=800, largest_difference=0.0, changed=0)
TERMS = {
    "prevalence": {"deployment": 0.05},
    "budget": {"max_emails_per_day": 10, "conversations_per_day": 100},
}
KEYWORD = KeywordTrigger(default_rules())


def _labeled() -> list[LabeledConversation]:
    """Return 200 conversations that ask for a person and need one, and 200 that do neither."""
    return [
        labeled(
            talk(
                "C: let me talk to a person" if i < 200 else "C: where is it",
                id=f"c{i}",
                customer=f"u{i}",
                split=Split.TEST,
            ),
            handoff=i < 200,
            at=0 if i < 200 else None,
        )
        for i in range(400)
    ]


LABELED = _labeled()
PLAYED = replay(KEYWORD, [item.conversation for item in LABELED])


def _bundle(certificate: Certificate | None = CERTIFICATE) -> Bundle:
    point = OperatingPoint("keyword", 0.3, Split.TUNE, certificate, "Chosen.")
    return Bundle(KEYWORD, point, "support", "when", Path())


def _judge(measured: Replay = PLAYED, **changes: Any) -> Judgement:
    # 200 negatives alone leave a growth of .95 * .0133 / .05 = 25 % possible.
    usual = {"champion": _bundle(), "terms": TERMS, "volume_margin": 0.3}
    arguments: dict[str, Any] = {**usual, **changes}
    challenger = arguments.pop("challenger", _bundle())
    return judge(challenger, PARITY, measured, LABELED, **arguments)


def _with(conversations: Sequence[int], score: float) -> Replay:
    """Return the replay in which some conversations have another score throughout."""
    scores = PLAYED.scores.copy()
    for i in conversations:
        scores[PLAYED.offsets[i] : PLAYED.offsets[i + 1]] = score
    return replace(PLAYED, scores=scores)


def test_an_equal_challenger_passes() -> None:
    """Nothing is lost with 200 positives, so at most z2 / (n + z2) = 1.3 points may be."""
    judgement = _judge()

    assert (judgement.verdict, judgement.blocked, judgement.exit_code) == ("pass", "", 0)
    assert judgement.pair is not None
    assert judgement.pair.difference.value == 0
    assert judgement.gate is not None
    # 1.6449^2 / (200 + 1.6449^2) = 2.7055 / 202.7055
    assert judgement.gate.largest_drop == pytest.approx(0.01335, abs=1e-4)
    assert json.dumps(judgement.to_dict())


@pytest.mark.parametrize(
    ("measured", "verdict", "says"),
    [
        (_with(range(40), 0.0), "fail", "The gate says: fail. Recall 100.0% to 80.0%"),
        (_with(range(200, 260), 0.9), "fail", "volume 5.0% to 33.5%"),
        (_with(range(8), 0.0), "too few", "a drop of 7.0 points of recall would go unseen"),
    ],
)
def test_a_loss_that_is_seen_or_not_ruled_out_blocks(
    measured: Replay, verdict: str, says: str
) -> None:
    """Missed handoffs, needless emails and too little data each keep the champion."""
    judgement = _judge(measured)

    assert judgement.verdict == verdict
    assert says in judgement.blocked
    assert judgement.exit_code == {"fail": 1, "too few": 3}[verdict]


def test_a_loss_at_equal_volume_blocks_a_passing_gate() -> None:
    """Bought by sending more, an equal recall doesn't pass where the ranking is worse."""
    rng = np.random.default_rng(0)
    worse = _with(rng.choice(200, 30, replace=False).tolist(), 0.31)
    worse = replace(worse, scores=np.where(np.arange(800) < 400, worse.scores, 0.32))

    judgement = _judge(worse, recall_margin=0.9, volume_margin=100.0)

    assert judgement.gate is not None
    assert judgement.gate.verdict == "pass"
    assert (judgement.verdict, judgement.exit_code) == ("fail", 1)
    assert "catches less than the champion at the same volume" in judgement.blocked


@pytest.mark.parametrize("champion", [None, _bundle()])
def test_without_a_valid_certificate_somebody_answers_for_it(champion: Bundle | None) -> None:
    """None and a revoked one block alike, first promotion or not, unless it is accepted."""
    revoked = CERTIFICATE.revoke("Volume rose.", at=datetime(2026, 4, 1, tzinfo=UTC))
    for certificate, state in ((None, "no certificate"), (revoked, "a revoked certificate")):
        challenger = _bundle(certificate)
        blocked = _judge(challenger=challenger, champion=champion)
        accepted = _judge(
            challenger=challenger, champion=champion, accept_uncertified="Read by hand."
        )

        assert (blocked.verdict, blocked.exit_code) == ("fail", 1)
        assert f"It has {state}" in blocked.blocked
        assert accepted.verdict == "pass"
        assert accepted.certificate.endswith("Accepted: Read by hand.")
    assert _judge(champion=champion).verdict == "pass"


MODEL = "handoff-trigger.support"


class Shop:
    """One project's registry as its owner sees it."""

    def __init__(self, project: Project, capsys: pytest.CaptureFixture[str]) -> None:
        self.run, store = project
        self.client = open_client(store)
        self._capsys = capsys

    def promote(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Return the exit code and what was printed."""
        self._capsys.readouterr()
        code = main(["promote", self.run, *arguments, "--json"])
        out, err = self._capsys.readouterr()
        assert code != 2, err
        return code, json.loads(out)

    def roll_back(self, *arguments: str) -> tuple[int, str]:
        """Return the exit code and what was printed or said."""
        self._capsys.readouterr()
        code = main(["rollback", *arguments])
        out, err = self._capsys.readouterr()
        return code, out + err

    @property
    def aliases(self) -> dict[str, str]:
        """Return which version stands under which alias."""
        found = self.client.get_registered_model(MODEL).aliases
        return {name: str(number) for name, number in found.items()}

    def tags(self, number: str) -> dict[str, str]:
        """Return what a version remembers."""
        return dict(self.client.get_model_version(MODEL, number).tags)


@pytest.fixture
def shop(project: Project, mlflow_copy: Store, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop((project[0], mlflow_copy), capsys)


@pytest.mark.medium
def test_from_the_first_champion_to_a_rollback(shop: Shop) -> None:
    """Challenger first, champion by acceptance, kept against a worse one, and back again."""
    assert shop.roll_back("--reason", "x") == (
        2,
        "error: Expected a handoff whose trigger is registered, one of none; got None.\n",
    )
    code, said = shop.promote("--arm", "static")
    assert code == 1
    assert "no certificate" in said["says"]
    assert shop.aliases == {"challenger": "1"}
    assert "models:/handoff-trigger.support@champion" not in said["says"]
    assert "there is none" in shop.roll_back("support", "--reason", "x")[1]

    code, said = shop.promote("--arm", "static", "--accept-uncertified", "Read by hand.")
    assert (code, said["version"]) == (0, f"models:/{MODEL}/1")
    assert shop.aliases == {"challenger": "1", "champion": "1"}
    assert "Accepted: Read by hand." in shop.tags("1")["handoff_eval.reason"]
    assert shop.tags("1")["handoff_eval.parity"] == said["judgement"]["parity"]
    assert shop.promote("--arm", "static")[1]["says"].endswith("is the champion already.")

    code, said = shop.promote("--arm", "keyword", "--accept-uncertified", "x")
    assert code in {1, 3}
    assert shop.aliases == {"challenger": "2", "champion": "1"}
    assert "stays challenger" in shop.tags("2")["handoff_eval.reason"]
    difference = json.loads(shop.tags("2")["handoff_eval.paired_difference"])
    assert difference["n"] == 48
    assert difference["low"] <= difference["value"] <= difference["high"]
    assert "it was the first" in shop.roll_back("--reason", "x")[1]

    # Somebody moves the alias in MLflow's pages; rolling back still knows the one before.
    shop.client.set_registered_model_alias(MODEL, "champion", "2")
    code, said_back = shop.roll_back("--reason", "Too many emails.")
    assert code == 0
    assert f"is models:/{MODEL}/1 again; it was models:/{MODEL}/2" in said_back
    assert shop.aliases["champion"] == "1"
    assert shop.tags("2")["handoff_eval.rolled_back"] == "Too many emails."
    assert shop.promote("--arm", "keyword", "--challenger")[0] == 0
    assert shop.aliases == {"challenger": "2", "champion": "1"}


@pytest.mark.medium
def test_a_promise_that_was_revoked_stays_so(shop: Shop, tmp_path: Path) -> None:
    """What watching has ended, no export and no registry brings back; the first reason counts."""
    run = find_arm(shop.run, arm="static").run_id
    shop.promote("--arm", "static", "--accept-uncertified", "Read by hand.")
    for reason in ("Volume rose.", "Later."):
        mark_revoked(
            shop.client, run, {"reason": reason, "revoked_at": "2026-04-01T00:00:00+00:00"}
        )
    mark_revoked(shop.client, "f" * 32, {"reason": "of another store", "revoked_at": "x"})
    for where in (run, f"models:/{MODEL}@champion"):
        assert main(["export", where, "--to", str(tmp_path / "b")]) == 0
        revocation = read_revocation(tmp_path / "b")

        assert revocation is not None
        assert revocation.reason == "Volume rose."


@pytest.mark.medium
def test_what_is_registered_is_the_bundle_and_no_code(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exported from the registry it is the same bundle; loaded by MLflow it decides the same."""
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_ALLOW_MODEL_CODE_EXECUTION", "false")
    shop.promote("--arm", "static", "--accept-uncertified", "Read by hand.")
    assert main(["export", shop.run, "--arm", "static", "--to", str(tmp_path / "run")]) == 0
    uri = f"models:/{MODEL}@champion"
    assert main(["export", uri, "--to", str(tmp_path / "champion")]) == 0
    one, other = (read_bundle(tmp_path / name) for name in ("run", "champion"))
    version = shop.client.get_model_version(MODEL, "1")
    folder = Path(mlflow.artifacts.download_artifacts(version.source, dst_path=str(tmp_path)))
    talks = [talk("C: let me talk to a person", "A: why?", id="1"), talk("C: hi", id="2")]
    rows = [
        {"id": c.id, "turns": [{"role": t.role.value, "text": t.text} for t in c.turns]}
        for c in talks
    ]
    model = mlflow.pyfunc.load_model(str(folder))
    predicted = model.predict(pd.DataFrame(rows)).to_dict(orient="records")

    assert one.digest == other.digest
    assert predicted == [
        d.to_dict() for d in decide(one.trigger, one.point, talks, handoff=one.handoff)
    ]
    assert not [p for p in folder.rglob("*") if p.suffix in {".py", ".pkl", ".pickle", ".pt"}]
    assert "handoff-eval==" in (folder / "requirements.txt").read_text()
    assert [c.name for c in model.metadata.get_input_schema().inputs] == ["id", "turns"]
    assert model.input_example["id"].tolist()[0] == "golden-1"
    with pytest.raises(DataError, match=r"Row 0: expected a conversation; .*role"):
        model.predict(pd.DataFrame([{"id": "1", "turns": [{"role": "robot", "text": "x"}]}]))
    capsys.readouterr()
    assert main(["export", uri, "--arm", "x", "--to", str(tmp_path / "y")]) == 2
    assert "go with a run" in capsys.readouterr().err
    assert main(["export", f"models:/{MODEL}/9", "--to", str(tmp_path / "y")]) == 2
    assert "there is none" in capsys.readouterr().err
    assert main(["export", "models:/x", "--to", str(tmp_path / "y")]) == 2
    assert "Expected a version such as" in capsys.readouterr().err
