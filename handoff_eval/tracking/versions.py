"""Versions of an instruction in the prompt registry: kept, named by an alias, and read back."""

from __future__ import annotations

import re
from collections.abc import Callable

from handoff_eval.errors import SettingsError
from handoff_eval.tracking.prompts import PromptVersion, prompt_name, register_instruction
from handoff_eval.tracking.store import (
    experiment_id,
    locate_store,
    open_client,
    refusals_in_words,
)

SCHEME = "prompts:/"
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,59}")


def keep_instruction(
    instruction: str,
    *,
    handoff: str,
    alias: str | None = None,
    say: Callable[[str], None] | None = None,
) -> PromptVersion:
    """Return the version that holds this text, made where none does, with its alias.

    Parameters
    ----------
    instruction : str
    handoff : str
        Name of the handoff, whose prompt it is a version of.
    alias : str, optional
        Moved to this version from whichever had it: letters, digits, `_` and `-`.
    say : callable, optional
        Told what takes long: making the store the first time.

    Raises
    ------
    SettingsError
        When the alias can't be one, or the store refuses.
    """
    if alias is not None and not _ALIAS.fullmatch(alias):
        raise SettingsError(
            f"Expected an alias of lower-case letters, digits, _ and -, such as candidate; got "
            f"{alias!r}."
        )
    store = locate_store()
    with refusals_in_words(store):
        client = open_client(store, say=say)
        version = register_instruction(
            client,
            handoff=handoff,
            instruction=instruction,
            experiment_id=experiment_id(client, store),
        )
        if alias is not None:
            client.set_prompt_alias(version.name, alias=alias, version=version.version)
    return version


def read_instruction(where: str) -> str:
    """Return the text of a version: `prompts:/NAME/3` or `prompts:/NAME@alias`.

    A NAME that isn't in the registry is taken for a handoff's name.

    Raises
    ------
    SettingsError
        When there is no such version.
    """
    from mlflow.exceptions import MlflowException

    store = locate_store()
    match = re.fullmatch(r"prompts:/([^/@]+)(?:/(\d+)|@([\w-]+))", where)
    if match is None:
        raise SettingsError(
            f"Expected a version such as prompts:/support/3 or prompts:/support@candidate; got "
            f"{where!r}."
        )
    name, version, alias = match.groups()
    with refusals_in_words(store):
        client = open_client(store)
        names = [name, prompt_name(name)]
        known = next((n for n in names if client.get_prompt(n) is not None), None)
        try:
            if known is None:
                found = None
            elif version is not None:
                found = client.get_prompt_version(known, version)
            else:
                found = client.get_prompt_version_by_alias(known, alias)
        except MlflowException:
            found = None
    if found is None:
        raise SettingsError(
            f"Expected a version {where!r} in {store.uri}; there is none. "
            "See 'handoff-eval ui' under Prompts."
        )
    return str(found.template)
