"""What every finding can do: words, tables, pictures, values, and how it shows in a notebook.

The terminal, a page and the tracking store know findings by this alone, so a new one is shown
everywhere once it is in `analysis.Analysis.findings`.
"""

from __future__ import annotations

import html
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from handoff_eval.evaluation.look import WIDE

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.intervals import Estimate
    from handoff_eval.evaluation.look import Picture

Draw = Callable[[int], "Picture"]
"""Gives a picture of this width in pixels."""


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A table with what a reader must know of it; `folded` ones open on demand on a page."""

    caption: str
    frame: pd.DataFrame
    folded: bool = True


class Result(ABC):
    """A finding: its sentences, its table, its picture and its values."""

    __slots__ = ()

    caption: ClassVar[str] = "Every figure with its interval and n."
    """What a reader must know of the table."""

    @abstractmethod
    def sentences(self) -> tuple[str, ...]:
        """Return what was found in words, the most important first."""

    @abstractmethod
    def frame(self) -> pd.DataFrame:
        """Return the table, every metric as a value with its interval beside its n."""

    @abstractmethod
    def plot(self, *, width: int = WIDE) -> Picture:
        """Return the picture, `width` pixels wide.

        Raises
        ------
        MissingExtraError
            When altair or vl-convert is not installed.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON values, with None for what the data can't say."""

    def tables(self) -> Mapping[str, ResultTable]:
        """Return all tables, the main one under the empty name."""
        return {"": ResultTable(self.caption, self.frame())}

    def pictures(self) -> Mapping[str, Draw]:
        """Return all pictures, the main one under the empty name."""
        return {"": lambda width: self.plot(width=width)}

    def measured(self) -> Mapping[str, Estimate | float]:
        """Return the numbers that runs are compared by, each under its name."""
        return {}

    def without_words(self) -> Result:
        """Return the finding without anything that customers wrote."""
        return self

    def to_json(self) -> str:
        """Return the finding as a JSON document."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def text(self) -> str:
        """Return the sentences and the table, as the terminal shows them."""
        return "\n".join([*self.sentences(), self.frame().to_string()])

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences())
        return said + str(self.frame().to_html())
