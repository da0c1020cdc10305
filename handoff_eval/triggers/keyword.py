"""Keyword rules an analyst can edit in a text file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from handoff_eval.conversation import Reason, Role, Turn
from handoff_eval.errors import SettingsError
from handoff_eval.trigger import Explanation


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a rules file: how strongly a pattern in a turn speaks for a handoff.

    Attributes
    ----------
    weight : float
        In (0, 1]; the chance, by the writer's judgement, that the match means a handoff.
    role : Role
        Whose turns are searched.
    reason : Reason
        What the match says.
    pattern : str
        Regular expression, matched without regard to case.
    """

    weight: float
    role: Role
    reason: Reason
    pattern: str


class KeywordTrigger:
    """Scores 1 minus the product of (1 - weight) over the distinct rules matched so far.

    Parameters
    ----------
    rules : sequence of Rule
        From `read_rules`, or `default_rules()`.
    """

    name = "keyword"

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.description = f"{len(self.rules)} keyword rules"
        self._compiled = [re.compile(rule.pattern, re.IGNORECASE) for rule in self.rules]

    def encode(self, turns: Sequence[Turn]) -> list[int]:
        """Return one integer a turn: bit i is set where rule i matches."""
        return [
            sum(
                1 << index
                for index, (rule, compiled) in enumerate(
                    zip(self.rules, self._compiled, strict=True)
                )
                if rule.role is turn.role and compiled.search(turn.text)
            )
            for turn in turns
        ]

    def start(self) -> int:
        """Return the state before the first turn: no rule matched."""
        return 0

    def update(self, state: int, observation: int) -> int:
        """Return the rules matched so far."""
        return state | observation

    def score(self, states: Sequence[int], closed: Sequence[bool]) -> list[float]:  # noqa: ARG002 - protocol
        """Return one score in [0, 1] a state; the close adds nothing to what was said."""
        scores = []
        for state in states:
            unlikely = 1.0
            for index, rule in enumerate(self.rules):
                if state >> index & 1:
                    unlikely *= 1 - rule.weight
            scores.append(1 - unlikely)
        return scores

    def explain(self, turns: Sequence[Turn], *, closed: bool) -> Explanation:  # noqa: ARG002 - protocol
        """Return the reason of the strongest rule matched and the first turn that matches it."""
        observations = self.encode(turns)
        matched = [
            (rule.weight, -index, index)
            for index, rule in enumerate(self.rules)
            if any(observation >> index & 1 for observation in observations)
        ]
        if not matched:
            return Explanation()
        strongest = max(matched)[2]
        turn = next(i for i, o in enumerate(observations) if o >> strongest & 1)
        return Explanation(self.rules[strongest].reason, turn)


def default_rules() -> tuple[Rule, ...]:
    """Return the rules the package ships."""
    return parse_rules(
        files("handoff_eval.triggers").joinpath("keyword.txt").read_text(encoding="utf-8"),
        source="keyword.txt",
    )


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read a rules file; see `keyword.txt` beside this module for the form."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: expected a text file in UTF-8; {error}.") from None
    return parse_rules(text, source=str(path))


def parse_rules(text: str, *, source: str) -> tuple[Rule, ...]:
    """Parse lines of `weight | role | reason | pattern`; `#` starts a comment line.

    Raises
    ------
    SettingsError
        Naming source and line, for the first line that isn't of this form, or without any rule.
    """
    rules = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{source}:{number}"
        parts = [part.strip() for part in line.split("|", 3)]
        if len(parts) != 4 or not parts[3]:
            raise SettingsError(
                f"{where}: expected 'weight | role | reason | pattern'; got {line.strip()!r}."
            )
        rules.append(
            Rule(
                _weight(parts[0], where), _role(parts[1], where), _reason(parts[2], where), parts[3]
            )
        )
        try:
            re.compile(parts[3])
        except re.error as error:
            raise SettingsError(
                f"{where}: expected a regular expression; got {parts[3]!r} ({error})."
            ) from None
    if not rules:
        raise SettingsError(f"{source}: expected at least one rule; got none.")
    return tuple(rules)


def _weight(text: str, where: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = float("nan")
    if not 0 < weight <= 1:
        raise SettingsError(f"{where}: expected a weight above 0 and at most 1; got {text!r}.")
    return weight


def _role(text: str, where: str) -> Role:
    if text not in {role.value for role in Role}:
        raise SettingsError(f"{where}: expected one of {', '.join(Role)}; got the role {text!r}.")
    return Role(text)


def _reason(text: str, where: str) -> Reason:
    if text not in {reason.value for reason in Reason}:
        raise SettingsError(
            f"{where}: expected one of {', '.join(Reason)}; got the reason {text!r}."
        )
    return Reason(text)
