"""Run `handoff-eval compare` on the public sets and print the table of docs/benchmarks.md.

    python benchmarks/public_sets.py ../shared/data

Every set gets the same budget, so that rows can be read side by side. The command of each set
is printed above its rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SETS = ("tau_transfer", "star_out_of_scope", "tweetsumm", "uss_sgd", "mhch_clothing")
BUDGET = (
    "--max-emails-per-day", "20", "--min-recall", "0.8",
    "--conversations-per-day", "200", "--prevalence", "0.05",
)  # fmt: skip
COLUMNS = (
    "recall",
    "recall_on_time",
    "emails_per_day",
    "average_precision",
    "average_precision_on_time",
)


def compare(folder: Path, arms: str) -> dict[str, object]:
    """Compare the arms on one set and return the results."""
    command = ["handoff-eval", "compare", f"../shared/data/{folder.name}", *BUDGET, "--arms", arms]
    print(f"\n### {folder.name}\n\n```\n{' '.join(command)}\n```\n")
    command[0] = str(Path(sys.executable).with_name("handoff-eval"))
    command[2] = str(folder)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "results.json"
        subprocess.run(
            [*command, "--no-tracking", "--json", str(out)], check=True, stdout=subprocess.DEVNULL
        )
        return json.loads(out.read_text())


def cell(estimate: dict[str, float | None]) -> str:
    """Return a value with its interval."""
    if estimate["low"] is None:
        return f"{estimate['value']:.2f}"
    digits = 1 if estimate["high"] > 2 else 2
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def main() -> None:
    """Print one table a set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the public sets")
    parser.add_argument(
        "--arms", default="keyword,tfidf,minilm,minilm_words", help="default: %(default)s"
    )
    parser.add_argument("--sets", default=",".join(SETS), help="default: all")
    arguments = parser.parse_args()
    for name in arguments.sets.split(","):
        results = compare(arguments.data / name, arguments.arms)
        counts = results["counts"]["test"]
        print(
            f"Test: {counts['conversations']} conversations, {counts['positives']} positive, "
            f"{counts['customers']} customers.\n"
        )
        print(
            "| arm | n (positive) | "
            + " | ".join(c.replace("_", " ") for c in COLUMNS)
            + " | certified |"
        )
        print("|---|---|" + "---|" * len(COLUMNS) + "---|")
        for arm in results["arms"]:
            cells = " | ".join(cell(arm["metrics"][column]) for column in COLUMNS)
            certified = "yes" if arm["operating_point"]["certificate"] else "no"
            print(f"| {arm['name']} | {arm['n']} ({arm['positives']}) | {cells} | {certified} |")


if __name__ == "__main__":
    main()
