"""Keyword rules: the file's form, the noisy-or of matches, the reason of the strongest."""

from __future__ import annotations

from pathlib import Path

import pytest

from handoff_eval.conversation import Reason
from handoff_eval.errors import SettingsError
from handoff_eval.evaluation.replay import replay
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules, parse_rules, read_rules
from tests.builders import talk

RULES = """
# comment
0.5 | customer | human_requested | human
0.4 | customer | complaint       | angry|furious
0.2 | agent    | unresolved      | can't
"""


def test_scores_combine_distinct_rules() -> None:
    """Two rules give 1 - (1 - .5)(1 - .4) = .7, and a rule that matches twice counts once."""
    trigger = KeywordTrigger(parse_rules(RULES, source="rules"))
    conversation = talk("C: HUMAN", "A: I can't", "C: human, I'm furious | angry")

    played = replay(trigger, [conversation])

    # after turn 0: .5; after turn 2: 1 - .5 * .6 * .8
    assert played.scores == pytest.approx([0.5, 0.76, 0.76])


def test_explanation_is_the_strongest_rule_at_its_first_match() -> None:
    """The reason comes from the heaviest rule and the turn from where it first matched."""
    trigger = KeywordTrigger(parse_rules(RULES, source="rules"))

    found = trigger.explain(talk("C: angry", "A: ok", "C: human").turns, closed=False)

    assert (found.reason, found.evidence_turn) == (Reason.HUMAN_REQUESTED, 2)
    assert trigger.explain(talk("C: hi").turns, closed=True).reason is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0.5 | customer | complaint", "expected 'weight | role | reason | pattern'"),
        ("2 | customer | complaint | x", "weight above 0 and at most 1; got '2'"),
        ("nan | customer | complaint | x", "weight above 0 and at most 1; got 'nan'"),
        ("0.5 | client | complaint | x", "got the role 'client'"),
        ("0.5 | customer | rage | x", "got the reason 'rage'"),
        ("0.5 | customer | complaint | (", "expected a regular expression"),
        ("# nothing", "expected at least one rule"),
    ],
)
def test_a_wrong_line_is_named(line: str, message: str) -> None:
    """The error says file, line, what was expected and what came."""
    with pytest.raises(SettingsError, match=message.replace("|", r"\|")):
        parse_rules(line, source="mine.txt")


def test_rules_come_from_a_file(tmp_path: Path) -> None:
    """An analyst's file replaces the shipped rules; a missing one is said to be missing."""
    (tmp_path / "rules.txt").write_text(RULES)

    assert len(read_rules(tmp_path / "rules.txt")) == 3
    with pytest.raises(SettingsError, match="expected a text file"):
        read_rules(tmp_path / "none.txt")


def test_shipped_rules_cover_every_reason_but_other() -> None:
    """The default file parses and speaks to each reason that words can show."""
    assert {rule.reason for rule in default_rules()} == set(Reason) - {Reason.OTHER}
