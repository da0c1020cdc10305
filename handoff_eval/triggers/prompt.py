"""The language-model arm: the instruction, the transcript and one question, as a graded score."""

from __future__ import annotations

import re
from collections.abc import Sequence

from handoff_eval.conversation import Reason, Role, Turn
from handoff_eval.errors import EndpointError, SettingsError
from handoff_eval.instructions.acceptable import MAX_BYTES
from handoff_eval.llm.asker import Asker
from handoff_eval.llm.question import Question, Reply
from handoff_eval.trigger import Explanation
from handoff_eval.triggers.prompt_template import Form, PromptTemplate, default_template
from handoff_eval.triggers.shots import MAX_SHOTS, SHOT_BYTES, Shot

MAX_TRANSCRIPT_BYTES = 6000
YES, NO = "yes", "no"
_NUMBER = re.compile(r"\s*(\d{1,3})(?:\.0+)?\s*(?:%|/\s*100)?\.?\s*", re.ASCII)
_REASON = re.compile(
    rf"[\s\"'*]*({'|'.join(Reason)})[\s,;:.]+(?:(?:turn|number)\s+)?\[?(\d{{1,4}})\]?[\s.\"'*]*",
    re.ASCII | re.IGNORECASE,
)
_STATED_TOKENS = 8
_REASON_TOKENS = 16


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
    template : PromptTemplate, optional
        The shipped one by default.
    shots : sequence of Shot
        Examples from train; at most 8. Their room comes off the transcript's.
    name : str
        The arm's name in tables.
    max_bytes : int
        Bytes of transcript a prompt holds at most; the oldest turns are left out.

    Raises
    ------
    SettingsError
        When the instruction is empty or longer than 1500 bytes, or there are too many examples.
    """

    def __init__(
        self,
        instruction: str,
        asker: Asker,
        *,
        template: PromptTemplate | None = None,
        shots: Sequence[Shot] = (),
        name: str = "prompt",
        max_bytes: int = MAX_TRANSCRIPT_BYTES,
    ) -> None:
        size = len(instruction.encode("utf-8", "surrogatepass"))
        if not instruction.strip() or size > MAX_BYTES:
            raise SettingsError(
                f"Expected an instruction of 1 to {MAX_BYTES} bytes; got {size} "
                f"({instruction[:40]!r}). Shorten the instruction."
            )
        if len(shots) > MAX_SHOTS:
            raise SettingsError(f"Expected at most {MAX_SHOTS} examples; got {len(shots)}.")
        self.name = name
        self.instruction = instruction
        self.template = template or default_template()
        self.shots = tuple(shots)
        self.asker = asker
        examples = f" with {len(shots)} examples" if shots else ""
        digest = self.template.digest(instruction, self.shots)
        self.description = f"{asker.identity}, prompt {digest}{examples}"
        self.max_bytes = max_bytes
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
        questions = [
            self.question(turns, closed=ended) for turns, ended in zip(states, closed, strict=True)
        ]
        score = self._weighed if self._is_graded() else self._stated
        return [score(reply) for reply in self.asker.ask(questions)]

    def explain(self, turns: Sequence[Turn], *, closed: bool) -> Explanation:
        """Return the reason the model names and the turn it points at, asked in a second question.

        A reason that isn't one, a turn that isn't there or no answer at all costs no decision:
        what is missing is None for the reason and the last customer turn for the evidence.
        """
        customer = [i for i, turn in enumerate(turns) if turn.role is Role.CUSTOMER]
        last = customer[-1] if customer else None
        try:
            (reply,) = self.asker.ask([self._question(turns, closed=closed, form=Form.REASON)])
        except EndpointError:
            return Explanation(evidence_turn=last)
        named = _REASON.fullmatch(reply.text)
        if named is None:
            return Explanation(evidence_turn=last)
        turn = int(named[2])
        return Explanation(Reason(named[1].lower()), turn if turn < len(turns) else last)

    def question(self, turns: Sequence[Turn], *, closed: bool) -> Question:
        """Return what is asked for the score of a prefix, to be read beside its reply.

        Raises
        ------
        EndpointError
            When the model can't be reached to find out whether it gives log-probabilities.
        """
        form = Form.WEIGHED if self._is_graded() else Form.STATED
        return self._question(turns, closed=closed, form=form)

    def _is_graded(self) -> bool:
        if self._graded is None:
            probe = Question((self.template.probe,), max_tokens=1, answers=(YES, NO))
            (reply,) = self.asker.ask([probe])
            self._graded = reply.logprobs is not None
        return self._graded

    def _question(self, turns: Sequence[Turn], *, closed: bool, form: Form) -> Question:
        messages = self.template.render(
            self.instruction,
            turns,
            closed=closed,
            max_bytes=self.max_bytes - SHOT_BYTES * len(self.shots),
            form=form,
            shots=self.shots,
        )
        if form is Form.WEIGHED:
            return Question(messages, max_tokens=1, answers=(YES, NO))
        if form is Form.STATED:
            return Question(messages, max_tokens=_STATED_TOKENS, recordable=_NUMBER.pattern)
        return Question(messages, max_tokens=_REASON_TOKENS, recordable=f"(?i){_REASON.pattern}")

    def _weighed(self, reply: Reply) -> float:
        yes, no = reply.probability(YES), reply.probability(NO)
        if reply.logprobs is None or yes + no <= 0:
            likeliest = ", ".join(repr(c.token) for c in (reply.logprobs or ())[:5])
            raise EndpointError(
                f"Expected {self.asker.identity} to weigh Yes against No; got "
                f"{likeliest or 'neither of them nor other'} as its likeliest first tokens. "
                "Choose a model that follows instructions."
            )
        return yes / (yes + no)

    def _stated(self, reply: Reply) -> float:
        match = _NUMBER.fullmatch(reply.text)
        number = int(match[1]) if match else -1
        if 0 <= number <= 100:
            return number / 100
        text = reply.text.strip()
        bare = text.strip(" .!").casefold() in (YES, NO)
        why = ", a bare answer that can't be ranked" if bare else ""
        raise EndpointError(
            f"Expected {self.asker.identity} to state a whole number from 0 to 100; got "
            f"{text[:80]!r}{why}. Choose a model that follows instructions, or an endpoint that "
            "gives log-probabilities."
        )
