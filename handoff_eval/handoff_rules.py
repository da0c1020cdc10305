"""How a handoff reaches the team: the cap on emails, the warning about volume, the live side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any
from urllib.parse import urlsplit

from handoff_eval.conversation import Reason
from handoff_eval.errors import SettingsError
from handoff_eval.hours import clock_time

SERVICES = ("intercom", "zendesk")


@dataclass(frozen=True, slots=True)
class Cap:
    """How many emails of a handoff go out on their own in a day; the rest waits for a digest.

    Parameters
    ----------
    per_day : int
        From midnight to midnight in the zone of the business hours, else in UTC.
    digest_at : time
        When the digest of those beyond is due, each day.
    urgent : tuple of Reason
        Reasons that pass the cap.
    """

    per_day: int
    digest_at: time = time(17)
    urgent: tuple[Reason, ...] = (Reason.COMPLAINT, Reason.HUMAN_REVIEW)

    def __post_init__(self) -> None:
        if not isinstance(self.per_day, int) or isinstance(self.per_day, bool) or self.per_day < 0:
            raise SettingsError(
                f"Expected per_day to be a whole number of emails; got {self.per_day!r}."
            )

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Cap:
        """Read a `cap` table of a handoff file: `per_day`, `digest_at = "17:00"`, `urgent`.

        Raises
        ------
        SettingsError
            When a value is not of that form.
        """
        values = dict(table)
        if "digest_at" in values:
            values["digest_at"] = clock_time(values["digest_at"], "digest_at")
        if "urgent" in values:
            try:
                values["urgent"] = tuple(Reason(reason) for reason in values["urgent"])
            except (TypeError, ValueError):
                raise SettingsError(
                    f"Expected urgent to list some of {', '.join(Reason)}; got {table['urgent']!r}."
                ) from None
        return cls(**values)


@dataclass(frozen=True, slots=True)
class VolumeWarning:
    """When the team is told that the volume has left what was certified.

    Parameters
    ----------
    daily_risk : float
        Largest chance of a false warning on a day whose volume is within the range.
    every_days : int
        At most one warning in so many days.
    """

    daily_risk: float = 0.001
    every_days: int = 7

    def __post_init__(self) -> None:
        risk, days = self.daily_risk, self.every_days
        if not isinstance(risk, float) or not 0 < risk < 0.5:
            raise SettingsError(f"Expected daily_risk to lie between 0 and 0.5; got {risk!r}.")
        if not isinstance(days, int) or isinstance(days, bool) or days < 1:
            raise SettingsError(f"Expected every_days to be 1 or more; got {days!r}.")


@dataclass(frozen=True, slots=True)
class LiveSide:
    """A help desk that is tried before the email while the team is open.

    Parameters
    ----------
    service : str
        `intercom` or `zendesk`.
    url : str
        Base of its API, over HTTPS: `https://api.intercom.io`, `https://acme.zendesk.com`.
    timeout : float
        Seconds to wait for an answer; after that the email goes.
    """

    service: str
    url: str
    timeout: float = 10.0

    def __post_init__(self) -> None:
        if self.service not in SERVICES:
            raise SettingsError(
                f"Expected service to be one of {', '.join(SERVICES)}; got {self.service!r}."
            )
        parts = urlsplit(self.url if isinstance(self.url, str) else "")
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise SettingsError(
                f"Expected url to begin with https://, since a token is sent there; got "
                f"{self.url!r}."
            )
        if not isinstance(self.timeout, int | float) or not 0 < self.timeout <= 120:
            raise SettingsError(
                f"Expected timeout to be seconds above 0, 120 at most; got {self.timeout!r}."
            )
