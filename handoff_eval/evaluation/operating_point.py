"""A threshold with its memory: what it was chosen on and what is promised of it.

Standard library only, since a bundle carries it into production.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from handoff_eval.conversation import Split
from handoff_eval.errors import LeakageError


@dataclass(frozen=True, slots=True)
class Certificate:
    """A promise with the risk it may be wrong: a bound, issued on the split that chose it.

    With probability at least `confidence`, over the draw of the tune split, the share of needed
    handoffs that fire is at least `min_recall` and the share of conversations emailed at the
    stated prevalence is at most `max_email_rate`.

    Attributes
    ----------
    max_false_positive_rate : float
        What was tested on the negatives: (max_email_rate - prevalence) / (1 - prevalence).
    recall_risk, volume_risk : float
        The two halves of the risk, after division by `tries`.
    tries : int
        Number of triggers the choice was made among.
    positives, negatives : int
        Independent units tested, one conversation a customer.
    misses_allowed, fires_allowed : int
        Largest counts at which the exact binomial tests still hold.
    dataset_digest : str
        Fingerprint of the data it was issued on.
    """

    min_recall: float
    max_email_rate: float
    max_emails_per_day: float
    conversations_per_day: float
    prevalence: float
    max_false_positive_rate: float
    confidence: float
    recall_risk: float
    volume_risk: float
    tries: int
    positives: int
    negatives: int
    misses_allowed: int
    fires_allowed: int
    dataset_digest: str

    def __str__(self) -> str:
        return (
            f"With {self.confidence:.0%} confidence: at least {self.min_recall:.0%} of needed "
            f"handoffs fire, and mean volume is at most {self.max_emails_per_day:g} emails a day "
            f"at {self.conversations_per_day:g} conversations a day and a prevalence of "
            f"{self.prevalence:.1%} (exact tests on {self.positives} positives and "
            f"{self.negatives} negatives, one conversation a customer, risk shared over "
            f"{self.tries} trigger{'s' if self.tries != 1 else ''})."
        )


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold of one trigger, and where it comes from.

    Attributes
    ----------
    trigger : str
        Name of the trigger it cuts.
    threshold : float
        A decision fires at scores >= this.
    chosen_on : Split
        No figure of this point may be reported on that split.
    certificate : Certificate, optional
        None when the promise could not be proved.
    note : str
        One sentence on how it was chosen, and what is missing where it isn't certified.
    """

    trigger: str
    threshold: float
    chosen_on: Split
    certificate: Certificate | None
    note: str

    def check_reportable_on(self, split: Split | None) -> None:
        """Raise `LeakageError` where figures on `split` would be judged on what chose the point."""
        if split is not Split.TEST:
            raise LeakageError(
                f"Expected the operating point of {self.trigger!r} to be reported on the test "
                f"split; got {split.value if split else 'no split'!r}, and it was chosen on "
                f"{self.chosen_on.value!r}. Replay the test split and report that."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the point as JSON values."""
        values = asdict(self)
        values["chosen_on"] = self.chosen_on.value
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> OperatingPoint:
        """Read what `to_dict` wrote."""
        certificate = values["certificate"]
        return cls(
            trigger=values["trigger"],
            threshold=float(values["threshold"]),
            chosen_on=Split(values["chosen_on"]),
            certificate=None if certificate is None else Certificate(**certificate),
            note=values["note"],
        )
