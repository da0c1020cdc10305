"""What the wrong decisions are about: missed handoffs or needless emails grouped and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Conversation, Role
from handoff_eval.encoders.base import Encoder
from handoff_eval.evaluation.findings.mistakes import Mistake
from handoff_eval.evaluation.findings.topic_names import distinctive_terms
from handoff_eval.evaluation.look import WIDE
from handoff_eval.evaluation.result import Draw, Result, ResultTable
from handoff_eval.transcripts.mask import masked
from handoff_eval.transcripts.refusals import printable

if TYPE_CHECKING:
    import pandas as pd

    from handoff_eval.evaluation.intervals import Estimate
    from handoff_eval.evaluation.look import Picture

MIN_TO_GROUP = 6
MOST_TOPICS = 8
SMALLEST_MEAN = 3
"""Topics hold at least this many mistakes on average."""

EXAMPLES = 3
QUESTION_WORDS = 4
EXAMPLE_LETTERS, QUOTE_LETTERS = 160, 70
MEANINGS = {
    "needless emails": "These are questions your agent should answer",
    "missed handoffs": "These needed a person and got none",
}


@dataclass(frozen=True, slots=True)
class Topic:
    """Mistakes that are about the same thing.

    Attributes
    ----------
    terms : tuple of str
        Its most distinctive words and pairs of words, the first the most so; empty where none
        stands out.
    mistakes : tuple of Mistake
        Nearest to the middle of the topic first.
    examples : tuple of str
        What the customers of the first mistakes came with.
    """

    terms: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    examples: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the words as a name."""
        return ", ".join(self.terms) or "no common words"

    def __str__(self) -> str:
        quote = (
            f", such as “{_shortened(self.examples[0], QUOTE_LETTERS)}”" if self.examples else ""
        )
        return f"{self.name} ({len(self.mistakes)}){quote}"


@dataclass(frozen=True, slots=True)
class Topics(Result):
    """The topics of one kind of mistake, largest first.

    Attributes
    ----------
    kind : str
        `needless emails` or `missed handoffs`.
    topics : tuple of Topic
    """

    kind: str
    topics: tuple[Topic, ...]

    @property
    def n(self) -> int:
        """Return the number of mistakes."""
        return sum(len(topic.mistakes) for topic in self.topics)

    @property
    def meaning(self) -> str:
        """Return what they are to a team, as the beginning of a sentence."""
        return MEANINGS[self.kind]

    def sentences(self) -> tuple[str, ...]:
        """Return what a team acts on: the questions to answer, or what was missed."""
        if not self.topics:
            return (f"There are no {self.kind} on test.",)
        said = f"{self.meaning}: {'; '.join(map(str, self.topics))}."
        few = f"With {self.n} {self.kind} the topics are a first look, not a count to plan by."
        return (said, few) if self.n < 30 else (said,)

    def frame(self) -> pd.DataFrame:
        """Return one row a topic with an example."""
        import pandas as pd

        rows = [
            {
                "topic": topic.name,
                self.kind: len(topic.mistakes),
                "example": topic.examples[0] if topic.examples else "",
                "conversations": ", ".join(m.item.conversation.id for m in topic.mistakes),
            }
            for topic in self.topics
        ]
        columns = ["topic", self.kind, "example", "conversations"]
        return pd.DataFrame(rows, columns=columns).set_index("topic")

    def plot(self, *, width: int = WIDE) -> Picture:
        """Return the topics by how many mistakes each holds."""
        from handoff_eval.evaluation.findings.plots import topics_plot

        return topics_plot(self, width=width)

    def to_dict(self) -> dict[str, Any]:
        """Return the topics with words of customers, unless they are `without_words`."""
        return {
            "kind": self.kind,
            "n": self.n,
            "topics": [
                {
                    "terms": list(topic.terms),
                    "n": len(topic.mistakes),
                    "examples": list(topic.examples),
                    "conversations": [m.item.conversation.id for m in topic.mistakes],
                }
                for topic in self.topics
            ],
        }

    def pictures(self) -> dict[str, Draw]:
        """Return the picture; none where there is no topic."""
        return {"": lambda width: self.plot(width=width)} if self.topics else {}

    def tables(self) -> dict[str, ResultTable]:
        """Return the topics to be read; none where there is no topic."""
        if not self.topics:
            return {}
        frame = self.frame()
        return {"": ResultTable("", frame.loc[:, (frame != "").any()], folded=False)}

    def measured(self) -> dict[str, Estimate | float]:
        """Return how many mistakes and topics there are."""
        return {"mistakes": float(self.n), "number": float(len(self.topics))}

    def text(self) -> str:
        """Return the sentences alone, since the table holds whole turns."""
        return "\n".join(self.sentences())

    def without_words(self) -> Topics:
        """Return sizes and ids alone, under numbers, without anything that customers wrote."""
        unnamed = [
            replace(topic, terms=(f"topic {number}",), examples=())
            for number, topic in enumerate(self.topics, 1)
        ]
        return Topics(self.kind, tuple(unnamed))


def group_by_topic(
    mistakes: Sequence[Mistake], encoder: Encoder, background: Sequence[Conversation], *, kind: str
) -> Topics:
    """Group mistakes by what the customer says, and name each group.

    A conversation is the mean vector of its customer turns, up to the email where one was sent,
    less the mean of the background, so that what every customer says makes no topic (Mu and
    Viswanath, All-but-the-Top, ICLR 2018). Groups are Ward's (J. Am. Stat. Assoc. 58 (1963)
    236-244), their number the one with the best mean silhouette (Rousseeuw, J. Comput. Appl.
    Math. 20 (1987) 53-65). Fewer than `MIN_TO_GROUP` mistakes stay one topic, as do those that
    no number of groups tells apart. The same input gives the same topics.

    Parameters
    ----------
    mistakes : sequence of Mistake
    encoder : Encoder
        Whose vectors say what is alike.
    background : sequence of Conversation
        Those that names must tell the topics from, such as all of test.
    kind : str
        `needless emails` or `missed handoffs`.
    """
    if not mistakes:
        return Topics(kind, ())
    said = [_said(mistake) for mistake in mistakes]
    vectors = encoder.encode([text for texts in said for text in texts])
    parts = np.split(vectors, np.cumsum([len(texts) for texts in said])[:-1])
    own = {mistake.item.conversation.id for mistake in mistakes}
    others = [_customer_texts(c) for c in background if c.id not in own]
    usual = np.zeros(encoder.dimension, dtype=np.float32)
    if others:
        usual = encoder.encode([text for texts in others for text in texts]).mean(axis=0)
    middles = np.stack([_unit(part.mean(axis=0) - usual) for part in parts])
    groups = _groups(middles)
    names = distinctive_terms(
        [" ".join(texts) for texts in said], groups, [" ".join(texts) for texts in others]
    )
    topics = []
    for group, terms in enumerate(names):
        members = np.flatnonzero(groups == group)
        centre = _unit(middles[members].mean(axis=0))
        nearest = members[np.argsort(-(middles[members] @ centre), kind="stable")]
        examples = tuple(_shortened(masked(_question(said[i]))) for i in nearest[:EXAMPLES])
        topics.append(Topic(terms, tuple(mistakes[i] for i in nearest), examples))
    return Topics(kind, tuple(sorted(topics, key=lambda topic: -len(topic.mistakes))))


def _groups(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    n = len(vectors)
    best, best_score = np.zeros(n, dtype=np.int64), 0.0
    if n < MIN_TO_GROUP:
        return best
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.metrics import silhouette_score

    for k in range(2, min(MOST_TOPICS, n // SMALLEST_MEAN) + 1):
        groups = AgglomerativeClustering(n_clusters=k).fit_predict(vectors)
        score = float(silhouette_score(vectors, groups))
        if score > best_score:
            best, best_score = groups, score
    return best


def _said(mistake: Mistake) -> list[str]:
    turns = mistake.item.conversation.turns
    visible = turns[: mistake.turn + 1] if mistake.fired else turns
    return [t.text for t in visible if t.role is Role.CUSTOMER] or [t.text for t in turns]


def _question(texts: Sequence[str]) -> str:
    """Return what a customer came with: the first turn that is more than a greeting."""
    return next((text for text in texts if len(text.split()) >= QUESTION_WORDS), texts[0])


def _customer_texts(conversation: Conversation) -> list[str]:
    return [turn.text for turn in conversation.turns if turn.role is Role.CUSTOMER]


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def _shortened(text: str, letters: int = EXAMPLE_LETTERS) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= letters else f"{line[: letters - 1]}…"
