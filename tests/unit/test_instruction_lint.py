"""Every code of the instruction lint: what raises it, what doesn't, and what its edit does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from handoff_eval.handoff import DEFAULT_INSTRUCTION
from handoff_eval.instructions.lint import CHECKS, lint

GOOD = (
    "Send an email summary when the customer asks to speak to a person, or when the customer says "
    "that the suggested steps didn't work. Do not send it when the customer only asks about "
    "opening hours."
)


def with_cue(words: str) -> str:
    return f"Send an email when {words}. Do not send it when the customer only says hello."


CASES = [
    ("HI001", "error", "Send an email summary to the team.", "an email when the customer asks"),
    ("HI002", "warning", "Send an email when the customer swears.", "Do not send it when"),
    ("HI003", "warning", with_cue("the question is complex"), "takes more than the agent can do"),
    ("HI003", "warning", with_cue("the case requires human review"), "a refund, an exception"),
    ("HI004", "warning", with_cue("the customer swears or when they feel ignored"), "swears. Do"),
    ("HI004", "warning", with_cue("the customer swears or when a VIP writes"), "swears. Do"),
    ("HI005", "error", f"{GOOD} Write to desk@example.com.", "Write to the team."),
    ("HI005", "error", f"{GOOD} Call +44 20 7946 0000.", "Call the team."),
    ("HI005", "error", f"{GOOD} See https://example.com/rules.", "See the team."),
    (
        "HI006",
        "error",
        "Send it when the customer asks for a refund. Do not send it when they ask for refunds.",
        "Send it when the customer asks for a refund.",
    ),
    ("HI007", "warning", GOOD + " The company was founded long ago and" + " grew" * 150 + ".", "."),
    (
        "HI008",
        "warning",
        with_cue("the customer asks for a manager, or when a customer asks for the manager"),
        "when the customer asks for a manager. Do not",
    ),
    ("HI009", "warning", with_cue("the customer never said no to us, or when X is lost"), "X is"),
    (
        "HI009",
        "warning",
        f"{GOOD} Do not send it when the agent has not answered.",
        "opening hours.",
    ),
    ("HI010", "warning", with_cue("X is lost or when the customer doesn't reply"), "X is lost."),
    ("HI010", "warning", with_cue("X is lost or when the customer will complain"), "X is lost."),
    ("HI011", "warning", with_cue("X is lost or when their last ticket is open"), "X is lost."),
    (
        "HI012",
        "warning",
        with_cue("the customer " + "says and repeats with words " * 5 + "that a parcel is lost"),
        ", when ",
    ),
    ("HI013", "warning", with_cue("the customer asks for refunds, returns, etc"), "returns. Do"),
    ("HI013", "warning", with_cue("the customer wants refunds, returns and so on"), "returns. Do"),
    ("HI014", "warning", with_cue("X is lost or when the customer has any question"), "X is lost."),
    ("HI015", "error", with_cue("{{name}} is angry"), "when the customer is angry"),
    ("HI015", "error", with_cue("<customer> is angry"), "when the customer is angry"),
    ("HI016", "info", f"{GOOD} Be polite and brief.", "opening hours."),
    ("HI017", "info", with_cue("they swear"), "when customers swear"),
]


@pytest.mark.parametrize(("code", "severity", "text", "after"), CASES)
def test_what_is_wrong_is_found_with_an_edit(
    code: str, severity: str, text: str, after: str
) -> None:
    """The code is raised at its severity, in one sentence, and its edit gives the words wanted."""
    findings = [finding for finding in lint(text) if finding.code == code]

    assert [finding.severity for finding in findings] == [severity]
    assert findings[0].sentence.endswith(".")
    assert after in findings[0].edit.apply(text)


@pytest.mark.parametrize(("code", "text"), [(c, t) for c, _, t, _ in CASES if c != "HI012"])
def test_the_edit_answers_the_finding(code: str, text: str) -> None:
    """Once the edit is made the code is gone."""
    edit = next(finding.edit for finding in lint(text) if finding.code == code)

    assert code not in {finding.code for finding in lint(edit.apply(text))}


def test_a_good_instruction_passes() -> None:
    """Plain cues and an exclusion raise nothing."""
    assert lint(GOOD) == ()


def test_every_code_has_a_case() -> None:
    """No check goes untested, and each says its code."""
    codes = [(check.__doc__ or "")[:5] for check in CHECKS]

    assert codes == [f"HI{i:03}" for i in range(1, len(CHECKS) + 1)]
    assert set(codes) == {code for code, *_ in CASES}


def test_the_default_instruction_is_found_wanting() -> None:
    """The platform's own wording lacks an exclusion and has two vague cues."""
    assert [f.code for f in lint(DEFAULT_INSTRUCTION)] == ["HI002", "HI003", "HI003", "HI017"]


def test_lint_needs_the_standard_library_alone(tmp_path: Path) -> None:
    """The command imports nothing heavy."""
    file = tmp_path / "instruction.txt"
    file.write_text(GOOD, encoding="utf-8")
    program = (
        "import sys\n"
        "from handoff_eval.cli.main import main\n"
        f"code = main(['instruction', 'lint', {str(file)!r}, '--json'])\n"
        "print(code, sorted({'numpy', 'pandas', 'onnxruntime', 'mlflow', 'tqdm'} "
        "& set(sys.modules)), file=sys.stderr)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stderr == "0 []\n"
