"""All formats by name."""

from __future__ import annotations

from handoff_eval.transcripts.formats import (
    chatbase,
    csv_turns,
    intercom,
    openai,
    tau_bench,
    zendesk,
)
from handoff_eval.transcripts.formats.base import Format

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (csv_turns, openai, intercom, zendesk, chatbase, tau_bench)
}
