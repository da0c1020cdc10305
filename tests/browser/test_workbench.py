"""The widgets in a real JupyterLab in a real browser: keys, sliders, flips, the file, axe."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handoff_eval.handoff import read_handoffs
from tests.browser.conftest import Lab, ask

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

CONTRAST = Path(__file__).with_name("contrast.js")
DATASET = Path(__file__).parents[2] / "datasets" / "support_handoff"
START, PATIENCE = 90_000, 15_000
HOSTILE = "<img src=x onerror=\"document.title='broken in'\"><b>bold</b> call me"
BEGIN = f"""\
import os
from datetime import UTC, datetime
from pathlib import Path

os.environ["HANDOFF_EVAL_HOME"] = str(Path("home").resolve())

from handoff_eval.conversation import Conversation, Role, Split, Turn
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import replay
from handoff_eval.evaluation.scored import ScoredSplit
from handoff_eval.handoff import Budget, read_handoffs
from handoff_eval.production.decide import decide
from handoff_eval.transcripts.read import read_dataset
from handoff_eval.triggers.similarity import SimilarityTrigger
from handoff_eval.triggers.trained import train_arm
from handoff_eval.workbench import *

dataset = read_dataset({str(DATASET)!r})
handoff = read_handoffs(Path({str(DATASET / "handoff.toml")!r}))[0]
budget = Budget(60, 0.5, 200, prevalence=0.05, needless_email_cost=1, lost_customer_cost=30)
trigger = train_arm("tfidf", labeled=dataset.labeled(Split.TRAIN), seed=0)
played = {{
    split: ScoredSplit.join(
        replay(trigger, [item.conversation for item in dataset.labeled(split)]),
        dataset.labeled(split),
        split,
    )
    for split in (Split.TUNE, Split.TEST)
}}
slider = ThresholdSlider(played[Split.TUNE], budget, prevalence=0.05)
slider.observe(lambda change: Path("step").write_text(str(change["new"])), "step")
slider"""
VIEWER = """\
ConversationViewer(
    dataset.labeled(Split.TEST),
    played=played[Split.TEST].replay,
    threshold=slider.point.threshold,
    trigger=trigger,
)"""
BENCH = """\
encoder = HashingEncoder(dimension=256)
InstructionBench(dataset, handoff, lambda text: SimilarityTrigger(text, encoder))"""
PREVIEW = f"""\
hostile = Conversation("<b>evil</b>", (Turn(Role.CUSTOMER, {HOSTILE!r}),))
test = [hostile, *(item.conversation for item in dataset.labeled(Split.TEST))]
decisions = decide(trigger, slider.point, test, handoff=handoff.name)
anyway = OperatingPoint("any", 0, Split.TUNE, None, "")
decisions[0] = decide(trigger, anyway, [hostile], handoff="x")[0]
by_id = {{conversation.id: conversation for conversation in test}}
EmailPreview(handoff, by_id, decisions, sent_at=datetime(2026, 4, 6, 9, tzinfo=UTC))"""
FORM = 'HandoffForm("handoff.toml")'
STRANGER = "ConversationViewer([hostile])"
WIDGETS = ("slider", "viewer", "bench", "preview", "form")


@pytest.fixture(scope="module")
def lab(
    server: Lab, tmp_path_factory: pytest.TempPathFactory, mlflow_schema: Path
) -> Iterator[Lab]:
    """Prepare a folder with the notebook, a handoff file and a tracking store of its own."""
    folder = server.folder / tmp_path_factory.mktemp("workbench").name
    (folder / "home" / "mlruns").mkdir(parents=True)
    shutil.copy(mlflow_schema, folder / "home" / "mlruns" / "mlflow.db")
    shutil.copy(DATASET / "handoff.toml", folder)
    running = replace(server, folder=folder)
    running.quiet()
    running.write("workbench.ipynb", BEGIN, VIEWER, BENCH, PREVIEW, FORM, STRANGER)
    yield running
    for session in ask(server, "GET", "sessions"):
        ask(server, "DELETE", f"sessions/{session['id']}")


@pytest.fixture(scope="module")
def page(browser: Browser, lab: Lab) -> Iterator[Page]:
    """Open the notebook and run it once; every test works with a widget of its own."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    loud: list[str] = []
    broken: list[str] = []
    page.on("request", lambda request: loud.append(request.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(lab.address("workbench.ipynb"), timeout=START)
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for(timeout=START)
    run(page, "application:toggle-left-area")
    run(page, "notebook:run-all-cells")
    page.locator(".hel-viewer").nth(1).wait_for(timeout=START)
    yield page
    away = [url for url in loud if not url.startswith((lab.url, "data:", "blob:", "about:"))]
    away = [url for url in away if not url.startswith(lab.url.replace("http", "ws"))]
    context.close()
    assert (away, broken) == ([], [])


def run(page: Page, command: str, **arguments: str) -> None:
    """Do what JupyterLab's own menu would do."""
    page.evaluate(
        "([id, args]) => window.jupyterapp.commands.execute(id, args)", [command, arguments]
    )


def widget(page: Page, name: str) -> Locator:
    """Return a widget, scrolled to where it can be seen."""
    found = page.locator(f".hel-{name}").first
    found.scroll_into_view_if_needed()
    return found


def shoot(found: Locator, name: str, width: int = 1000) -> None:
    """Keep a picture where one is asked for, to be looked at."""
    if folder := os.environ.get("HANDOFF_EVAL_PICTURES"):
        from PIL import Image

        page, shape = found.page, found.page.viewport_size
        page.set_viewport_size({"width": width, "height": 2200})
        found.scroll_into_view_if_needed()
        picture = Image.open(io.BytesIO(found.screenshot()))
        picture.convert("RGB").quantize(96).save(f"{folder}/{name}.png", optimize=True)
        if shape:
            page.set_viewport_size(shape)


def press(page: Page, *keys: str) -> None:
    """Press one key after the other."""
    for key in keys:
        page.keyboard.press(key)


def test_the_viewer_is_read_from_keys(page: Page) -> None:
    """On, back, another kind, to the email, the label and the evidence; the notebook hears none."""
    viewer = widget(page, "viewer")
    viewer.locator(".hel-turns").focus()
    first = viewer.locator(".hel-facts").inner_text()
    press(page, "ArrowRight")
    viewer.locator(".hel-count", has_text="2 of ").wait_for()
    assert viewer.locator(".hel-facts").inner_text() != first
    press(page, "p", "p", "d", "d", "x", "a")
    viewer.locator(".hel-message", has_text="This is the first one.").wait_for()
    assert viewer.locator(".hel-facts").inner_text() == first
    assert page.locator(".jp-Notebook .jp-Cell").count() == 6

    viewer.locator("select").select_option("caught")
    viewer.locator(".hel-badge[data-kind=fire]").wait_for()
    viewer.locator(".hel-turns").focus()
    for key, mark in (("f", "data-fire"), ("e", "data-evidence"), ("l", "data-label")):
        press(page, key)
        assert viewer.locator(f".hel-turn.hel-cursor[{mark}]").count() == 1
    shoot(viewer, "conversation-viewer")
    press(page, "?")
    viewer.locator("dialog[open]").wait_for()
    press(page, "Escape")
    viewer.locator("dialog[open]").wait_for(state="detached")


def test_a_customers_text_is_only_text(page: Page) -> None:
    """Markup in a transcript is shown as it was typed, and nothing of it runs."""
    stranger = page.locator(".hel-viewer").nth(1)

    assert stranger.locator(".hel-text").text_content() == HOSTILE
    assert page.locator(".hel").locator("img, b").count() == 0
    assert "broken in" not in page.title()


def test_the_slider_moves_at_once_and_tells_the_kernel(page: Page, lab: Lab) -> None:
    """A key changes every figure and the promise within 100 ms, asking nobody; b returns."""
    slider = widget(page, "slider")
    slider.locator("input[type=range]").focus()
    shoot(slider, "threshold-slider")
    chosen = slider.locator(".hel-head strong").inner_text()
    took = page.evaluate(
        """() => {
          const range = document.querySelector(".hel-slider input[type=range]");
          const start = performance.now();
          range.dispatchEvent(new KeyboardEvent("keydown", { key: "PageUp", bubbles: true }));
          range.getBoundingClientRect();
          return performance.now() - start;
        }"""
    )
    assert took < 100
    assert slider.locator(".hel-head strong").inner_text() != chosen
    press(page, "Home")
    assert slider.locator(".hel-readings td").first.inner_text() == "100 %"
    assert slider.locator(".hel-promise").get_attribute("data-kept") == "false"
    left = slider.locator(".hel-cursor-line").first.get_attribute("x1")
    press(page, "End")
    assert slider.locator(".hel-readings td").first.inner_text() == "0 %"
    assert float(slider.locator(".hel-cursor-line").first.get_attribute("x1") or 0) > float(
        left or 0
    )
    last = slider.locator("input[type=range]").get_attribute("max")
    page.wait_for_timeout(300)
    assert (lab.folder / "step").read_text() == last
    press(page, "b")
    assert slider.locator(".hel-head strong").inner_text() == chosen


def test_the_certificate_moves_with_the_budget(page: Page) -> None:
    """Another budget redraws the certified stretch; a bad one is told; r states it again."""
    slider = widget(page, "slider")
    stated = slider.locator(".hel-interval").inner_text()
    emails = slider.get_by_label("Emails a day at most")
    emails.fill("70")
    press(page, "Enter")
    slider.locator(".hel-note", has_text="not the budget that was stated").wait_for()
    assert slider.locator(".hel-interval").inner_text() != stated
    emails.fill("many")
    press(page, "Enter")
    slider.locator(".hel-message[data-kind=error]", has_text="got 'many'").wait_for()
    press(page, "Escape", "r")
    slider.locator(".hel-interval", has_text=stated).wait_for()


def test_the_bench_shows_flips_as_one_types(page: Page) -> None:
    """Findings and flips follow the words; n and p read; a finding's edit is put into the text."""
    bench = widget(page, "bench")
    editor = bench.locator("textarea")
    editor.focus()
    press(page, "Control+End")
    page.keyboard.type(" Also send it when they mention a refund or a lawyer, etc.")
    bench.locator(".hel-list-name", has_text="Emails started: ").wait_for()
    bench.locator(".hel-findings", has_text="HI013").wait_for()
    assert bench.locator(".hel-changes ins").count() > 0
    press(page, "Escape")
    flips = bench.locator(".hel-flips button")
    assert flips.count() > 1
    shoot(bench, "instruction-bench")
    before = bench.locator(".hel-sentence").inner_text()
    press(page, "n")
    flips.nth(1).and_(page.locator("[aria-pressed=true]")).wait_for()
    assert bench.locator(".hel-sentence").inner_text() != before

    bench.locator(".hel-findings li", has_text="HI013").get_by_role("button").click()
    bench.locator(".hel-findings li", has_text="HI013").wait_for(state="detached")
    assert "etc" not in editor.input_value()
    press(page, "Escape", "b")
    bench.locator(".hel-verdict", has_text="This is the baseline").wait_for()
    assert bench.locator(".hel-flips button").count() == 0


def test_the_email_is_shut_in(page: Page) -> None:
    """HTML, plain text and the customer's message by keys; nothing of the email runs."""
    preview = widget(page, "preview")
    frame = preview.frame_locator("iframe")
    frame.get_by_text("Why you got this").wait_for()
    assert preview.locator("iframe").get_attribute("sandbox") == ""
    assert frame.locator("img, b:text('bold')").count() == 0
    assert HOSTILE[:9] in frame.locator("body").inner_text()
    preview.locator("[role=tabpanel]").focus()
    press(page, "ArrowRight")
    preview.locator(".hel-count", has_text="2 of ").wait_for()
    frame.locator("h1").wait_for()
    shoot(preview, "email-preview")
    press(page, "t")
    assert "WHY YOU GOT THIS" in preview.locator("pre").inner_text()
    press(page, "c")
    assert "follow" in preview.locator(".hel-told").inner_text()
    preview.get_by_role("tab", name="To the customer").focus()
    press(page, "ArrowRight")
    assert preview.get_by_role("tab", selected=True).inner_text().endswith("HTML")


def test_the_form_writes_the_file_and_a_version(page: Page, lab: Lab) -> None:
    """A wrong field is told while it is typed; Ctrl+Enter saves file and prompt version."""
    form = widget(page, "form")
    recall = form.get_by_label("Recall at least")
    recall.fill("80")
    form.locator(".hel-wrong", has_text="between 0 and 1").wait_for()
    press(page, "Control+Enter")
    form.locator(".hel-message[data-kind=error]", has_text="Not saved").wait_for()
    assert "min_recall = 0.80" in (lab.folder / "handoff.toml").read_text()

    recall.fill("0.75")
    instruction = form.get_by_label("When to trigger")
    instruction.fill("Send an email when the customer asks for a person, etc.")
    form.locator(".hel-findings", has_text="HI013").wait_for()
    assert form.locator(".hel-wrong:not(:empty)").count() == 0
    shoot(form, "handoff-form")
    press(page, "Control+Enter")
    # Notebooks that ran before in the same JupyterLab may have kept versions of it, too.
    version = re.compile(r"prompts:/handoff-instruction\.support/\d+")
    form.locator(".hel-message", has_text=version).wait_for()

    (saved,) = read_handoffs(lab.folder / "handoff.toml")
    assert saved.budget is not None
    assert (saved.budget.min_recall, saved.recipients) == (0.75, ("team@example.com",))
    assert saved.instruction == "Send an email when the customer asks for a person, etc."
    assert (lab.folder / "handoff.toml").read_text().startswith("# The handoff the demo tunes for.")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("width", [1400, 380])
def test_the_widgets_are_accessible(page: Page, theme: str, width: int) -> None:
    """Axe finds nothing, every text has contrast, and nothing is wider than the notebook."""
    from axe_playwright_python.sync_playwright import Axe

    page.set_viewport_size({"width": width, "height": 1000})
    run(page, "apputils:change-theme", theme=theme)
    page.locator(f"body[data-jp-theme-name='{theme}']").wait_for(state="attached")
    page.wait_for_timeout(500)
    for name in WIDGETS:
        shoot(widget(page, name), f"{name}-{width}-{theme.split()[1].lower()}", width)
        wide = widget(page, name).evaluate("node => node.scrollWidth - node.clientWidth")
        assert wide <= 0, name
    results = Axe().run(page, context=".hel")
    texts, faint = page.evaluate(
        CONTRAST.read_text(encoding="utf-8").replace(".hel-labeler", ".hel")
    )

    assert results.violations_count == 0, results.generate_report()
    assert (texts > 100, faint) == (True, [])
