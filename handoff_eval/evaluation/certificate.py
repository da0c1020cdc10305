"""What is promised of a threshold, on what evidence, and whether the promise still stands.

Standard library only, since a bundle carries it into production.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

NEGATIVES_ARE_HARD = (
    "labelled negatives are usually harder than real traffic, so the volume is overstated"
)


@dataclass(frozen=True, slots=True)
class RecallPromise:
    """That few needed handoffs are missed.

    Attributes
    ----------
    min_recall : float
        The share promised.
    customers : bool
        Of what: False for needed handoffs, one drawn of each customer; True for customers, each
        of whom had every needed handoff caught.
    on_time_within : int or None
        A fire counts when it comes no later than the due decision point plus this many, an early
        one included; None counts it whenever it comes.
    units, allowed : int
        Independent positives tested, and the most of them that may be missed.
    risk : float
        Probability at most that the promise is issued and broken; what the binomial can spend.
    """

    min_recall: float
    customers: bool
    on_time_within: int | None
    units: int
    allowed: int
    risk: float

    def __str__(self) -> str:
        due = {None: "", 0: " on time"}.get(
            self.on_time_within, f" no later than {self.on_time_within} decision points after due"
        )
        if self.customers:
            share = f"{self.min_recall:.0%} of customers in need"
            return f"for at least {share} every needed handoff fires{due}"
        return f"at least {self.min_recall:.0%} of needed handoffs fire{due}"

    @property
    def evidence(self) -> str:
        """The exact test behind it, in words."""
        unit = "customers in need" if self.customers else "positives, one conversation a customer"
        return f"at most {self.allowed} missed of {self.units} {unit}"


@dataclass(frozen=True, slots=True)
class VolumePromise:
    """That not too many emails are sent.

    Attributes
    ----------
    max_emails_per_day, conversations_per_day : float
        The budget: a mean at that traffic, or with `max_days_above` a daily limit.
    max_days_above : float or None
        Share of days that may go above the limit; None promises the mean alone.
    prevalence : float or None
        Where the test was on negatives: the deployment prevalence it leans on.
    max_share : float
        What was tested: share of conversations that fire, of negatives that fire, or of days above.
    units, allowed : int
        Independent units tested, and the most of them that may fire or go above.
    risk : float
        Probability at most that the promise is issued and broken.
    source : str
        Name and fingerprint of the traffic; empty where the negatives of tune were used.
    assumption : str
        What must hold beside the test.
    """

    max_emails_per_day: float
    conversations_per_day: float
    max_days_above: float | None
    prevalence: float | None
    max_share: float
    units: int
    allowed: int
    risk: float
    source: str
    assumption: str

    def __str__(self) -> str:
        if self.max_days_above is not None:
            return (
                f"at most {self.max_days_above:.0%} of days have more than "
                f"{self.max_emails_per_day:g} emails"
            )
        at = "" if self.prevalence is None else f" and a prevalence of {self.prevalence:.1%}"
        return (
            f"mean volume is at most {self.max_emails_per_day:g} emails a day at "
            f"{self.conversations_per_day:g} conversations a day{at}"
        )

    @property
    def evidence(self) -> str:
        """The exact test behind it, in words."""
        if self.max_days_above is not None:
            return f"at most {self.allowed} of {self.units} days above"
        kind = "negatives" if self.prevalence is not None else "conversations of unlabelled traffic"
        return f"at most {self.allowed} fires of {self.units} {kind}, one conversation a customer"


@dataclass(frozen=True, slots=True)
class Revocation:
    """That a certificate no longer stands: since when, and what was seen."""

    reason: str
    revoked_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return the revocation as JSON values."""
        return {"reason": self.reason, "revoked_at": self.revoked_at.isoformat()}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A promise with the risk it may be wrong: a bound, issued on the split that chose it.

    The probability, over the draw of tune and traffic, that it is issued and either promise is
    broken at any threshold in (`lowest`, `highest`] is at most `1 - confidence`.

    Attributes
    ----------
    trigger : str
    threshold : float
        The one deployed, midway between two observed scores.
    lowest, highest : float
        The interval within which every threshold keeps both promises.
    confidence : float
    tries : int
        Triggers, instructions or budgets that were tried on tune; the risk is divided by it.
    recall : RecallPromise
    volume : VolumePromise
    dataset_digest : str
        Fingerprint of the labelled data it was issued on.
    seed : int
        Of the draw of one conversation a customer, and of thinning by weight.
    issued_at : datetime
    revoked : Revocation or None
    """

    trigger: str
    threshold: float
    lowest: float
    highest: float
    confidence: float
    tries: int
    recall: RecallPromise
    volume: VolumePromise
    dataset_digest: str
    seed: int
    issued_at: datetime
    revoked: Revocation | None = None

    def __str__(self) -> str:
        tries = "1 try" if self.tries == 1 else f"{self.tries} tries"
        text = (
            f"With {self.confidence:.0%} confidence: {self.recall}, and {self.volume} (exact "
            f"tests: {self.recall.evidence}; {self.volume.evidence}; risk shared over {tries})."
        )
        if self.volume.assumption:
            text += f" It assumes: {self.volume.assumption}."
        if self.revoked is not None:
            when = f"{self.revoked.revoked_at:%Y-%m-%d}"
            text = f"REVOKED on {when}: {self.revoked.reason} It said: {text}"
        return text

    @property
    def id(self) -> str:
        """Sixteen hex digits that stand for what is promised and on what evidence.

        The time of issue and a revocation don't change it, so the same evidence gives the same id.
        """
        return str(self.to_dict()["id"])

    @property
    def status(self) -> str:
        """`valid` or `revoked`."""
        return "valid" if self.revoked is None else "revoked"

    @property
    def max_email_rate(self) -> float:
        """Emails per conversation that the budget allows on average."""
        return self.volume.max_emails_per_day / self.volume.conversations_per_day

    def revoke(self, reason: str, *, at: datetime) -> Certificate:
        """Return the same certificate as one that no longer stands; the first revocation stays."""
        return self if self.revoked is not None else replace(self, revoked=Revocation(reason, at))

    def to_dict(self) -> dict[str, Any]:
        """Return the certificate as JSON values, with id and status; an edge at -inf is None."""
        values = {
            name: getattr(self, name)
            for name in ("trigger", "threshold", "confidence", "tries", "dataset_digest", "seed")
        }
        values["lowest"] = self.lowest if self.lowest > float("-inf") else None
        values["highest"] = self.highest
        values["recall"] = asdict(self.recall)
        values["volume"] = asdict(self.volume)
        values["issued_at"] = self.issued_at.isoformat()
        values["revoked"] = None if self.revoked is None else self.revoked.to_dict()
        return values | {"status": self.status, "id": _id_of(values)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Certificate:
        """Read what `to_dict` wrote.

        Raises
        ------
        ValueError
            When the id isn't that of the content, which was then changed by hand.
        """
        plain = {name: value for name, value in values.items() if name not in {"id", "status"}}
        revoked = plain["revoked"]
        certificate = cls(
            **plain
            | {
                "lowest": float("-inf") if plain["lowest"] is None else plain["lowest"],
                "recall": RecallPromise(**plain["recall"]),
                "volume": VolumePromise(**plain["volume"]),
                "issued_at": datetime.fromisoformat(plain["issued_at"]),
                "revoked": None
                if revoked is None
                else Revocation(revoked["reason"], datetime.fromisoformat(revoked["revoked_at"])),
            }
        )
        if values.get("id") != certificate.id:
            raise ValueError(
                f"Expected a certificate with id {certificate.id}, which its content has; got "
                f"{values.get('id')!r}. It was changed after it was issued."
            )
        return certificate


def _id_of(values: dict[str, Any]) -> str:
    kept = {name: value for name, value in values.items() if name not in {"issued_at", "revoked"}}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
