"""HE012-HE017: what the labels say, of each other and of the conversation."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

from handoff_eval.conversation import ADJUDICATED, LabeledConversation, Role
from handoff_eval.evaluation.agreement import UNNAMED, annotator_agreements, annotators
from handoff_eval.evaluation.checks.base import (
    CannotRun,
    Check,
    Finding,
    Inputs,
    count_of,
    first_few,
    verb,
)
from handoff_eval.severity import Severity
from handoff_eval.transcripts.refusals import shown

GOOD_KAPPA = 0.6
FEW_POSITIVES = 20
MOST = 0.8


def contradictions(inputs: Inputs) -> Iterator[Finding]:
    """HE012: annotators contradict each other and nobody adjudicated."""
    inputs.need_labels()
    answers: dict[str, set[bool]] = {}
    adjudicated = set()
    for label in inputs.dataset.labels:
        answers.setdefault(label.conversation_id, set()).add(label.handoff)
        if label.annotator == ADJUDICATED:
            adjudicated.add(label.conversation_id)
    open_ones = [i for i, said in answers.items() if len(said) > 1 and i not in adjudicated]
    if open_ones:
        number = len(open_ones)
        yield Finding(
            "HE012",
            Severity.WARNING,
            f"{count_of(number, 'conversation')} {verb(number, 'has', 'have')} labels that "
            "contradict each other, and the one written last counts; decide each and write it as "
            f"annotator '{ADJUDICATED}'.",
            number,
            first_few(open_ones),
        )


def annotators_agree(inputs: Inputs) -> Iterator[Finding]:
    """HE013: the agreement of each two annotators, a warning where kappa is low."""
    inputs.need_labels()
    dataset = inputs.dataset
    named = [name for name in annotators(dataset) if name not in {UNNAMED, ADJUDICATED}]
    if len(named) < 2:
        raise CannotRun("fewer than two annotators are named")
    pairs = annotator_agreements(dataset, seed=inputs.seed)
    if not pairs:
        raise CannotRun("no two annotators share a conversation")
    for pair in pairs:
        low = not isnan(pair.kappa.value) and pair.kappa.value < GOOD_KAPPA
        turns = ""
        if pair.both:
            turns = f", on the turn within one decision point {pair.within_one_point}"
        advice = (
            "read the disagreements, sharpen the labelling guide and label again"
            if low
            else "report it with the data"
        )
        yield Finding(
            "HE013",
            Severity.WARNING if low else Severity.INFO,
            f"{shown(pair.first)} and {shown(pair.second)} agree with kappa {pair.kappa}{turns}; "
            f"{advice}.",
            pair.kappa.n,
        )


def turn_is_last(inputs: Inputs) -> Iterator[Finding]:
    """HE014: most labelled turns are the last one of their conversation."""
    placed = [i for i in inputs.need_positives() if i.label.at_turn is not None]
    if len(placed) < FEW_POSITIVES:
        raise CannotRun(f"fewer than {FEW_POSITIVES} positives have 'at_turn'")
    last = [i for i in placed if not _customer_turn_after(i)]
    share = len(last) / len(placed)
    if share > MOST:
        yield Finding(
            "HE014",
            Severity.WARNING,
            f"{share:.0%} of the {len(placed)} positives with 'at_turn' name the end of the "
            "conversation: either it was cut there, which gives the answer away by its length, or "
            "'at_turn' was filled in without looking; keep the turns that followed, or label the "
            "turn anew.",
            len(last),
            first_few(i.conversation.id for i in last),
        )


def turn_before_customer(inputs: Inputs) -> Iterator[Finding]:
    """HE015: the labelled turn lies before anything the customer said."""
    early = [
        i.conversation.id
        for i in inputs.need_positives()
        if i.label.at_turn is not None
        and not any(t.role is Role.CUSTOMER for t in i.conversation.turns[: i.label.at_turn + 1])
    ]
    if early:
        number = len(early)
        yield Finding(
            "HE015",
            Severity.WARNING,
            f"{count_of(number, 'positive')} {verb(number, 'has', 'have')} 'at_turn' before the "
            "customer's first turn, when nothing could be known; 'at_turn' counts from 0 over all "
            "turns: correct it.",
            number,
            first_few(early),
        )


def turn_unknown(inputs: Inputs) -> Iterator[Finding]:
    """HE016: most positives have no labelled turn."""
    positives = inputs.need_positives()
    unknown = [i.conversation.id for i in positives if i.label.at_turn is None]
    share = len(unknown) / len(positives)
    if share > MOST:
        yield Finding(
            "HE016",
            Severity.WARNING,
            f"{share:.0%} of the {len(positives)} positives have no 'at_turn', which says that "
            "they became true only at the close, and every fire before it counts as early; where "
            "that isn't meant, label the turn.",
            len(unknown),
            first_few(unknown),
        )


def reasons_given(inputs: Inputs) -> Iterator[Finding]:
    """HE017: positives without a reason."""
    positives = inputs.need_positives()
    without = [i.conversation.id for i in positives if not i.label.reasons]
    if without:
        number = len(without)
        yield Finding(
            "HE017",
            Severity.INFO,
            f"{count_of(number, 'positive')} of {len(positives)} {verb(number, 'gives', 'give')} "
            "no reason, and will be missing where emails are counted by reason; add 'reasons' to "
            f"{verb(number, 'its label', 'their labels')}.",
            number,
            first_few(without),
        )


def _customer_turn_after(item: LabeledConversation) -> bool:
    after = (item.label.at_turn or 0) + 1
    return any(turn.role is Role.CUSTOMER for turn in item.conversation.turns[after:])


CHECKS = (
    Check("HE012", "contradictions decided", contradictions),
    Check("HE013", "agreement of annotators", annotators_agree),
    Check("HE014", "labelled turns inside the conversation", turn_is_last),
    Check("HE015", "labelled turns after the customer spoke", turn_before_customer),
    Check("HE016", "labelled turns given", turn_unknown),
    Check("HE017", "reasons given", reasons_given),
)
