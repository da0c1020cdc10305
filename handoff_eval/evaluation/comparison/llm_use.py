"""How much of an arm a language model decided, and what that cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handoff_eval.llm.cost import Usage
from handoff_eval.settings import Price


@dataclass(frozen=True, slots=True)
class LlmUse:
    """What a language model was asked for one arm, on tune and test together.

    Attributes
    ----------
    conversations, decisions : int
        Scored by the arm.
    asked : int
        Decisions the model was asked.
    usage : Usage
        Of distinct prompts, counted when they were asked, now or before.
    price : Price or None
        What a million tokens cost.
    """

    conversations: int
    decisions: int
    asked: int
    usage: Usage
    price: Price | None

    @property
    def share(self) -> float:
        """Share of the decisions that the model was asked."""
        return self.asked / self.decisions

    @property
    def cost_per_thousand(self) -> float | None:
        """Price of a thousand conversations such as these; None where no price is set."""
        cost = self.usage.cost(self.price)
        return None if cost is None else 1000 * cost / self.conversations

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "conversations": self.conversations,
            "decisions": self.decisions,
            "asked": self.asked,
            "share_asked": self.share,
            "cost_per_thousand_conversations": self.cost_per_thousand,
            **self.usage.to_dict(self.price),
        }

    def cells(self) -> dict[str, str]:
        """Return share, tokens and cost as cells of the arm's row."""
        cost = self.cost_per_thousand
        return {
            "asked of a model": f"{self.share:.0%}",
            "tokens": f"{self.usage.prompt_tokens:,} in, {self.usage.completion_tokens:,} out",
            "cost of 1,000 conversations": "no price set" if cost is None else f"{cost:.4g}",
        }

    def sentence(self) -> str:
        """Return it in words."""
        usage = self.usage
        said = (
            f"a model was asked at {self.asked:,} of {self.decisions:,} decisions "
            f"({self.share:.0%}) of {self.conversations:,} conversations: "
            f"{usage.prompt_tokens:,} tokens in and {usage.completion_tokens:,} out, "
        )
        if usage.uncounted:
            said += f"without {usage.uncounted:,} replies that were not counted, "
        if self.cost_per_thousand is None:
            said += "no price set"
        else:
            said += (
                f"cost {usage.cost(self.price):.4g}, or {self.cost_per_thousand:.4g} for 1,000 "
                "such conversations"
            )
        if usage.p50_seconds is not None and usage.p95_seconds is not None:
            said += (
                f"; {usage.p50_seconds:.2f} s a reply at the median and {usage.p95_seconds:.2f} s "
                f"at the 95th percentile (n={usage.replies:,})"
            )
        return f"{said}."
