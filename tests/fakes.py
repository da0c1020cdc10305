"""Real implementations of protocols that need nothing outside the process."""

from __future__ import annotations

import math
from collections.abc import Sequence

from handoff_eval.llm.question import Question, Reply, TokenLogprob


class WordCountingAsker:
    """Answers with a probability that depends on the words of the prompt alone."""

    identity = "word-counter"

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return one reply a question: the more asking words, the likelier yes."""
        return [self._reply(question) for question in questions]

    def _reply(self, question: Question) -> Reply:
        text = " ".join(message.text for message in question.messages).lower()
        asking = sum(text.count(word) for word in ("human", "person", "lawyer"))
        yes = min(0.95, 0.05 + 0.1 * asking)
        return Reply(
            text="Yes" if yes > 0.5 else "No",
            logprobs=(TokenLogprob("Yes", math.log(yes)), TokenLogprob("No", math.log(1 - yes))),
            prompt_tokens=len(text.split()),
            completion_tokens=1,
            seconds=0.0,
            model=self.identity,
        )
