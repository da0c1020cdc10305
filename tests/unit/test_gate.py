"""The gate: score limits by hand, the three verdicts, and the command's exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from handoff_eval.cli.main import main
from handoff_eval.conversation import Split
from handoff_eval.errors import DataError
from handoff_eval.evaluation.gate.gate import gate, largest_difference, mcnemar
from handoff_eval.evaluation.gate.verdict import GateReport
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.production.bundle import write_bundle
from handoff_eval.tracking.store import Store, open_client
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules


def judged(
    positives: int, negatives: int, *, lost: int = 0, gained: int = 0, more: int = 0
) -> GateReport:
    """Return a report where the baseline catches four fifths and sends a tenth needlessly."""
    n = positives + negatives
    positive = np.arange(n) < positives
    baseline = np.zeros(n, dtype=bool)
    baseline[: positives * 4 // 5] = True
    baseline[positives : positives + negatives // 10] = True
    candidate = baseline.copy()
    candidate[:lost] = False
    candidate[positives * 4 // 5 : positives * 4 // 5 + gained] = True
    candidate[n - more :] = more > 0
    groups = [f"u{i}" for i in range(n)]
    return gate(baseline, candidate, positive=positive, groups=groups, prevalence=0.05)


def test_limit_without_discordance_by_hand() -> None:
    """z^2 / (n + z^2) = 2.7055 / (n + 2.7055): 52 positives rule out 5 points, 51 don't."""
    assert largest_difference(0, 0, 51) == pytest.approx(2.7055 / 53.7055, abs=1e-4)
    assert largest_difference(0, 0, 52) < 0.05 < largest_difference(0, 0, 51)


def test_conversations_that_stand_for_many_tell_less() -> None:
    """Ten positives, half of weight 3: 20^2 / (5 * 9 + 5) = 8 customers, z^2 / (8 + z^2)."""
    positive = np.arange(20) < 10
    report = gate(
        positive,
        positive,
        positive=positive,
        groups=[f"u{i}" for i in range(20)],
        weight=np.where(positive & (np.arange(20) < 5), 3.0, 1.0),
        prevalence=0.1,
    )

    assert report.largest_drop == pytest.approx(2.7055 / 10.7055, abs=1e-4)


def test_limit_solves_the_score_equation() -> None:
    """At the limit for 5 lost and 2 gained of 100 the score is -1.645, q by Tango's root."""
    d = largest_difference(0.05, 0.02, 100)

    b = -7 + (200 - 5 + 2) * d
    q = (np.sqrt(b * b + 4 * 200 * 2 * d * (1 - d)) - b) / 400
    score = (5 - 2 - 100 * d) / np.sqrt(100 * (2 * q + d * (1 - d)))
    assert score == pytest.approx(-1.6449, abs=1e-3)
    assert 0.03 < d < 0.09


def test_a_gain_that_is_shown_is_called_one() -> None:
    """Where no loss is possible the gate tells the least gain, not a drop below nothing."""
    report = judged(100, 1000, gained=20)

    assert report.largest_drop < 0
    assert f"at least {-100 * report.largest_drop:.1f} points gained" in str(report)


def test_mcnemar_by_hand() -> None:
    """Five lost and none gained: 2 * .5 ** 5 = .0625; no discordance says nothing."""
    assert mcnemar(5, 0) == pytest.approx(0.0625)
    assert mcnemar(0, 0) == 1.0


def test_the_same_decisions_pass_where_there_are_enough() -> None:
    """With 100 positives and 2,000 negatives nothing beyond the margins can hide."""
    report = judged(100, 2000)

    assert (report.verdict, report.exit_code) == ("pass", 0)
    assert report.recall == (0.8, 0.8)
    # .05 * .8 + .95 * .1 = .135
    assert report.volume == pytest.approx((0.135, 0.135))
    assert str(report).startswith("pass. Recall 80.0% to 80.0% (0 lost, 0 gained of 100 positives")


def test_the_same_decisions_on_few_positives_say_what_would_go_unseen() -> None:
    """Thirty positives can't rule out a drop of 2.7055 / 32.7055 = 8.3 points."""
    report = judged(30, 2000)

    assert (report.verdict, report.exit_code) == ("too few", 3)
    assert str(report).startswith(
        "too few positives: a drop of 8.3 points of recall would go unseen."
    )


def test_few_negatives_say_what_growth_would_go_unseen() -> None:
    """A hundred negatives without discordance leave a growth of .95 * .0263 / .135 = 19 %."""
    report = judged(100, 100)

    assert str(report).startswith(
        "too few conversations: a growth of 19% in emails would go unseen."
    )


def test_a_loss_beyond_the_margin_fails() -> None:
    """Ten of a hundred lost, or a fifth more emails, fail whatever the intervals."""
    assert judged(100, 2000, lost=10).verdict == "fail"
    assert judged(100, 2000, more=80).verdict == "fail"


def test_gains_pay_for_losses_but_widen_the_limit() -> None:
    """Two lost and two gained leave the estimate at 0 and the limit further off than none."""
    quiet, busy = judged(200, 4000), judged(200, 4000, lost=4, gained=4)

    assert busy.recall[0] == busy.recall[1]
    assert busy.largest_drop > quiet.largest_drop
    assert busy.p_value == 1.0


def test_customers_are_the_units() -> None:
    """A hundred positives of twenty customers say no more than twenty would."""
    positive = np.arange(1000) < 100
    fired = positive.copy()
    groups = [f"u{i // 5}" if i < 100 else f"n{i}" for i in range(1000)]

    report = gate(fired, fired, positive=positive, groups=groups)

    assert report.customers_in_need == 20
    assert report.largest_drop == pytest.approx(2.7055 / 22.7055, abs=1e-4)


def test_one_kind_of_conversation_is_refused() -> None:
    """Without a positive nothing can be said of recall."""
    none = np.zeros(5, dtype=bool)

    with pytest.raises(DataError, match="0 positives of 5"):
        gate(none, none, positive=none, groups=list("abcde"))


@pytest.mark.medium
def test_a_candidate_just_at_the_margin_seldom_passes() -> None:
    """Over 2,000 draws a candidate that is 5 points worse passes in at most 5 % and 3 errors."""
    rng = np.random.default_rng(5)
    passed = 0
    for _ in range(2000):
        # of 150 positives: caught by both .72, lost .08, gained .03, missed by both .17
        lost, gained = rng.multinomial(150, [0.08, 0.03, 0.89])[:2]
        passed += largest_difference(lost / 150, gained / 150, 150) <= 0.05

    assert passed / 2000 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000) + 0.005


def labelled_folder(folder: Path, positives: int, negatives: int) -> Path:
    """Write a dataset whose test split has positives first, each with its own customer."""
    folder.mkdir()
    transcripts, labels = [], []
    for i in range(positives + negatives):
        turn = {"role": "customer", "text": f"words {i}"}
        transcripts.append({"id": f"c{i}", "turns": [turn], "split": "test"})
        labels.append({"conversation_id": f"c{i}", "handoff": i < positives})
    for name, rows in (("transcripts", transcripts), ("labels", labels)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)
    return folder


def decisions(path: Path, fired: range, n: int) -> Path:
    """Write decisions as `decide` prints them, in what matters here."""
    rows = ({"conversation_id": f"c{i}", "fired": i in fired, "score": 0.5} for i in range(n))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("candidate", "code", "start"),
    [
        (range(90), 0, "pass. Recall 75.0% to 75.0%"),
        (range(10, 90), 1, "fail. Recall 75.0% to 66.7%"),
    ],
)
def test_command_says_it_in_one_line_and_a_code(
    candidate: range, code: int, start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A CI reads the code, a person the line; the JSON has both."""
    data = labelled_folder(tmp_path / "data", 120, 300)
    files = [
        str(decisions(tmp_path / name, fired, 420))
        for name, fired in (("old", range(90)), ("new", candidate))
    ]

    assert main(["gate", *files, "--on", str(data)]) == code
    line = capsys.readouterr().out
    assert line.startswith(start)
    assert line.count("\n") == 1
    assert main(["gate", *files, "--on", str(data), "--json"]) == code
    assert json.loads(capsys.readouterr().out)["exit_code"] == code


@pytest.mark.medium
def test_verdict_goes_to_a_page_and_a_run(tmp_path: Path, tracking_store: Store) -> None:
    """With --report and --track the exit code stays, and both hold the verdict and a picture."""
    data = labelled_folder(tmp_path / "data", 120, 300)
    files = [
        str(decisions(tmp_path / name, fired, 420))
        for name, fired in (("old", range(90)), ("new", range(60)))
    ]
    page = tmp_path / "out" / "gate.html"

    assert main(["gate", *files, "--on", str(data), "--report", str(page), "--track"]) == 1
    text = page.read_text(encoding="utf-8")
    assert "<h1>Fail</h1>" in text
    assert "<p>Recall 75.0% to 50.0%" in text
    assert "<svg" in text
    client = open_client(tracking_store)
    experiment = client.get_experiment_by_name("handoff_eval")
    assert experiment is not None
    run = client.search_runs([experiment.experiment_id])[0]
    assert run.data.tags["handoff_eval.kind"] == "gate"
    assert run.data.metrics["recall_candidate"] == 0.5
    artifacts = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"gate.csv", "gate.json", "gate.png", "report.html"} <= artifacts


def test_command_takes_bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two thresholds of one trigger: here neither fires, and 20 positives are too few to say."""
    data = labelled_folder(tmp_path / "data", 20, 40)
    bundles = [
        str(
            write_bundle(
                KeywordTrigger(default_rules()),
                OperatingPoint("keyword", threshold, Split.TUNE, None, ""),
                handoff="s",
                instruction="i",
                to=tmp_path / name,
            )
        )
        for name, threshold in (("old", 0.5), ("new", 0.6))
    ]

    assert main(["gate", *bundles, "--on", str(data)]) == 3
    # 2.7055 / 22.7055 = 11.9 points
    assert "too few positives: a drop of 11.9 points" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "expected a decision with"),
        ('{"conversation_id": "c0", "fired": 1}', "'fired' must be true or false; got 1"),
        ('{"conversation_id": "c0", "fired": true}', "have none, such as 'c1'"),
        ('{"conversation_id": "c0", "fired": true}\n' * 2, "'c0' comes twice"),
    ],
)
def test_unusable_decisions_are_told(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, line, what was expected and what to do; exit code 2."""
    data = labelled_folder(tmp_path / "data", 5, 5)
    path = tmp_path / "old"
    path.write_text(text)

    assert main(["gate", str(path), str(path), "--on", str(data)]) == 2
    assert message in capsys.readouterr().err


def test_margins_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A margin of nothing or of everything asks nothing."""
    arguments = ["gate", "a", "b", "--on", str(tmp_path)]

    assert main([*arguments, "--recall-margin", "0"]) == 2
    assert main([*arguments, "--recall-margin", "100"]) == 2
    assert main([*arguments, "--prevalence", "1"]) == 2
    assert "Expected --recall-margin to lie above 0 and below 100" in capsys.readouterr().err
