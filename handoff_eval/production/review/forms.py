"""What a sent form says: a mark, or the sentence that tells what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handoff_eval.conversation import ADJUDICATED, Conversation, Reason
from handoff_eval.errors import SettingsError
from handoff_eval.production.review.queue import Mark
from handoff_eval.transcripts.label_store import check_annotator

CLOSE = "close"
MOST_LETTERS = 2000
Form = Mapping[str, Sequence[str]]


def read_mark(form: Form, conversation: Conversation) -> Mark:
    """Return the mark of a form.

    Raises
    ------
    SettingsError
        When something is missing or of no use; its sentence is for the reviewer.
    """
    answer, note = _one(form, "needed"), _one(form, "note").strip()
    answered = _one(form, "answered") == "yes"
    if answer not in {"yes", "no"}:
        raise SettingsError("Say whether a person was needed: yes or no.")
    if len(note) > MOST_LETTERS:
        raise SettingsError(f"Keep the note to {MOST_LETTERS:,} letters; it has {len(note):,}.")
    if answer == "no":
        return Mark(needed=False, note=note, answered=answered)
    place, last = _one(form, "at_turn"), len(conversation.turns) - 1
    if place != CLOSE and not (
        place.isascii() and place.isdigit() and len(place) < 7 and int(place) <= last
    ):
        raise SettingsError("Say from which turn on a person was needed, or “only at the end”.")
    names = form.get("reasons", ())
    if not names or not set(names) <= {reason.value for reason in Reason}:
        raise SettingsError("Say why a person was needed: choose one reason or more.")
    return Mark(
        needed=True,
        at_turn=None if place == CLOSE else int(place),
        reasons=tuple(dict.fromkeys(Reason(name) for name in names)),
        note=note,
        answered=answered,
    )


def read_name(form: Form) -> str:
    """Return the reviewer's name.

    Raises
    ------
    SettingsError
        When it can't be one.
    """
    name = _one(form, "name")[:80]
    try:
        name = check_annotator(name)
        name.encode()
    except (SettingsError, UnicodeEncodeError):
        raise SettingsError("Give your name, on one line.") from None
    if name.casefold() == ADJUDICATED:
        raise SettingsError(f"Give your own name; “{ADJUDICATED}” is what an agreed label says.")
    return name


def _one(form: Form, name: str) -> str:
    values = form.get(name, ())
    return values[0] if values else ""
