"""See how many labels it takes: each trained arm on growing parts of train, judged on tune.

  handoff-eval learning-curve DATASET --handoff handoff.toml --plot curve.png

The prompt stands beside them as a flat line where its replies are recorded with the dataset or
--ask-prompt is given. Test is not touched. A few minutes with MiniLM on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from handoff_eval.cli.compare import write_bytes
from handoff_eval.cli.options import add_budget_options, handoff_of
from handoff_eval.cli.result_options import add_result_options, keep_result
from handoff_eval.triggers.arms import TRAINED

DEFAULT_ARMS = ("tfidf", "minilm_words")
PROMPT_DECISIONS = 150


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `learning-curve`."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="dataset folder")
    add_budget_options(parser)
    parser.add_argument(
        "--arms",
        default=",".join(DEFAULT_ARMS),
        metavar="A,B",
        help=f"of {', '.join(TRAINED)} (default: %(default)s)",
    )
    parser.add_argument("--instruction", type=Path, metavar="FILE", help="for the prompt, in words")
    parser.add_argument(
        "--seeds",
        type=int,
        default=3,
        metavar="N",
        help="draws of customers a size (default: %(default)s)",
    )
    parser.add_argument(
        "--ask-prompt", action="store_true", help="ask the model where no reply is recorded"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the picture as a PNG")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_result_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and show."""
    from handoff_eval.cli.comparing import read_usable
    from handoff_eval.cli.progress import ProgressBars
    from handoff_eval.conversation import Split
    from handoff_eval.errors import SettingsError
    from handoff_eval.evaluation.comparison.arm_scores import sample_conversations
    from handoff_eval.evaluation.comparison.line_up import recorded_replies
    from handoff_eval.evaluation.learning.curve import learning_curve
    from handoff_eval.triggers.trained import train_arm

    names = tuple(name.strip() for name in arguments.arms.split(",") if name.strip())
    if not names or len(set(names)) != len(names) or not set(names) <= set(TRAINED):
        raise SettingsError(
            f"Expected --arms to name some of {', '.join(TRAINED)}, each once; got "
            f"{arguments.arms!r}."
        )
    if arguments.seeds < 1:
        raise SettingsError(f"Expected --seeds to be at least 1; got {arguments.seeds}.")
    handoff = handoff_of(arguments)
    assert handoff.budget is not None  # noqa: S101 - options.handoff_of sees to it
    dataset = read_usable(arguments.dataset)
    prompt, asker = None, None
    if arguments.ask_prompt or recorded_replies(dataset) is not None:
        from handoff_eval.llm.asker import default_asker
        from handoff_eval.triggers.prompt import PromptTrigger

        asker = default_asker(recorded=recorded_replies(dataset), live=False)
        asked = sample_conversations(dataset.labeled(Split.TUNE), PROMPT_DECISIONS, seed=0)
        prompt = (PromptTrigger(handoff.instruction, asker), asked)
    try:
        with ProgressBars("fit") as bars:
            curve = learning_curve(
                dataset,
                names,
                handoff.budget,
                train=lambda name, part, seed: train_arm(name, part, seed=seed),
                prompt=prompt,
                seeds=arguments.seeds,
                on_progress=bars,
            )
    finally:
        if asker is not None:
            asker.close()
    print(curve.to_json() if arguments.json else curve.text())
    if arguments.plot is not None:
        write_bytes(arguments.plot, curve.plot().png())
    params = {"arms": ", ".join(names), "seeds": str(arguments.seeds)}
    keep_result(arguments, curve, kind="learning-curve", dataset=dataset, params=params)
    return 0
