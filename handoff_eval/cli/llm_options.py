"""How a language model is asked, as options of the commands that may ask one."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handoff_eval.settings import LlmLimits, Price

if TYPE_CHECKING:
    from handoff_eval.evaluation.comparison.llm_arms import LlmPlan

DEFAULT_LLM_DECISIONS = 600


@dataclass(frozen=True, slots=True)
class LlmOptions:
    """What was stated; None leaves it to the environment, else to the default.

    Attributes
    ----------
    max_decisions, shots : int
    prompt : Path or None
    share : float or None
    limits : tuple
        Names and values of the fields of `LlmLimits` that were stated.
    price_in, price_out : float or None
        For a million tokens.
    """

    max_decisions: int = DEFAULT_LLM_DECISIONS
    shots: int = 0
    prompt: Path | None = None
    share: float | None = None
    limits: tuple[tuple[str, Any], ...] = ()
    price_in: float | None = None
    price_out: float | None = None

    def merged_limits(self) -> LlmLimits:
        """Return the limits stated here, else in the environment.

        Raises
        ------
        SettingsError
            When one makes no sense.
        """
        return replace(LlmLimits.from_environment(), **dict(self.limits))

    def plan(self) -> LlmPlan:
        """Return what the line-up of arms needs; the prompt is read and checked here.

        Raises
        ------
        SettingsError
            When the prompt, the number of examples, the share or a price can't be used.
        """
        from handoff_eval.evaluation.comparison.llm_arms import LlmPlan
        from handoff_eval.triggers.cascade import DEFAULT_SHARE, check_share
        from handoff_eval.triggers.prompt_template import read_template
        from handoff_eval.triggers.shots import check_shots

        price = Price.from_environment()
        stated = {"prompt": self.price_in, "completion": self.price_out}
        known = {side: value for side, value in stated.items() if value is not None}
        if known:
            price = replace(price or Price(0.0, 0.0), **known)
        return LlmPlan(
            max_decisions=self.max_decisions,
            template=None if self.prompt is None else read_template(self.prompt),
            shots=check_shots(self.shots),
            share=check_share(DEFAULT_SHARE if self.share is None else self.share),
            price=price,
        )


def add_llm_options(parser: argparse.ArgumentParser) -> None:
    """Add what the arms that ask a language model can be told."""
    llm = parser.add_argument_group(
        "language model", "which one, by HANDOFF_EVAL_LLM_URL, _MODEL and _KEY; see docs/llm.md"
    )
    llm.add_argument(
        "--max-llm-decisions",
        type=int,
        default=DEFAULT_LLM_DECISIONS,
        metavar="N",
        help="decisions asked for each arm, on a draw of conversations (default: %(default)s)",
    )
    llm.add_argument("--prompt", type=Path, metavar="FILE", help="prompt instead of ours")
    llm.add_argument(
        "--shots", type=int, default=0, metavar="N", help="examples of train in it, even, up to 8"
    )
    llm.add_argument(
        "--cascade-share",
        type=float,
        metavar="S",
        help="share of train's decisions in the cascade's band (default: 0.2)",
    )
    llm.add_argument("--llm-threads", type=int, metavar="N", help="questions at the same time")
    llm.add_argument("--requests-per-minute", type=float, metavar="N", help="of the provider")
    llm.add_argument("--tokens-per-minute", type=float, metavar="N", help="of the provider")
    llm.add_argument("--price-in", type=float, metavar="P", help="of a million prompt tokens")
    llm.add_argument("--price-out", type=float, metavar="P", help="of a million reply tokens")


def llm_options_of(arguments: argparse.Namespace) -> LlmOptions:
    """Return what was stated."""
    stated = {
        "threads": arguments.llm_threads,
        "requests_per_minute": arguments.requests_per_minute,
        "tokens_per_minute": arguments.tokens_per_minute,
    }
    return LlmOptions(
        max_decisions=arguments.max_llm_decisions,
        shots=arguments.shots,
        prompt=arguments.prompt,
        share=arguments.cascade_share,
        limits=tuple((name, value) for name, value in stated.items() if value is not None),
        price_in=arguments.price_in,
        price_out=arguments.price_out,
    )
