"""May a bundle become the champion? Parity, certificate, and the paired loss to the present one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handoff_eval.conversation import LabeledConversation, Split
from handoff_eval.evaluation.comparison.paired import (
    SIGNIFICANCE,
    PairedDifference,
    paired_difference,
)
from handoff_eval.evaluation.gate.gate import RECALL_MARGIN, VOLUME_MARGIN, gate
from handoff_eval.evaluation.gate.verdict import EXIT_CODES, GateReport
from handoff_eval.evaluation.replay import Replay, replay
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.production.bundle import Bundle
from handoff_eval.production.parity import Parity


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the gate says of a challenger.

    Attributes
    ----------
    verdict : str
        `pass`, `fail`, or `too few` where the data can't rule a loss out.
    certificate, parity : str
        A sentence each.
    gate : GateReport or None
        Both triggers at their own thresholds; None where there is no champion.
    pair : PairedDifference or None
        Both at the budget's volume.
    blocked : str
        Why it doesn't pass; empty where it does.
    """

    verdict: str
    certificate: str
    parity: str
    gate: GateReport | None
    pair: PairedDifference | None
    blocked: str

    @property
    def exit_code(self) -> int:
        """0 for a pass, 1 for a fail, 3 where the data are too few to say."""
        return EXIT_CODES[self.verdict]

    def sentences(self) -> list[str]:
        """Return what was looked at, one a line."""
        lines = [f"Parity: {self.parity}.", f"Certificate: {self.certificate}"]
        if self.gate is None or self.pair is None:
            return [*lines, "Champion: none yet, so there is nothing to lose against."]
        difference = 100 * self.pair.difference.value
        low, high = 100 * self.pair.difference.low, 100 * self.pair.difference.high
        return [
            *lines,
            f"At the same volume ({self.pair.email_rate:.1%} of conversations) recall changes by "
            f"{difference:+.1f} points [{low:+.1f}, {high:+.1f}] "
            f"(n={self.pair.difference.n}, {self.pair.positives} positives, "
            f"p {self.pair.p_value:.2g}).",
            f"At their own thresholds: {self.gate}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the judgement as JSON values."""
        return {
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "parity": self.parity,
            "certificate": self.certificate,
            "gate": None if self.gate is None else self.gate.to_dict(),
            "paired_difference": None
            if self.pair is None
            else {
                **self.pair.difference.to_dict(),
                "email_rate": self.pair.email_rate,
                "positives": self.pair.positives,
                "p_value": self.pair.p_value,
            },
            "blocked": self.blocked,
        }


def judge(
    challenger: Bundle,
    parity: Parity,
    measured: Replay,
    labeled: Sequence[LabeledConversation],
    *,
    champion: Bundle | None,
    terms: Mapping[str, Any],
    accept_uncertified: str | None = None,
    recall_margin: float = RECALL_MARGIN,
    volume_margin: float = VOLUME_MARGIN,
    seed: int = 0,
) -> Judgement:
    """Judge a challenger on the conversations it was measured on.

    It passes when its certificate is valid, or somebody accepts in writing that it has none, and,
    where there is a champion, when the gate rules out a loss beyond the margins at both triggers'
    own thresholds and no loss is shown at the budget's volume. Where the champion learnt from these
    conversations the figures favour it, never the challenger.

    Parameters
    ----------
    challenger : Bundle
    parity : Parity
        As its export has shown it.
    measured : Replay
        Its scores of test.
    labeled : sequence of LabeledConversation
        The same conversations, in that order.
    champion : Bundle, optional
    terms : mapping
        What the challenger's card says was measured: budget and prevalence.
    accept_uncertified : str, optional
        Why a challenger without a certificate is good enough.
    recall_margin, volume_margin : float
        See `evaluation.gate`.
    seed : int
        Of resampling.

    Raises
    ------
    DataError
        When test lacks positives or negatives.
    """
    certificate = challenger.point.certificate
    valid = certificate is not None and certificate.status == "valid"
    if certificate is None:
        sentence = f"none. {challenger.point.note}"
    else:
        sentence = f"{certificate.id}, {certificate.status}. {certificate}"
    if not valid and accept_uncertified is not None:
        sentence += f" Accepted: {accept_uncertified}"
    blocked, verdict, report, pair = "", "pass", None, None
    if champion is not None:
        report, pair = _against(
            champion, challenger, measured, labeled, terms, recall_margin, volume_margin, seed
        )
        verdict = report.verdict
        if verdict != "pass":
            blocked = f"The gate says: {report}"
        elif pair.p_value < SIGNIFICANCE and pair.difference.value < 0:
            verdict, blocked = "fail", "It catches less than the champion at the same volume."
    if not valid and accept_uncertified is None:
        verdict = "fail"
        state = "has no certificate" if certificate is None else "has a revoked certificate"
        blocked = (
            f"It {state}. Compare with what would certify it, or say with --accept-uncertified "
            f"REASON why it is good enough without. {blocked}"
        ).strip()
    return Judgement(verdict, sentence, str(parity), report, pair, blocked)


def _against(
    champion: Bundle,
    challenger: Bundle,
    measured: Replay,
    labeled: Sequence[LabeledConversation],
    terms: Mapping[str, Any],
    recall_margin: float,
    volume_margin: float,
    seed: int,
) -> tuple[GateReport, PairedDifference]:
    played = replay(champion.trigger, [item.conversation for item in labeled])
    old, new = (ScoredSplit.join(r, labeled, Split.TEST) for r in (played, measured))
    prevalence = float(terms["prevalence"]["deployment"])
    budget = terms["budget"]
    report = gate(
        old.peak >= champion.point.threshold,
        new.peak >= challenger.point.threshold,
        positive=np.array([item.label.handoff for item in labeled], dtype=bool),
        groups=list(new.groups),
        prevalence=prevalence,
        weight=new.weight,
        recall_margin=recall_margin,
        volume_margin=volume_margin,
        seed=seed,
    )
    pair = paired_difference(
        new,
        old,
        email_rate=budget["max_emails_per_day"] / budget["conversations_per_day"],
        prevalence=prevalence,
        seed=seed,
    )
    return report, pair
