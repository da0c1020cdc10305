"""Every page of the documentation: its commands parse, its code imports, its links lead on."""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from handoff_eval.cli.main import build_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "datasets").glob("*/README.md"),
    ]
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
OUR_FOLDERS = ("docs/", "benchmarks/", "handoff_eval/", "datasets/support", "tests/", "notebooks/")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page in these languages; "" is a block that names none."""
    return [code for name, code in FENCE.findall(page.read_text("utf-8")) if name in languages]


def shell_lines(page: Path) -> list[list[str]]:
    """Return the words of each command shown, without comments, pipes and redirections."""
    lines = []
    for block in blocks(page, "", "bash", "sh", "console"):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            if re.match(r"\s*(\w+=\S+ )*(handoff-eval|python|make) ", line):
                words = shlex.split(line, comments=True)
                for at, word in enumerate(words):
                    if word in {"<", ">", ">>", "|", "||", "&&", "&", ";"}:
                        words = words[:at]
                        break
                lines.append([word for word in words if not re.match(r"[A-Z_]+=", word)])
    return lines


@every_page
def test_commands_parse(page: Path) -> None:
    """Each command shown is one that the program, the Makefile or a script takes."""
    parser = build_parser()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for program, *words in shell_lines(page):
        if program == "handoff-eval":
            assert (refusal := _refusal(parser, words)) is None, f"{' '.join(words)}\n{refusal}"
        elif program == "make":
            assert set(words) <= targets, words
        elif words[0] == "-m":
            assert words[1] in {"pytest", "http.server"} or import_module(words[1]), words
            assert words[1] != "pytest" or (ROOT / words[2]).exists(), words
        elif words[0] == "-c":
            ast.parse(words[1])
        else:
            source = (ROOT / words[0]).read_text("utf-8")
            missing = [w for w in words if w.startswith("--") and f'"{w}"' not in source]
            assert not missing, f"{words[0]} knows no {', '.join(missing)}"


@every_page
def test_named_commands_exist(page: Path) -> None:
    """A command named in a sentence exists, with the options that are named beside it."""
    for text in INLINE.findall(FENCE.sub("", page.read_text("utf-8"))):
        if not text.startswith("handoff-eval "):
            continue
        parser = build_parser()
        words = re.split(r"[\s|]+", text)[1:]
        while words and (inner := _subparsers(parser)) and not words[0].startswith("-"):
            assert words[0] in inner, text
            parser = inner[words.pop(0)]
        known = {option for action in parser._actions for option in action.option_strings}
        assert {word for word in words if word.startswith("--")} <= known, text


@pytest.mark.medium
@every_page
def test_code_imports(page: Path) -> None:
    """Each Python sample is Python, and what it imports of this package is there."""
    for code in blocks(page, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("handoff_eval"):
                module = import_module(node.module or "")
                assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)


@every_page
def test_samples_of_data_are_well_formed(page: Path) -> None:
    """JSON and TOML samples are JSON and TOML."""
    for text in blocks(page, "json"):
        json.loads(text)
    for text in blocks(page, "toml"):
        tomllib.loads(text)


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the project, and its anchor a heading of that file."""
    for target in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file), target


@every_page
def test_named_files_exist(page: Path) -> None:
    """A file of this project that a sentence names is there."""
    if page.name == "CHANGELOG.md":
        return  # it names what was, too
    for text in INLINE.findall(FENCE.sub("", page.read_text("utf-8"))):
        if text.startswith(OUR_FOLDERS) and not re.search(r"[\s*<{…]", text):
            assert (ROOT / text.partition("::")[0]).exists(), text


def test_the_reference_of_commands_is_todays() -> None:
    """`docs/reference/commands.md` is what the parsers say now."""
    from handoff_eval.cli.reference import command_page

    shown = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")

    assert shown == command_page(), "make docs writes it anew"


def _refusal(parser: argparse.ArgumentParser, words: list[str]) -> str | None:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            parser.parse_args(words)
        except SystemExit as left:
            return said.getvalue() if left.code else None
    return None


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}
