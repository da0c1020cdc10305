"""Options that several commands share, and what they are turned into."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields, replace
from pathlib import Path

from handoff_eval.cli.llm_options import LlmOptions, add_llm_options, llm_options_of
from handoff_eval.errors import SettingsError
from handoff_eval.handoff import DEFAULT_INSTRUCTION, Budget, Handoff, read_handoffs
from handoff_eval.triggers.arms import ARMS

DEFAULT_ARMS = ("keyword", "tfidf", "minilm_words", "prompt")


@dataclass(frozen=True, slots=True)
class ArmOptions:
    """Which arms take part, how the dear ones are limited, and what they are compared on."""

    names: tuple[str, ...]
    rules: Path | None
    llm: LlmOptions
    live: bool
    seed: int
    traffic: Path | None = None
    smallest_difference: float = 0.05


def add_comparison_options(parser: argparse.ArgumentParser) -> None:
    """Add what a comparison needs: the data, the budget, the arms."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="dataset folder")
    add_budget_options(parser)
    arms = parser.add_argument_group("arms", "\n".join(f"{n}: {text}" for n, text in ARMS.items()))
    arms.add_argument(
        "--arms",
        default=",".join(DEFAULT_ARMS),
        metavar="A,B",
        help=f"which take part, of {', '.join(ARMS)} (default: %(default)s)",
    )
    arms.add_argument("--instruction", type=Path, metavar="FILE", help="when to hand off, in words")
    arms.add_argument("--rules", type=Path, metavar="FILE", help="keyword rules instead of ours")
    add_llm_options(parser)
    parser.add_argument("--live", action="store_true", help="ask again, whatever replies are kept")
    parser.add_argument(
        "--traffic",
        type=Path,
        metavar="PATH",
        help="unlabelled conversations, a folder or JSON lines, that show volume and prevalence",
    )
    parser.add_argument(
        "--smallest-difference",
        type=float,
        default=5.0,
        metavar="D",
        help="points of recall worth having between two arms (default: %(default)g)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of every draw (default: %(default)s)")


def add_budget_options(parser: argparse.ArgumentParser) -> None:
    """Add what states a budget."""
    budget = parser.add_argument_group("budget (or a handoff file that states one)")
    budget.add_argument(
        "--max-emails-per-day", type=float, metavar="N", help="mean the team can read"
    )
    budget.add_argument(
        "--min-recall", type=float, metavar="R", help="needed handoffs to catch, 0 to 1"
    )
    budget.add_argument("--conversations-per-day", type=float, metavar="M", help="deployed traffic")
    budget.add_argument(
        "--prevalence",
        type=float,
        metavar="P",
        help="share of deployed conversations in need, 0 to 1",
    )
    budget.add_argument(
        "--confidence", type=float, metavar="C", help="that both promises are kept (default: 0.95)"
    )
    budget.add_argument(
        "--max-days-above",
        type=float,
        metavar="Q",
        help="promise that at most this share of days has more than N emails; needs daily traffic",
    )
    budget.add_argument(
        "--customers",
        action="store_true",
        default=None,
        help="promise the recall for customers never missed instead of for handoffs",
    )
    budget.add_argument(
        "--on-time-within",
        type=int,
        metavar="K",
        help="promise fires no later than K decision points after due",
    )
    budget.add_argument("--needless-email-cost", type=float, metavar="COST")
    budget.add_argument("--lost-customer-cost", type=float, metavar="COST")
    budget.add_argument("--handoff", type=Path, metavar="FILE", help="TOML file of the handoff")
    budget.add_argument(
        "--handoff-name", metavar="NAME", help="which one, where the file has several"
    )


def handoff_of(arguments: argparse.Namespace) -> Handoff:
    """Return the handoff of the file or of the flags; flags win over the file.

    Raises
    ------
    SettingsError
        When no complete budget is stated, or the file holds several and none is named.
    """
    handoff = handoff_from_file(arguments.handoff, arguments.handoff_name)
    if arguments.instruction is not None:
        handoff = replace(handoff, instruction=read_text(arguments.instruction))
    stated = {
        name: getattr(arguments, name)
        for name in (field.name for field in fields(Budget))
        if getattr(arguments, name) is not None
    }
    if handoff.budget is not None:
        return replace(handoff, budget=replace(handoff.budget, **stated))
    missing = [
        "--" + name.replace("_", "-")
        for name in ("max_emails_per_day", "min_recall", "conversations_per_day")
        if name not in stated
    ]
    if missing:
        raise SettingsError(
            f"Expected a budget; missing: {', '.join(missing)}. "
            "Give the options, or --handoff with a file that has a budget."
        )
    return replace(handoff, budget=Budget(**stated))


def arm_options_of(arguments: argparse.Namespace) -> ArmOptions:
    """Return the arms asked for.

    Raises
    ------
    SettingsError
        When an arm is unknown or named twice, or the limit is too small to say anything.
    """
    names = tuple(name.strip() for name in arguments.arms.split(",") if name.strip())
    unknown = [name for name in names if name not in ARMS]
    if unknown or not names or len(set(names)) != len(names):
        raise SettingsError(
            f"Expected --arms to name some of {', '.join(ARMS)}, each once; got {arguments.arms!r}."
        )
    if arguments.max_llm_decisions < 20:
        raise SettingsError(
            f"Expected --max-llm-decisions to be at least 20; got {arguments.max_llm_decisions}."
        )
    if not 0 <= arguments.seed < 2**32:
        raise SettingsError(f"Expected --seed to lie in 0 to 4294967295; got {arguments.seed}.")
    if not 0 < arguments.smallest_difference <= 100:
        raise SettingsError(
            "Expected --smallest-difference to lie above 0 and up to 100 points; got "
            f"{arguments.smallest_difference:g}."
        )
    return ArmOptions(
        names,
        arguments.rules,
        llm_options_of(arguments),
        arguments.live,
        arguments.seed,
        arguments.traffic,
        arguments.smallest_difference / 100,
    )


def handoff_from_file(path: Path | None, name: str | None) -> Handoff:
    """Return the handoff of a file, by its name where there are several; a plain one for None.

    Raises
    ------
    SettingsError
        When the file can't be read, or doesn't say which one.
    """
    if path is None:
        return Handoff(
            name="handoff", recipients=("team@localhost",), instruction=DEFAULT_INSTRUCTION
        )
    handoffs = read_handoffs(path)
    if name is not None:
        for handoff in handoffs:
            if handoff.name == name:
                return handoff
    names = ", ".join(repr(handoff.name) for handoff in handoffs)
    if name is not None:
        raise SettingsError(f"{path}: expected a handoff named {name!r}; it has {names}.")
    if len(handoffs) > 1:
        raise SettingsError(f"{path}: holds {names}; say which with --handoff-name.")
    return handoffs[0]


def read_text(path: Path) -> str:
    """Return the instruction of a text file.

    Raises
    ------
    SettingsError
        When it can't be read or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{path}: can't be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: expected a text in UTF-8; {error}.") from None
    if not text:
        raise SettingsError(f"{path}: expected an instruction; the file is empty.")
    return text
