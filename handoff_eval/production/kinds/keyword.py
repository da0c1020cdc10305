"""Keyword rules in a bundle: the rules file that an analyst can read."""

from __future__ import annotations

from pathlib import Path

from handoff_eval.production.kinds.base import Files, Kind, Spec
from handoff_eval.triggers.keyword import KeywordTrigger, parse_rules

RULES = "rules.txt"


def _write(trigger: KeywordTrigger, folder: Path) -> Spec:
    lines = [
        f"{rule.weight!r} | {rule.role} | {rule.reason} | {rule.pattern}" for rule in trigger.rules
    ]
    (folder / RULES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {}


def _read(spec: Spec, files: Files) -> KeywordTrigger:  # noqa: ARG001 - one signature
    rules = files[RULES]
    return KeywordTrigger(parse_rules(rules.read_text(encoding="utf-8"), source=str(rules)))


KIND = Kind("keyword", KeywordTrigger, _write, _read)
