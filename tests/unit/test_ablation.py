"""What a clause is worth, and what changes between two versions: figures by hand."""

from __future__ import annotations

import json

import pytest

from handoff_eval.conversation import Split
from handoff_eval.errors import DataError, LeakageError
from handoff_eval.evaluation.wordings.ablation import Ablation, ablate
from handoff_eval.evaluation.wordings.scores import Wordings
from handoff_eval.evaluation.wordings.versions import compare_versions, word_changes
from handoff_eval.handoff import Budget
from tests.wordings import LastWordTrigger, word_dataset

CUES = "Send it when the customer asks for a person, or when the customer names a lawyer."
BOTH = f"{CUES} Do not send it when the problem is solved."
BUDGET = Budget(max_emails_per_day=15, min_recall=0.5, conversations_per_day=30, prevalence=1 / 3)


@pytest.fixture
def wordings() -> Wordings:
    return Wordings(LastWordTrigger, word_dataset())


@pytest.fixture
def ablation(wordings: Wordings) -> Ablation:
    return ablate(BOTH, wordings, BUDGET, prevalence=1 / 3)


def test_contributions_at_the_threshold_are_what_the_clause_changes(ablation: Ablation) -> None:
    """At one threshold the cues catch 6 and 4 of 10, and the exclusion stops 5 of 20."""
    person, lawyer, solved = ablation.contributions

    # Scores are 0, .5 (person and solved) and .9, and only a cut above .5 can be certified.
    assert 0.5 < ablation.point.threshold < 0.9
    assert person.recall_at_threshold.value == pytest.approx(0.6)
    assert lawyer.recall_at_threshold.value == pytest.approx(0.4)
    assert solved.recall_at_threshold.value == 0
    # 30 (1/3 .6) = 6, 30 (1/3 .4) = 4, -30 (2/3 .25) = -5
    assert person.emails_per_day.value == pytest.approx(6)
    assert lawyer.emails_per_day.value == pytest.approx(4)
    assert solved.emails_per_day.value == pytest.approx(-5)
    assert (person.started, person.stopped, solved.stopped) == (6, 0, 5)


def test_contributions_at_equal_volume_compare_rankings(wordings: Wordings) -> None:
    """With 10 emails a day the exclusion moves the needless ones behind the needed ones."""
    budget = Budget(10, 0.5, 30, prevalence=1 / 3)

    solved = ablate(BOTH, wordings, budget, prevalence=1 / 3).contributions[2]

    # A third of 30 is emailed: with the exclusion the ten needed (recall 1); without it the 10
    # needed and 5 needless tie at .9, so 10 / 15 of each are taken (recall 2/3).
    assert solved.recall_at_volume.value == pytest.approx(1 / 3)
    assert solved.recall_at_volume.low > 0


def test_the_report_shows_itself(ablation: Ablation) -> None:
    """Frame, JSON, HTML and picture hold every clause, and what was shown of it."""
    frame = ablation.frame()

    assert list(frame["kind"]) == ["cue", "cue", "exclusion"]
    assert frame["verdict"].iloc[0].startswith("It adds 6.0 emails a day at the threshold;")
    assert json.loads(json.dumps(ablation.to_dict()))["positives"] == 10
    assert "names a lawyer" in ablation._repr_html_()
    assert ablation.plot().png().startswith(b"\x89PNG")


def test_the_only_cue_stays(wordings: Wordings) -> None:
    """What can't be dropped is named, and an instruction of one clause can't be ablated."""
    one = "Send it when the customer asks for a person."

    kept = ablate(
        f"{one} Do not send it when all is solved.", wordings, BUDGET, prevalence=0.3
    ).kept

    assert [clause.text for clause in kept] == ["the customer asks for a person"]
    with pytest.raises(DataError, match="without its only cue"):
        ablate(one, wordings, BUDGET, prevalence=0.3)


def test_tune_is_refused(wordings: Wordings) -> None:
    """Nothing is judged on the split that chose the threshold."""
    with pytest.raises(LeakageError, match="got 'tune'"):
        ablate(BOTH, wordings, BUDGET, prevalence=0.3, split=Split.TUNE)
    with pytest.raises(LeakageError, match="got 'tune'"):
        compare_versions(CUES, BOTH, wordings, BUDGET, prevalence=0.3, split=Split.TUNE)


def test_versions_flip_in_both_directions(wordings: Wordings) -> None:
    """The conversations that only one version emails are given, with the label's opinion."""
    before = "Send it when the customer asks for a person."
    after = "Send it when the customer names a lawyer."

    compared = compare_versions(before, after, wordings, BUDGET, prevalence=1 / 3)

    started = [flip for flip in compared.flips if flip.started]
    stopped = [flip for flip in compared.flips if not flip.started]
    assert (len(started), sum(flip.better for flip in started)) == (4, 4)
    assert (len(stopped), sum(flip.better for flip in stopped)) == (11, 5)
    # recall .4 - .6, emails 30 (1/3 (.4 - .6) + 2/3 (0 - .25)) = -7
    assert compared.at_thresholds.recall.value == pytest.approx(-0.2)
    assert compared.at_thresholds.email_rate.value * 30 == pytest.approx(-7)
    assert len(compared.frame()) == 15
    assert "hello" not in json.dumps(compared.to_dict())


def test_a_version_against_itself_differs_in_nothing(wordings: Wordings) -> None:
    """Identical versions give exactly 0 and no flip."""
    compared = compare_versions(BOTH, BOTH, wordings, BUDGET, prevalence=1 / 3)

    assert compared.flips == ()
    assert compared.at_volume.difference.value == 0
    assert [change.kind for change in compared.changes] == ["same"]


def test_words_are_marked_and_none_is_lost() -> None:
    """The parts that stay and go are the first text; those that stay and come, the second."""
    before, after = "send it when A asks\nor B", "send nothing when A asks\nor C"

    changes = word_changes(before, after)

    assert "".join(c.text for c in changes if c.kind != "added") == before
    assert "".join(c.text for c in changes if c.kind != "removed") == after
    assert [c.text.strip() for c in changes if c.kind == "added"] == ["nothing", "C"]
