"""What a kind of trigger must bring to be exported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handoff_eval.trigger import Trigger

Spec = dict[str, Any]
"""What the policy says of a trigger beside its name and description: JSON values alone."""

Files = Mapping[str, Path]
"""The bundle's files by name, each already checked against its digest."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of trigger in a bundle.

    Attributes
    ----------
    name : str
        Stands in the policy as `kind`.
    trigger : type
        Its class.
    write : callable
        Puts the trigger's data files into a folder and returns the spec that `read` needs.
        Files have plain names and hold no code.
    read : callable
        Gives the trigger back from the spec, which also holds `name`, and the files.
    asks_a_model : bool
        Whether scoring needs an endpoint outside the bundle, which then has no golden scores.
    """

    name: str
    trigger: type
    write: Callable[[Any, Path], Spec]
    read: Callable[[Spec, Files], Trigger]
    asks_a_model: bool = False
