"""A threshold with its memory: what it was chosen on and what is promised of it.

Standard library only, since a bundle carries it into production.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from handoff_eval.conversation import Split
from handoff_eval.errors import LeakageError
from handoff_eval.evaluation.certificate import Certificate

_CHANGES = (
    ({"positives", "volume_units"}, "more labels like these"),
    ({"emails_per_day"}, "more emails"),
    ({"recall"}, "half the recall"),
)
"""What was tried by one change alone: its names, and in words."""


@dataclass(frozen=True, slots=True)
class WayOut:
    """One change after which both promises could be certified.

    Attributes
    ----------
    change : str
        `positives`, `volume_units`, `emails_per_day` or `recall`.
    now, needed : float
        Its present value and the one that would do, found by running the tests again.
    sentence : str
    """

    change: str
    now: float
    needed: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why nothing is certified, by how much, and what would help.

    Attributes
    ----------
    side : str
        `recall` or `volume` where that test fails on its own, `both` where they leave no
        threshold between them.
    sentence : str
    ways_out : tuple of WayOut
        Each alone would do; empty where no single change does.
    """

    side: str
    sentence: str
    ways_out: tuple[WayOut, ...]

    def __str__(self) -> str:
        if not self.ways_out:
            return f"{self.sentence} No single change of labels, budget or recall would do."
        ways = "; or ".join(way.sentence for way in self.ways_out)
        which = "This" if len(self.ways_out) == 1 else "Any of these"
        found = {way.change for way in self.ways_out}
        others = [words for changes, words in _CHANGES if not changes & found]
        said = f"{self.sentence} {which} would do: {ways}."
        if len(others) == 2:
            return f"{said} Neither {others[0]} nor {others[1]} would."
        return f"{said} {others[0].capitalize()} would not." if others else said


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
        How it was chosen, and what is missing where it isn't certified.
    shortfall : Shortfall, optional
        Why there is no certificate.
    """

    trigger: str
    threshold: float
    chosen_on: Split
    certificate: Certificate | None
    note: str
    shortfall: Shortfall | None = None

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
        return {
            "trigger": self.trigger,
            "threshold": self.threshold,
            "chosen_on": self.chosen_on.value,
            "certificate": None if self.certificate is None else self.certificate.to_dict(),
            "note": self.note,
            "shortfall": None if self.shortfall is None else asdict(self.shortfall),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> OperatingPoint:
        """Read what `to_dict` wrote."""
        certificate, shortfall = values["certificate"], values["shortfall"]
        return cls(
            trigger=values["trigger"],
            threshold=float(values["threshold"]),
            chosen_on=Split(values["chosen_on"]),
            certificate=None if certificate is None else Certificate.from_dict(certificate),
            note=values["note"],
            shortfall=None
            if shortfall is None
            else Shortfall(
                shortfall["side"],
                shortfall["sentence"],
                tuple(WayOut(**way) for way in shortfall["ways_out"]),
            ),
        )
