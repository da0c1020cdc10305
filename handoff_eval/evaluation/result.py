"""What every finding can do: a table, a picture, JSON, and how it shows in a notebook."""

from __future__ import annotations

import html
import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.look import Picture


class Result(ABC):
    """A finding: its sentences, its table, its picture and its values."""

    __slots__ = ()

    @abstractmethod
    def sentences(self) -> tuple[str, ...]:
        """Return what was found in words, the most important first."""

    @abstractmethod
    def frame(self) -> pd.DataFrame:
        """Return the table, every metric as a value with its interval beside its n."""

    @abstractmethod
    def plot(self) -> Picture:
        """Return the picture.

        Raises
        ------
        MissingExtraError
            When altair or vl-convert is not installed.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON values, with None for what the data can't say."""

    def to_json(self) -> str:
        """Return the finding as a JSON document."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def text(self) -> str:
        """Return the sentences and the table, as the terminal shows them."""
        return "\n".join([*self.sentences(), self.frame().to_string()])

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences())
        return said + str(self.frame().to_html())
