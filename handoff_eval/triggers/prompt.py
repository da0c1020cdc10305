"""The language-model arm: the instruction, the transcript and one question, as a graded score."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template

from handoff_eval.conversation import Role, Turn
from handoff_eval.errors import EndpointError, SettingsError
from handoff_eval.llm.asker import Asker
from handoff_eval.llm.question import Message, Question, Reply
from handoff_eval.llm.quoting import quote_transcript
from handoff_eval.trigger import Explanation

MAX_TRANSCRIPT_BYTES = 6000
MAX_INSTRUCTION_BYTES = 1500
YES, NO = "yes", "no"
_NUMBER = re.compile(r"(\d{1,3})(?:\.0+)?\s*(?:%|/\s*100)?\.?", re.ASCII)
_STATED_TOKENS = 8


class PromptTrigger:
    """Asks a language model whether the instruction applies to the prefix.

    Where the endpoint gives log-probabilities, the score is P(yes) / (P(yes) + P(no)) of the
    first token, spellings summed. Elsewhere the model is asked for a number from 0 to 100 and
    the score is a hundredth of it; a bare yes or no can't be ranked and is refused. Which of
    the two holds is found out once, by a question that no conversation is part of.

    Parameters
    ----------
    instruction : str
        The plain-language condition.
    asker : Asker
        The model, with the replies that are kept.
    name : str
        The arm's name in tables.
    max_bytes : int
        Bytes of transcript a prompt holds at most; the oldest turns are left out.

    Raises
    ------
    SettingsError
        When the instruction is empty or longer than 1500 bytes.
    """

    def __init__(
        self,
        instruction: str,
        asker: Asker,
        *,
        name: str = "prompt",
        max_bytes: int = MAX_TRANSCRIPT_BYTES,
    ) -> None:
        size = len(instruction.encode("utf-8", "surrogatepass"))
        if not instruction.strip() or size > MAX_INSTRUCTION_BYTES:
            raise SettingsError(
                f"Expected an instruction of 1 to {MAX_INSTRUCTION_BYTES} bytes; got {size} "
                f"({instruction[:40]!r}). Shorten the instruction."
            )
        self.name = name
        self.description = f"{asker.identity}, prompt {prompt_hash(instruction)}"
        self._instruction = instruction
        self._asker = asker
        self._max_bytes = max_bytes
        self._graded: bool | None = None

    def encode(self, turns: Sequence[Turn]) -> list[Turn]:
        """Return the turns themselves."""
        return list(turns)

    def start(self) -> tuple[Turn, ...]:
        """Return no turns."""
        return ()

    def update(self, state: tuple[Turn, ...], observation: Turn) -> tuple[Turn, ...]:
        """Return the turns with one more."""
        return (*state, observation)

    def score(self, states: Sequence[tuple[Turn, ...]], closed: Sequence[bool]) -> list[float]:
        """Return one score in [0, 1] a state; equal prompts are asked once.

        Raises
        ------
        EndpointError
            When the model can't be reached, or its answer can't be ranked.
        """
        if not states:
            return []
        graded = self._is_graded()
        questions = [
            self._question(turns, closed=ended, graded=graded)
            for turns, ended in zip(states, closed, strict=True)
        ]
        replies = self._asker.ask(questions)
        score = self._weighed if graded else self._stated
        return [score(reply) for reply in replies]

    def explain(self, turns: Sequence[Turn], *, closed: bool) -> Explanation:  # noqa: ARG002
        """Return the last customer turn as evidence; the model is not asked for a reason."""
        customer = [i for i, turn in enumerate(turns) if turn.role is Role.CUSTOMER]
        return Explanation(evidence_turn=customer[-1] if customer else None)

    def _is_graded(self) -> bool:
        if self._graded is None:
            message = Message("user", _template()["probe"].template)
            (reply,) = self._asker.ask([Question((message,), max_tokens=1, answers=(YES, NO))])
            self._graded = reply.logprobs is not None
        return self._graded

    def _question(self, turns: Sequence[Turn], *, closed: bool, graded: bool) -> Question:
        messages = render(
            self._instruction, turns, closed=closed, graded=graded, max_bytes=self._max_bytes
        )
        if graded:
            return Question(messages, max_tokens=1, answers=(YES, NO))
        return Question(messages, max_tokens=_STATED_TOKENS)

    def _weighed(self, reply: Reply) -> float:
        yes, no = reply.probability(YES), reply.probability(NO)
        if reply.logprobs is None or yes + no <= 0:
            likeliest = ", ".join(repr(c.token) for c in (reply.logprobs or ())[:5])
            raise EndpointError(
                f"Expected {self._asker.identity} to weigh Yes against No; got "
                f"{likeliest or 'neither of them nor other'} as its likeliest first tokens. "
                "Choose a model that follows instructions."
            )
        return yes / (yes + no)

    def _stated(self, reply: Reply) -> float:
        text = reply.text.strip()
        match = _NUMBER.fullmatch(text)
        number = int(match[1]) if match else -1
        if 0 <= number <= 100:
            return number / 100
        bare = text.strip(" .!").casefold() in (YES, NO)
        why = ", a bare answer that can't be ranked" if bare else ""
        raise EndpointError(
            f"Expected {self._asker.identity} to state a whole number from 0 to 100; got "
            f"{text[:80]!r}{why}. Choose a model that follows instructions, or an endpoint that "
            "gives log-probabilities."
        )


def render(
    instruction: str,
    turns: Sequence[Turn],
    *,
    closed: bool,
    graded: bool = True,
    max_bytes: int = MAX_TRANSCRIPT_BYTES,
) -> tuple[Message, Message]:
    """Return the prompt: the instruction, then the transcript, then the question.

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
    graded : bool
        True asks for Yes or No, to be weighed by log-probabilities; False for a number.
    max_bytes : int
        Bytes of transcript at most.
    """
    parts = _template()
    # The instruction is the team's own; only what could close its position is taken from it.
    rule = instruction.strip().replace("<", "‹").replace(">", "›")
    system = parts["system"].substitute(instruction=rule)
    transcript = parts["transcript"].substitute(
        transcript=quote_transcript(turns, max_bytes=max_bytes)
    )
    state = parts["closed" if closed else "open"].template
    asked = parts["yes or no" if graded else "0 to 100"].template
    return Message("system", system), Message("user", f"{transcript}\n\n{state} {asked}")


def prompt_hash(instruction: str) -> str:
    """Return 12 hexadecimal digits that change with the template or the instruction."""
    material = f"{_template_text()}\0{instruction}"
    return hashlib.sha256(material.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@cache
def _template_text() -> str:
    return Path(__file__).with_name("prompt.txt").read_text(encoding="utf-8")


@cache
def _template() -> dict[str, Template]:
    pieces = re.split(r"^\[(.+)\]\n", _template_text(), flags=re.MULTILINE)[1:]
    return {
        name: Template(text.strip()) for name, text in zip(pieces[::2], pieces[1::2], strict=True)
    }
