"""No email is lost and none is sent twice, whatever the server does and whoever is killed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.faults.account import cause_of
from tests.faults.campaign import Campaign, run_campaign
from tests.faults.emails import expected_end


def assert_kept_promises(campaign: Campaign, *, messages: int) -> None:
    """Check what has to hold after any campaign."""
    account = campaign.account
    dead = sum(expected_end(number).status == "dead" for number in range(messages))
    assert account.lost == ()
    assert account.unaccounted == ()
    assert account.altered == ()
    assert account.misjudged == ()
    assert (account.sent, account.dead) == (messages - dead, dead)
    assert account.kept_once + account.kept_again == account.sent
    assert campaign.unclean == ()


@pytest.mark.medium
def test_two_hundred_emails_survive_faults_and_kills() -> None:
    """A small campaign loses nothing and doubles nothing outside the window."""
    campaign = run_campaign(200, workers=4, patience=0.6, lease=4.5)

    assert_kept_promises(campaign, messages=200)
    assert campaign.killed >= 5
    assert campaign.account.faults.total() >= 10


@pytest.mark.faults
def test_five_thousand_emails_survive_faults_and_kills() -> None:
    """The full campaign meets every fault, and workers die with emails in their hands."""
    campaign = run_campaign(5000)

    assert_kept_promises(campaign, messages=5000)
    assert campaign.killed >= 100
    assert campaign.account.interrupted >= 50
    assert campaign.account.after_kill >= 1
    assert len(campaign.account.faults) == 19


@pytest.mark.faults
def test_five_hundred_emails_survive_over_postgres(postgres_url: str) -> None:
    """The same promises hold where the workers share a database."""
    campaign = run_campaign(500, workers=4, database=postgres_url)

    assert_kept_promises(campaign, messages=500)
    assert campaign.killed >= 10


@pytest.mark.parametrize(
    ("replied", "attempts", "kills", "cause"),
    [
        (True, [], [], "unaccounted"),
        (False, [], [], "lost reply"),
        (True, [(1.5, "retry", "timed out")], [], "late reply"),
        (True, [(0.5, "retry", "timed out")], [], "unaccounted"),
        (True, [(1.5, "retry", "451 later")], [], "unaccounted"),
        (True, [], [1.2], "kill"),
        (True, [], [2.5], "unaccounted"),
        (False, [(1.5, "delivered", "")], [1.6], "unaccounted"),
    ],
)
def test_a_second_copy_needs_a_cause_between_the_two(
    replied: bool, attempts: list[tuple[float, str, str]], kills: list[float], cause: str
) -> None:
    """The account excuses a copy only by an event in its window, never after our commit."""
    first, second = {"at": 1.0, "replied": replied}, {"at": 2.0, "replied": True}
    noted = [{"at": at, "outcome": outcome, "words": words} for at, outcome, words in attempts]

    assert [cause_of(a, b["at"], noted, kills) for a, b in pairwise([first, second])] == [cause]


def test_one_kill_excuses_one_copy() -> None:
    """A worker that died once can't account for two further copies."""
    kills = [1.5]
    copy = {"at": 1.0, "replied": True}

    assert [cause_of(copy, at, [], kills) for at in (2.0, 3.0)] == ["kill", "unaccounted"]
