"""Whether a proposed instruction may be tried at all."""

from __future__ import annotations

from handoff_eval.instructions.lint import lint
from handoff_eval.severity import Severity

MAX_BYTES = 1500
"""What a prompt has room for beside the transcript."""


def why_unacceptable(text: str) -> str | None:
    """Return why an instruction can't be tried, in a sentence; None when it can.

    A language model may answer out of form, or copy an address out of a transcript: what lint
    calls an error is never tried.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        return f"It has {size} bytes; at most {MAX_BYTES} fit a prompt."
    for finding in lint(text):
        if finding.severity is Severity.ERROR:
            return f"{finding.code}: {finding.sentence}"
    return None
