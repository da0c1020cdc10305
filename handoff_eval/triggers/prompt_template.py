"""The prompt as a file: named sections, two positions, and a refusal of what would open them.

A file holds sections, each begun by its name in square brackets on a line of its own; a section
it leaves out is that of the shipped `prompt.txt`. `$instruction` stands in `[system]`, and
`$transcript` in `[transcript]`, each alone on its line between two lines with an angle or a square
bracket: quoted text holds neither, so nothing in a position can end it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path
from string import Template

from handoff_eval.conversation import Reason, Turn
from handoff_eval.errors import SettingsError
from handoff_eval.llm.question import Message
from handoff_eval.llm.quoting import quote_rule, quote_transcript
from handoff_eval.triggers.shots import Shot

_POSITIONS = {"system": "instruction", "transcript": "transcript"}
_SECTION = re.compile(r"^\[([^\[\]\n]+)\][ \t]*$", re.MULTILINE)
_FENCE = re.compile(r"[<>\[\]]")
_STATES = {False: "open", True: "closed"}


class Form(StrEnum):
    """What is asked after the transcript, by the name of its section."""

    WEIGHED = "yes or no"
    STATED = "0 to 100"
    REASON = "reason"


_WORDS = {
    Form.WEIGHED: ("Yes", "No"),
    Form.STATED: ("0", "100"),
    Form.REASON: tuple(Reason),
    "probe": ("Yes", "No"),
}
_ANSWERS = {Form.WEIGHED: {True: "Yes", False: "No"}, Form.STATED: {True: "95", False: "5"}}
SECTIONS = ("system", "transcript", "open", "closed", *Form, "probe")
"""Every section a prompt has."""


class PromptTemplate:
    """A checked prompt.

    Parameters
    ----------
    text : str
        The file's content.
    source : str
        Named in errors.

    Raises
    ------
    SettingsError
        With one sentence: a section unknown, empty or told twice, words before the first one, a
        position missing, repeated, misplaced or not fenced, or a word missing that the answer is
        read by.
    """

    def __init__(self, text: str, *, source: str = "prompt") -> None:
        self._sections = {**(_shipped() if source != _SHIPPED else {}), **_parse(text, source)}

    def render(
        self,
        instruction: str,
        turns: Sequence[Turn],
        *,
        closed: bool,
        max_bytes: int,
        form: Form = Form.WEIGHED,
        shots: Sequence[Shot] = (),
    ) -> tuple[Message, ...]:
        """Return the chat: instruction, examples, transcript, and the question at the very end.

        What changes from one decision point to the next stands last, so that a server finds the
        beginning of the prompt in its cache.

        Parameters
        ----------
        instruction : str
            The plain-language condition.
        turns : sequence of Turn
            The prefix.
        closed : bool
            Whether the conversation has ended.
        max_bytes : int
            Bytes of transcript at most.
        form : Form
            `WEIGHED` asks for Yes or No, `STATED` for a number, `REASON` for why; the last
            numbers the turns and takes no examples.
        shots : sequence of Shot
            Examples with their answers, as earlier exchanges of the chat.
        """
        system = self._sections["system"].substitute(instruction=quote_rule(instruction))
        messages = [Message("system", system)]
        for shot in shots if form in _ANSWERS else ():
            asked = self._user(shot.turns, closed=shot.closed, max_bytes=max_bytes, form=form)
            messages += [asked, Message("assistant", _ANSWERS[form][shot.handoff])]
        messages.append(self._user(turns, closed=closed, max_bytes=max_bytes, form=form))
        return tuple(messages)

    @property
    def text(self) -> str:
        """The prompt as a file with every section, so that no default can change it later."""
        return "\n".join(f"[{name}]\n{self._sections[name].template}" for name in SECTIONS) + "\n"

    @property
    def probe(self) -> Message:
        """The question without a conversation, by which log-probabilities are found out."""
        return Message("user", self._sections["probe"].substitute())

    def digest(self, instruction: str, shots: Sequence[Shot]) -> str:
        """Return 12 hexadecimal digits that change with template, instruction or examples."""
        material = json.dumps(
            [
                {name: self._sections[name].template for name in SECTIONS},
                instruction,
                [
                    [shot.handoff, shot.closed, [[turn.role, turn.text] for turn in shot.turns]]
                    for shot in shots
                ],
            ]
        )
        return hashlib.sha256(material.encode()).hexdigest()[:12]

    def _user(self, turns: Sequence[Turn], *, closed: bool, max_bytes: int, form: Form) -> Message:
        lines = quote_transcript(turns, max_bytes=max_bytes, numbered=form is Form.REASON)
        transcript = self._sections["transcript"].substitute(transcript=lines)
        state, asked = (self._sections[name].substitute() for name in (_STATES[closed], form))
        return Message("user", f"{transcript}\n\n{state} {asked}")


def default_template() -> PromptTemplate:
    """Return the prompt that ships with the package."""
    return PromptTemplate(_shipped_text(), source=_SHIPPED)


def read_template(path: Path) -> PromptTemplate:
    """Read a prompt file.

    Raises
    ------
    SettingsError
        When it can't be read or is no prompt; see `PromptTemplate`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: can't be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: expected a prompt in UTF-8; {error}.") from None
    return PromptTemplate(text, source=str(path))


def _parse(text: str, source: str) -> Mapping[str, Template]:
    before, *pieces = _SECTION.split(text)
    names = pieces[::2]
    if before.strip() or not names:
        raise SettingsError(
            f"{source}: expected a first line such as [system]; got {text.strip()[:40]!r}. "
            f"The sections are {_listed()}."
        )
    sections = {}
    for name, words in zip(names, pieces[1::2], strict=True):
        if name not in SECTIONS or name in sections:
            what = "a second" if name in sections else "an unknown"
            raise SettingsError(
                f"{source}: expected each of {_listed()} at most once; got {what} section [{name}]."
            )
        _check_section(name, words.strip(), source)
        sections[name] = Template(words.strip())
    return sections


def _check_section(name: str, words: str, source: str) -> None:
    where = f"{source}: section [{name}]"
    template = Template(words)
    if not words:
        raise SettingsError(f"{where}: expected words; got none. Leave it out to use the default.")
    if not template.is_valid():
        raise SettingsError(f"{where}: expected $ before a position's name; write $$ for a dollar.")
    position = _POSITIONS.get(name)
    found = [
        m["named"] or m["braced"] for m in template.pattern.finditer(words) if not m["escaped"]
    ]
    if found != ([position] if position else []):
        raise SettingsError(
            f"{where}: expected {f'${position} once' if position else 'no position'}; got "
            f"{', '.join(f'${other}' for other in found) or 'none'}."
        )
    if position:
        lines = ["", *words.splitlines(), ""]
        place = next((i for i, line in enumerate(lines) if line.strip() == f"${position}"), None)
        if place is None or not all(_FENCE.search(lines[place + step]) for step in (-1, 1)):
            raise SettingsError(
                f"{where}: expected ${position} alone on its line between two lines with < > or "
                f"[ ], such as <{position}> and </{position}>, which quoted text can't hold."
            )
    missing = [word for word in _WORDS.get(name, ()) if not re.search(rf"\b{word}\b", words)]
    if missing:
        raise SettingsError(
            f"{where}: expected the answers it is read by; missing: {', '.join(missing)}."
        )


def _listed() -> str:
    return ", ".join(f"[{name}]" for name in SECTIONS)


_SHIPPED = "prompt.txt"


@cache
def _shipped_text() -> str:
    return Path(__file__).with_name(_SHIPPED).read_text(encoding="utf-8")


@cache
def _shipped() -> Mapping[str, Template]:
    return _parse(_shipped_text(), _SHIPPED)
