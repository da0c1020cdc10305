"""The errors of a report, as a part of the page that can be made again with the transcripts.

The page that is logged names conversations alone. What was said lies with the dataset, so whoever
has both gets the whole page: the same template, put in the place of the one without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_eval.conversation import LabeledConversation
from handoff_eval.errors import DataError
from handoff_eval.evaluation.comparison.result import ArmResult
from handoff_eval.evaluation.findings.mistakes import Mistake, missed_handoffs, needless_emails
from handoff_eval.evaluation.pages.template import template
from handoff_eval.transcripts.mask import masked

if TYPE_CHECKING:
    from markupsafe import Markup

ERRORS_SHOWN = 10
BEGIN, END = "<!-- errors to read -->", "<!-- end of the errors -->"
"""Around the part in its template; text that anybody wrote can't hold them, since it is escaped."""


@dataclass(frozen=True, slots=True)
class Errors:
    """What one arm got wrong on test, at its threshold."""

    arm: str
    threshold: float
    missed: tuple[Mistake, ...]
    needless: tuple[Mistake, ...]

    @classmethod
    def of(cls, arm: ArmResult, test: Sequence[LabeledConversation]) -> Errors:
        """Return the errors of an arm among the labelled test conversations."""
        return cls(
            arm.name,
            arm.point.threshold,
            tuple(missed_handoffs(arm, test)),
            tuple(needless_emails(arm, test)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return ids, scores and turns as JSON values, without anything that anybody wrote."""
        return {
            "arm": self.arm,
            "threshold": self.threshold,
            **{
                name: [
                    {
                        "conversation_id": mistake.item.conversation.id,
                        "score": mistake.score,
                        "turn": mistake.turn,
                        "closed": mistake.closed,
                        "fired": mistake.fired,
                    }
                    for mistake in getattr(self, name)
                ]
                for name in ("missed", "needless")
            },
        }

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], items: Mapping[str, LabeledConversation]
    ) -> Errors:
        """Read what `to_dict` wrote.

        Parameters
        ----------
        values : mapping
        items : mapping of str to LabeledConversation
            The labelled conversations, by id.

        Raises
        ------
        DataError
            When it isn't that, or a conversation isn't there.
        """
        try:
            missed, needless = (
                tuple(
                    Mistake(
                        items[row["conversation_id"]],
                        float(row["score"]),
                        int(row["turn"]),
                        bool(row["closed"]),
                        bool(row["fired"]),
                    )
                    for row in values[name]
                )
                for name in ("missed", "needless")
            )
            return cls(str(values["arm"]), float(values["threshold"]), missed, needless)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"Expected the errors of a comparison of these conversations; got {error!r}."
            ) from None

    def render(self, *, with_transcripts: bool) -> Markup:
        """Return the part of the page; transcripts and notes are masked."""
        from markupsafe import Markup

        html = template("evaluation/pages/errors.html").render(
            arm=self.arm,
            threshold=self.threshold,
            missed=self.missed,
            needless=self.needless,
            errors_shown=ERRORS_SHOWN,
            with_transcripts=with_transcripts,
            mask=masked,
        )
        return Markup(html.strip())  # noqa: S704 - the template has escaped it

    def put_into(self, page: str) -> str:
        """Return a page that names the errors with their transcripts in that place.

        Raises
        ------
        DataError
            When the page has no such place.
        """
        before, begin, rest = page.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise DataError(
                "Expected a report that names its errors; got another page. Compare again, so "
                "that the run holds today's report."
            )
        return before + str(self.render(with_transcripts=True)) + after
