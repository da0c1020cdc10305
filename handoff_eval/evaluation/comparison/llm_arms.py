"""The arms that ask a language model: the prompt, and the cascade that asks it less often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from handoff_eval.conversation import Conversation, LabeledConversation
from handoff_eval.encoders.base import Encoder
from handoff_eval.evaluation.comparison.arm_scores import Arm
from handoff_eval.evaluation.replay import replay
from handoff_eval.llm.asker import Asker
from handoff_eval.llm.cost import Meter
from handoff_eval.settings import Price
from handoff_eval.trigger import Trigger
from handoff_eval.triggers.cascade import DEFAULT_SHARE, Band, CascadeTrigger, choose_band
from handoff_eval.triggers.classifier import ClassifierTrigger
from handoff_eval.triggers.prompt import PromptTrigger
from handoff_eval.triggers.prompt_template import PromptTemplate
from handoff_eval.triggers.shots import Shot, choose_shots

BATCH_TURNS = 16
"""Few, since a decision takes long and progress is to be seen."""


@dataclass(frozen=True, slots=True)
class LlmPlan:
    """How language models take part.

    Attributes
    ----------
    max_decisions : int
        Decisions asked of a model for each arm, on a draw of conversations.
    template : PromptTemplate, optional
        The prompt; the shipped one where None.
    shots : int
        Examples of train in the prompt.
    share : float
        Share of train's decisions that lie in the cascade's band.
    price : Price, optional
        What a million tokens cost.
    """

    max_decisions: int = 600
    template: PromptTemplate | None = None
    shots: int = 0
    share: float = DEFAULT_SHARE
    price: Price | None = None


class LlmArms:
    """Builds the arms over one model, one set of examples and one count of cost each.

    Parameters
    ----------
    train : sequence of LabeledConversation
        The train split, which examples and band are chosen on.
    instruction : str
        The condition in plain language.
    asker : callable
        Gives the asker; called once, when the first arm is built.
    encoder : callable
        Gives the encoder by which examples are spread.
    plan : LlmPlan
        How they take part.
    """

    def __init__(
        self,
        train: Sequence[LabeledConversation],
        *,
        instruction: str,
        asker: Callable[[], Asker],
        encoder: Callable[[], Encoder],
        plan: LlmPlan,
    ) -> None:
        self._train = train
        self._instruction = instruction
        self._open = asker
        self._encoder = encoder
        self._plan = plan

    def prompt(self) -> Arm:
        """Return the arm that asks the model at every decision."""
        meter = self._meter()
        return self._arm(self._prompt(meter), meter)

    def cascade(self, first: ClassifierTrigger) -> Arm:
        """Return the arm that asks the model where the first trigger's score lies in the band.

        The band is chosen by the scores that the first trigger's training held out.

        Parameters
        ----------
        first : ClassifierTrigger
            Trained on all of train.
        """
        judged = [
            (item, scores)
            for item, scores in zip(self._train, first.held_out, strict=True)
            if not np.isnan(scores).any()
        ]
        band = choose_band(
            [item for item, _ in judged],
            [scores for _, scores in judged],
            share=self._plan.share,
        )
        meter = self._meter()
        arm = self._arm(CascadeTrigger(first, self._prompt(meter), band), meter)
        return replace(arm, asked=lambda conversations: _in_band(first, band, conversations))

    @cached_property
    def _asker(self) -> Asker:
        return self._open()

    @cached_property
    def _shots(self) -> tuple[Shot, ...]:
        if not self._plan.shots:
            return ()
        return choose_shots(self._train, self._plan.shots, self._encoder().encode)

    def _meter(self) -> Meter:
        return Meter(self._asker, price=self._plan.price)

    def _prompt(self, meter: Meter) -> PromptTrigger:
        return PromptTrigger(
            self._instruction, meter, template=self._plan.template, shots=self._shots
        )

    def _arm(self, trigger: Trigger, meter: Meter) -> Arm:
        return Arm(
            trigger, max_decisions=self._plan.max_decisions, meter=meter, batch_turns=BATCH_TURNS
        )


def _in_band(first: Trigger, band: Band, conversations: Sequence[Conversation]) -> list[int]:
    """Return the decisions of each conversation at which the model is asked."""
    played = replay(first, conversations)
    inside = np.array([score in band for score in played.scores], dtype=np.int64)
    return [int(count) for count in np.add.reduceat(inside, played.offsets[:-1])]
