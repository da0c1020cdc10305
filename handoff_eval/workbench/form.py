"""The notebook widget in which a handoff is set up as in a dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handoff_eval.errors import SettingsError
from handoff_eval.handoff import Handoff, read_handoffs
from handoff_eval.tracking.prompts import PromptVersion
from handoff_eval.tracking.versions import keep_instruction
from handoff_eval.workbench.fields import (
    FIELDS,
    field_named,
    in_form_words,
    read_values,
    texts_of,
)
from handoff_eval.workbench.findings import findings_of, findings_table
from handoff_eval.workbench.handoff_file import read_table, save_handoff
from handoff_eval.workbench.screen import Screen, script, style
from handoff_eval.workbench.static import Child, Element, element, table

TITLES = {"": "The handoff", "hours": "When the team answers", "budget": "What the team can bear"}


class HandoffForm(Screen):
    """Edits one handoff of a TOML file: linted while it is typed, saved with its prompt version.

    Nothing is saved before every field is right. Other handoffs of the file, fields that the form
    doesn't show, and comments stay as they are. Ctrl+Enter saves.

    Parameters
    ----------
    path : str or Path
        The file, such as `handoff.toml`; made at the first saving where it is missing.
    name : str, optional
        The handoff to open; the first of the file when None, a new one where there is none.
    keep_version : bool
        Keep each saved instruction as a version in MLflow's prompt registry.

    Attributes
    ----------
    handoff : Handoff or None
        As last read or saved.
    version : PromptVersion or None
        Of the last saving.

    Raises
    ------
    SettingsError
        When the file can't be used, or has no handoff of this name.

    Examples
    --------
    >>> HandoffForm("handoff.toml", name="support")  # doctest: +SKIP
    """

    _esm = script("findings", "form")
    _css = style("findings", "form")

    def __init__(
        self, path: str | Path, name: str | None = None, *, keep_version: bool = True
    ) -> None:
        self._path = Path(path)
        self._keep_version = keep_version
        self.version: PromptVersion | None = None
        self.handoff: Handoff | None = None
        self._ticket = 0
        names = self._names()
        first = names[0] if names else None
        self._open(first if name is None else name)
        super().__init__()

    def _names(self) -> list[str]:
        if not self._path.exists():
            return []
        return [handoff.name for handoff in read_handoffs(self._path)]

    def _open(self, name: str | None) -> None:
        """Take a handoff's fields from the file; those of a new one when None."""
        self._name = name
        self._listed = self._names()
        self._opened = {} if name is None else read_table(self._path, name)
        handoffs = read_handoffs(self._path) if name is not None else ()
        self.handoff = next((h for h in handoffs if h.name == name), None)
        self._texts = texts_of(self._opened)
        if self.handoff is not None:
            self._texts["instruction"] = self.handoff.instruction
            self._texts["response_time"] = self.handoff.response_time
        self._wrong: dict[str, str] = {}

    def _check(self, texts: Mapping[str, Any]) -> dict[str, Any]:
        self._texts = {field.name: str(texts.get(field.name, "")) for field in FIELDS}
        values, self._wrong = read_values(self._texts)
        return values

    def _save(self, values: dict[str, Any]) -> None:
        if self._wrong:
            raise SettingsError("Not saved: some fields are not right yet.")
        shown = {name: value for name, value in values.items() if self._touches(name, value)}
        try:
            save_handoff(self._path, shown, name=self._name, opened=self._opened)
        except SettingsError as error:
            fault = str(error).rpartition(": ")[2]
            if (field := field_named(fault)) is not None:
                self._wrong[field] = in_form_words(fault)
            raise SettingsError(f"Not saved. {in_form_words(str(error))}") from None
        self._open(values["name"])
        self._say(f"Saved in {self._path.name}.")
        if self._keep_version:
            self._keep()

    def _touches(self, name: str, value: Any) -> bool:
        """Whether a field is to be written: not one that stands at a default it was never given."""
        if self.handoff is None or name not in {"instruction", "response_time"}:
            return True
        return name in self._opened or value != getattr(self.handoff, name)

    def _keep(self) -> None:
        assert self.handoff is not None  # noqa: S101 - it has just been saved
        try:
            self.version = keep_instruction(self.handoff.instruction, handoff=self.handoff.name)
        except SettingsError as error:
            raise SettingsError(
                f"Saved in {self._path.name}, but the instruction is no version in the prompt "
                f"registry: {error}"
            ) from None
        self._say(f"Saved in {self._path.name} and as {self.version.uri}.")

    def _act(self, action: str, content: Mapping[str, Any]) -> None:
        if action == "check":
            self._check(content["texts"])
        elif action == "save":
            self._save(self._check(content["texts"]))
        elif action == "open":
            self._open(content["name"])
            self._ticket += 1

    def _state(self) -> dict[str, Any]:
        return {
            "ticket": self._ticket,
            "file": self._path.name,
            "names": self._listed,
            "name": self._name,
            "groups": [
                {
                    "title": title,
                    "fields": [
                        {"name": f.name, "label": f.label, "hint": f.hint, "lines": f.lines}
                        for f in FIELDS
                        if f.table == inner
                    ],
                }
                for inner, title in TITLES.items()
            ],
            "texts": self._texts,
            "wrong": self._wrong,
            "findings": findings_of(self._texts["instruction"]),
        }

    def _picture(self) -> list[Element]:
        rows: list[list[Child]] = [
            [field.label, element("span", self._texts[field.name], style="white-space:pre-wrap")]
            for field in FIELDS
            if self._texts[field.name]
        ]
        return [
            element("p", self._words()),
            table(["field", "value"], rows),
            *findings_table(self._texts["instruction"]),
        ]

    def _words(self) -> str:
        what = "A new handoff" if self._name is None else f"Handoff {self._name!r}"
        count = len(findings_of(self._texts["instruction"]))
        return f"{what} in {self._path.name}; {count} findings on its instruction."
