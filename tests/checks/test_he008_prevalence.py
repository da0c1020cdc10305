"""HE008: the sample's prevalence is far from the traffic's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handoff_eval.conversation import Customer
from handoff_eval.transcripts.read import Dataset
from tests.checks.build import answers, dataset, found, talks, why_not


def with_share(positives: int, negatives: int) -> Dataset:
    """Return a dataset with these numbers of each kind."""
    yes, no = talks(positives), talks(negatives, prefix="n")
    return dataset(yes + no, answers(yes, handoff=True) + answers(no, handoff=False))


@pytest.mark.parametrize("positives", [30, 1])
def test_a_share_far_off_is_told_in_both_directions(positives: int) -> None:
    """30 % or 1 % in the sample are far from 8 % of the traffic, and both are named."""
    (finding,) = found("HE008", with_share(positives, 100 - positives), prevalence=0.08)

    assert (finding.severity, finding.count) == ("warning", 100)
    assert f"{positives}.0% of the 100 labelled" in finding.sentence
    assert "8.0% of the traffic" in finding.sentence


def test_within_twice_the_odds_passes() -> None:
    """Odds of 30:70 are 1.7 times those of 20:80, which is near enough."""
    assert found("HE008", with_share(300, 700), prevalence=0.2) == []


def test_chance_is_no_finding() -> None:
    """2 of 20 against 4 % is far in odds but within 1.96 sqrt(.04 * .96 / 20) = .086."""
    assert found("HE008", with_share(2, 18), prevalence=0.04) == []


def test_a_sample_without_positives_is_far_from_any_traffic() -> None:
    """Odds of zero are no division by zero."""
    (finding,) = found("HE008", with_share(0, 100), prevalence=0.3)

    assert finding.sentence.startswith("0.0% of the 100")


def test_labels_count_for_what_they_stand_for() -> None:
    """40 positives, and 40 negatives drawn one in ten: 40 of 440 are 9.1 %, and not 50 %."""
    yes, no = talks(40), talks(40, prefix="n")
    labels = answers(yes, handoff=True) + answers(no, handoff=False, sampling_probability=0.1)
    drawn = dataset(yes + no, labels)

    assert found("HE008", drawn, prevalence=0.08) == []
    # Odds of 10 : 100 against 30 : 70; 440^2 / (40 + 4000) = 48 customers, 1.96 errors are .13.
    (finding,) = found("HE008", drawn, prevalence=0.3)
    assert finding.sentence.startswith(
        "9.1% of what the 80 labelled conversations were drawn from need a handoff, 30.0%"
    )


def test_one_customer_is_one_observation() -> None:
    """30 positives of 100 are far from 10 %, but not when five customers wrote them all."""
    data = with_share(30, 70)
    few = replace(
        data,
        conversations=tuple(
            replace(c, customer=Customer(id=f"u-{i % 5}")) for i, c in enumerate(data.conversations)
        ),
    )

    assert len(found("HE008", data, prevalence=0.1)) == 1
    # 1.96 sqrt(.1 * .9 / 5) = .26, more than .2.
    assert found("HE008", few, prevalence=0.1) == []


def test_it_needs_the_prevalence() -> None:
    """Without --prevalence there is nothing to compare with."""
    assert "(--prevalence)" in why_not("HE008", with_share(1, 1))
