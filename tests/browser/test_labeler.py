"""The labeler in a real JupyterLab in a real browser, with the keyboard alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from handoff_eval.conversation import Conversation, Label, Reason
from handoff_eval.transcripts.label_store import labels_of, save_labels
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.transcripts.write import write_dataset
from tests.browser.conftest import Lab
from tests.builders import talk

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CONTRAST = Path(__file__).with_name("contrast.js")
PATIENCE = 60_000
HOSTILE = "<img src=x onerror=\"document.title='broken in'\"><b>bold</b>"
CODE = """\
import os
from pathlib import Path

from handoff_eval.workbench.labeler import Labeler

Path("kernel.pid").write_text(str(os.getpid()))
Labeler("set", annotator={annotator!r})"""


def conversations() -> list[Conversation]:
    """Return fourteen conversations of five turns, one of which tries to be more than text."""
    return [
        talk(
            f"C: {HOSTILE} where is order {number}?",
            "A: On its way.",
            "C: It was due on Monday.",
            "A: Please be patient.\nIt takes two lines to say so.",
            "C: Forget it.",
            id=f"c-{number:02}",
        )
        for number in range(14)
    ]


def prepare(lab: Lab, *labels: Label, annotator: str = "ana") -> Path:
    """Write a dataset and a notebook of one cell, and return the dataset's folder."""
    folder = lab.folder / "set"
    write_dataset(folder, conversations=conversations())
    save_labels(folder, labels)
    lab.write("label.ipynb", CODE.format(annotator=annotator))
    return folder


def start(browser: Browser, lab: Lab) -> Page:
    """Open the notebook, run its cell and return once the widget has the keyboard."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.goto(lab.address("label.ipynb"))
    wait_until_idle(page)
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Control+Enter")
    page.locator(".hel-turns").wait_for()
    page.wait_for_function("document.activeElement.classList.contains('hel-turns')")
    return page


def wait_until_idle(page: Page) -> None:
    """Return once the kernel is connected: a cell that is run before is dropped."""
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()


def shown(page: Page) -> str:
    """Return the id of the conversation on screen."""
    return page.locator(".hel-facts").inner_text().split(" · ")[0]


def press(page: Page, *keys: str) -> None:
    """Press one key after the other."""
    for key in keys:
        page.keyboard.press(key)


def save(page: Page, done: int) -> None:
    """Press Enter and return once the screen says that so many are answered."""
    press(page, "Enter")
    page.locator(".hel-count", has_text=f"{done} of 14").wait_for()


def said(label: Label) -> Said:
    """Return what an annotator decided."""
    return Said(label.handoff, label.at_turn, label.reasons, label.note)


class Said(NamedTuple):
    """Decision, turn, reasons and note of one answer."""

    handoff: bool
    at_turn: int | None = None
    reasons: tuple[Reason, ...] = ()
    note: str | None = None


WAYS: list[tuple[list[str], Said]] = [
    (["n"], Said(False)),
    (["ArrowDown", "ArrowDown", "Space", "3"], Said(True, 2, (Reason.UNRESOLVED,))),
    (["j", "j", "k", "m", "6", "5"], Said(True, 1, (Reason.OTHER, Reason.COMPLAINT))),
    (["c", "1"], Said(True, None, (Reason.FOLLOW_UP_REQUESTED,))),
    (["y", "End", "Space", "2"], Said(True, None, (Reason.HUMAN_REQUESTED,))),
    (["End", "k", "Space", "4", "n"], Said(False)),
    (["PageDown", "Home", "Space", "4", "1", "1"], Said(True, 0, (Reason.HUMAN_REVIEW,))),
    (["n", "e", *"dd ?", "Shift+Enter", "u", "Enter"], Said(False, note="dd ?\nu")),
    (["n", "y", "Space", "3"], Said(True, 0, (Reason.UNRESOLVED,))),
    (["d", "d", "x", "n"], Said(False)),
]
"""Keys for ten conversations, and what they mean."""


def test_a_killed_kernel_loses_nothing(browser: Browser, lab: Lab) -> None:
    """Ten answers from keys alone survive SIGKILL, and the widget goes on at the eleventh."""
    folder = prepare(lab)
    page = start(browser, lab)
    expected: dict[str, Said] = {}
    for done, (keys, meaning) in enumerate(WAYS, 1):
        conversation_id = shown(page)
        press(page, *keys)
        save(page, done)
        expected[conversation_id] = meaning
    waiting = shown(page)
    killed = int((lab.folder / "kernel.pid").read_text())
    os.kill(killed, signal.SIGKILL)
    page.locator(".jp-Dialog", has_text="Kernel Restarting").wait_for()
    press(page, "Enter")
    page.close()

    dataset = read_dataset(folder)
    assert dataset.refusals == ()
    assert {i: said(label) for i, label in labels_of(dataset, "ana").items()} == expected
    assert len(expected) == 10

    page = start(browser, lab)
    assert int((lab.folder / "kernel.pid").read_text()) != killed
    assert page.locator(".hel-count").inner_text() == "10 of 14"
    assert shown(page) == waiting
    assert "you stopped after 10" in page.locator(".hel-message").inner_text()
    press(page, "n")
    save(page, 11)
    assert list(labels_of(read_dataset(folder), "ana")) == [*expected, waiting]


def test_an_answer_that_is_not_confirmed_is_told(browser: Browser, lab: Lab) -> None:
    """A key pressed after the kernel died is no answer: the annotator learns it within seconds."""
    folder = prepare(lab)
    page = start(browser, lab)
    press(page, "n")
    save(page, 1)
    kernel = int((lab.folder / "kernel.pid").read_text())
    os.kill(kernel, signal.SIGSTOP)
    press(page, "n", "Enter")
    page.locator(".hel-message[data-kind=error]", has_text="not confirmed").wait_for()
    assert page.locator(".hel-count").inner_text() == "1 of 14"

    os.kill(kernel, signal.SIGCONT)
    page.locator(".hel-count", has_text="2 of 14").wait_for()
    assert len(read_dataset(folder).labels) == 2


def test_an_earlier_answer_is_changed_from_keys(browser: Browser, lab: Lab) -> None:
    """Undo brings it back filled in; Enter replaces it and Esc leaves it."""
    folder = prepare(lab)
    page = start(browser, lab)
    first = shown(page)
    press(page, "ArrowDown", "Space", "3")
    save(page, 1)
    waiting = shown(page)
    press(page, "u")
    page.locator(".hel-facts", has_text=first).wait_for()
    assert page.locator("[role=option][aria-selected=true] .hel-number").inner_text() == "1"
    press(page, "ArrowDown", "Space", "2", "3")
    press(page, "Enter")
    page.locator(".hel-facts", has_text=waiting).wait_for()
    press(page, "u")
    page.locator(".hel-facts", has_text=first).wait_for()
    press(page, "n", "Escape")
    page.locator(".hel-facts", has_text=waiting).wait_for()

    (label,) = read_dataset(folder).labels
    assert said(label) == Said(True, 2, (Reason.HUMAN_REQUESTED,))


def test_an_answer_is_saved_only_when_it_is_complete(browser: Browser, lab: Lab) -> None:
    """Enter names what is missing, step by step, and keeps what was said."""
    folder = prepare(lab)
    page = start(browser, lab)
    steps = [("Enter", "Handoff or not"), ("y", ""), ("Enter", "From which turn"), ("Space", "")]
    for key, message in [*steps, ("Enter", "Why? Press 1 to 6"), ("n", ""), ("1", "Press y first")]:
        press(page, key)
        if message:
            text = page.locator(".hel-message[data-kind=error]").inner_text()
            assert message in text
    assert not (folder / "labels.jsonl").exists()


def test_a_customers_text_is_only_text(browser: Browser, lab: Lab) -> None:
    """Markup in a transcript is shown as it was typed, and nothing of it runs."""
    prepare(lab)
    page = start(browser, lab)

    assert HOSTILE in page.locator(".hel-text").first.inner_text()
    assert page.locator(".hel-labeler").locator("img, b").count() == 0
    assert page.title() != "broken in"
    assert page.locator(".hel-text").nth(3).inner_text().count("\n") == 1


def test_the_notebook_does_not_hear_the_keys(browser: Browser, lab: Lab) -> None:
    """In the notebook d d deletes a cell, m makes it text, x cuts it, 1 a heading, c copies."""
    prepare(lab)
    page = start(browser, lab)
    press(page, *"ddmxzabvr1yuks", "Escape", "ArrowUp")

    assert page.locator(".jp-Notebook .jp-CodeCell").count() == 1
    assert page.locator(".jp-Notebook .jp-Cell").count() == 1
    assert page.locator(".jp-Dialog").count() == 0
    assert "Labeler(" in page.locator(".jp-Notebook .cm-content").first.inner_text()


def test_the_keys_are_shown_and_put_away(browser: Browser, lab: Lab) -> None:
    """? opens them, Esc closes them, and the keyboard is back where it was."""
    prepare(lab)
    page = start(browser, lab)
    press(page, "?")
    page.locator("dialog[open]").wait_for()
    press(page, "n", "Escape")
    page.locator("dialog[open]").wait_for(state="detached")

    assert page.locator(".hel-labeler [aria-pressed=true]").count() == 0
    assert page.evaluate("document.activeElement.className") == "hel-turns"


def test_the_adjudicator_reads_both_answers(browser: Browser, lab: Lab) -> None:
    """The conversation in dispute comes with what each annotator said, and then it is done."""
    yes = Label("c-05", True, at_turn=2, reasons=(Reason.COMPLAINT,), annotator="ana")
    folder = prepare(
        lab, yes, Label("c-05", False, annotator="ben", note="met"), annotator="adjudicated"
    )
    page = start(browser, lab)

    answers = page.locator(".hel-others p").all_inner_texts()
    assert answers == ["ana handoff after turn 2: complaint", "ben no handoff (met)"]
    press(page, "n", "Enter")
    page.locator(".hel-message", has_text="Everything is answered").wait_for()
    assert labels_of(read_dataset(folder), "adjudicated")["c-05"].handoff is False


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_labeler_is_accessible(browser: Browser, lab: Lab, theme: str) -> None:
    """Axe finds nothing against roles and names, and every text has contrast, in every state."""
    from axe_playwright_python.sync_playwright import Axe

    lab.use_theme(theme)
    prepare(lab)
    page = start(browser, lab)
    dark = page.evaluate("document.body.dataset.jpThemeLight") == "false"
    assert dark == theme.endswith("Dark")
    for keys in (["n"], ["1"], ["ArrowDown", "Space", "1", "3"], ["Enter"], ["u"], ["?"]):
        press(page, *keys)
        page.wait_for_timeout(300)
        results = Axe().run(page, context=".hel-labeler")

        texts, faint = page.evaluate(CONTRAST.read_text(encoding="utf-8"))
        assert results.violations_count == 0, results.generate_report()
        assert (texts > 30, faint) == (True, [])
