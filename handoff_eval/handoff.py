"""A handoff as a dashboard shows it: when to trigger, who gets the email, by when, how many."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from handoff_eval.errors import SettingsError
from handoff_eval.handoff_rules import Cap, LiveSide, VolumeWarning
from handoff_eval.hours import BusinessHours

DEFAULT_INSTRUCTION = (
    "Send an email summary when the user's issue hasn't been resolved, when they ask to be "
    "followed up by email, or when the conversation involves a request that requires human review."
)


@dataclass(frozen=True, slots=True)
class Budget:
    """What the team can bear.

    Parameters
    ----------
    max_emails_per_day : float
        Mean number of handoff emails a day the team can read.
    min_recall : float
        Share of the needed handoffs it won't go below, in (0, 1).
    conversations_per_day : float
        Traffic that the emails come from.
    prevalence : float, optional
        Share of deployed conversations that need a handoff, in (0, 1); None when unknown.
    confidence : float
        Probability with which a certificate keeps both promises.
    max_days_above : float, optional
        Share of days that may have more than `max_emails_per_day`, in (0, 1): a promise for the
        days, which needs daily traffic; None promises the mean alone.
    customers : bool
        The recall is of customers none of whose needed handoffs is missed, not of handoffs.
    on_time_within : int, optional
        Only fires no later than the due decision point plus this many count as caught, early
        ones included; None counts a fire whenever it comes.
    needless_email_cost, lost_customer_cost : float, optional
        What one costs, in any unit common to both; state both or neither.
    """

    max_emails_per_day: float
    min_recall: float
    conversations_per_day: float
    prevalence: float | None = None
    confidence: float = 0.95
    max_days_above: float | None = None
    customers: bool = False
    on_time_within: int | None = None
    needless_email_cost: float | None = None
    lost_customer_cost: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_emails_per_day", "conversations_per_day"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 < value < float("inf")):
                raise SettingsError(f"Expected {name} to be a number above 0; got {value!r}.")
        for name in ("min_recall", "confidence", "prevalence", "max_days_above"):
            value = getattr(self, name)
            if name in {"prevalence", "max_days_above"} and value is None:
                continue
            if not (_is_number(value) and 0 < value < 1):
                raise SettingsError(
                    f"Expected {name} to lie between 0 and 1, both excluded; got {value!r}."
                )
        costs = {"needless_email_cost", "lost_customer_cost"}
        stated = {name: value for name in costs if (value := getattr(self, name)) is not None}
        for name, value in stated.items():
            if not (_is_number(value) and 0 < value < float("inf")):
                raise SettingsError(f"Expected {name} to be a number above 0; got {value!r}.")
        if len(stated) == 1:
            missing = (costs - set(stated)).pop()
            raise SettingsError(f"Expected both costs or neither; {missing} is missing.")
        if not isinstance(self.customers, bool):
            raise SettingsError(f"Expected customers to be true or false; got {self.customers!r}.")
        within = self.on_time_within
        if within is not None and not (type(within) is int and within >= 0):
            raise SettingsError(
                f"Expected on_time_within to be a whole number of decision points; got {within!r}."
            )
        if self.max_emails_per_day > self.conversations_per_day:
            raise SettingsError(
                f"Expected max_emails_per_day to be at most conversations_per_day "
                f"({self.conversations_per_day:g}), since a conversation sends at most one email; "
                f"got {self.max_emails_per_day:g}."
            )

    @property
    def email_rate(self) -> float:
        """Emails per conversation that the team can bear."""
        return self.max_emails_per_day / self.conversations_per_day


@dataclass(frozen=True, slots=True)
class Handoff:
    """One email handoff; it sends at most one email a conversation.

    Parameters
    ----------
    name : str
        What the team calls it; part of the key under which an email is sent once.
    instruction : str
        The plain-language condition.
    recipients : tuple of str
        Addresses of the team.
    response_time : str
        What the customer is told, such as "one working day"; `{due}` in "by {due}" stands for the
        moment that `hours.answer_within_hours` comes to.
    sender : str
        The From address, on the team's own domain.
    mask_personal_data : bool
        Mask email addresses and telephone numbers in what the team gets.
    budget : Budget, optional
        None when the file states none.
    hours : BusinessHours, optional
        When the team answers; None means always.
    cap : Cap, optional
        None lets every email go out on its own.
    warning : VolumeWarning
        Used where there is a budget.
    live : LiveSide, optional
        Tried first while the team is open.
    """

    name: str
    recipients: tuple[str, ...]
    instruction: str = DEFAULT_INSTRUCTION
    response_time: str = "one working day"
    sender: str = "handoff@localhost"
    mask_personal_data: bool = False
    budget: Budget | None = None
    hours: BusinessHours | None = None
    cap: Cap | None = None
    warning: VolumeWarning = field(default_factory=VolumeWarning)
    live: LiveSide | None = None

    def __post_init__(self) -> None:
        for name in ("name", "instruction", "response_time", "sender"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise SettingsError(
                    f"Expected {name} to be a text that isn't empty; got {value!r}."
                )
        for name in ("name", "response_time", "sender"):
            if any(character in getattr(self, name) for character in "\r\n\0"):
                raise SettingsError(f"Expected {name} to be one line; got {getattr(self, name)!r}.")
        if not isinstance(self.mask_personal_data, bool):
            raise SettingsError(
                f"Expected mask_personal_data to be true or false; got {self.mask_personal_data!r}."
            )
        if "{due}" in self.response_time and (
            self.hours is None or self.hours.answer_within_hours is None
        ):
            raise SettingsError(
                "Expected hours with answer_within_hours, from which {due} in response_time is "
                f"told; {self.name!r} has none."
            )
        if not self.recipients:
            raise SettingsError(f"Expected at least one recipient for {self.name!r}; got none.")
        for address in (*self.recipients, self.sender):
            if not _looks_like_address(address):
                raise SettingsError(
                    f"Expected an email address such as team@example.com in {self.name!r}; "
                    f"got {address!r}."
                )


def read_handoffs(path: Path) -> tuple[Handoff, ...]:
    """Read the handoffs of one TOML file, each a `[[handoff]]` table.

    Raises
    ------
    SettingsError
        When the file can't be read, a field is unknown, missing or of the wrong kind, or two
        handoffs share a name.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: can't be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: expected a TOML file in UTF-8; {error}.") from None
    return parse_handoffs(text, source=str(path))


def parse_handoffs(text: str, *, source: str) -> tuple[Handoff, ...]:
    """Read the handoffs of a TOML document.

    Raises
    ------
    SettingsError
        As `read_handoffs`, naming `source`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: expected a TOML file in UTF-8; {error}.") from None
    tables = document.get("handoff")
    if not isinstance(tables, list) or not tables or set(document) != {"handoff"}:
        raise SettingsError(
            f"{source}: expected one or more [[handoff]] tables and nothing beside them; "
            f"got {', '.join(sorted(document)) or 'an empty file'}."
        )
    handoffs = tuple(_handoff(table, f"{source}: handoff {i}") for i, table in enumerate(tables, 1))
    names = [handoff.name for handoff in handoffs]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                f"{source}: expected each handoff to have its own name; got {name!r} twice."
            )
    return handoffs


def _handoff(table: Any, where: str) -> Handoff:
    if not isinstance(table, dict):
        raise SettingsError(f"{where}: expected a table; got {table!r}.")
    _refuse_unknown(table, Handoff, where)
    values = dict(table)
    recipients = values.get("recipients")
    if not isinstance(recipients, list) or not all(isinstance(r, str) for r in recipients):
        raise SettingsError(
            f"{where}: expected recipients to be a list of addresses; got {recipients!r}."
        )
    if "name" not in values:
        raise SettingsError(f"{where}: expected a name; got none.")
    values["recipients"] = tuple(recipients)
    try:
        for name, read in _TABLES.items():
            if name in values:
                values[name] = read(_table(values[name], f"{where}.{name}"))
        return Handoff(**values)
    except SettingsError as error:
        words = str(error)
        raise SettingsError(words if words.startswith(where) else f"{where}: {words}") from None
    except TypeError as error:
        missing = str(error).split("argument")[-1].lstrip("s: ")
        raise SettingsError(f"{where}: expected a value for {missing}; got none.") from None


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{where}: expected a table; got {value!r}.")
    kind = _KINDS.get(where.rpartition(".")[2])
    if kind is not None:
        _refuse_unknown(value, kind, where)
    return value


_KINDS: dict[str, type] = {
    "budget": Budget,
    "cap": Cap,
    "warning": VolumeWarning,
    "live": LiveSide,
}
_TABLES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "budget": lambda table: Budget(**table),
    "hours": BusinessHours.from_table,
    "cap": Cap.from_table,
    "warning": lambda table: VolumeWarning(**table),
    "live": lambda table: LiveSide(**table),
}


def _refuse_unknown(table: dict[str, Any], kind: type, where: str) -> None:
    known = [f.name for f in fields(kind)]
    for name in table:
        if name not in known:
            raise SettingsError(f"{where}: expected one of {', '.join(known)}; got {name!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _looks_like_address(address: str) -> bool:
    local, at, domain = address.partition("@")
    return (
        bool(local and at and domain)
        and "@" not in domain
        and not any(
            character.isspace() or character in '<>,;"' or ord(character) < 32
            for character in address
        )
    )
