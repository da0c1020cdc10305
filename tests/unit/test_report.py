"""The report: complete, self-contained, safe to open, and readable anywhere."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from handoff_eval.conversation import Split
from handoff_eval.evaluation import look
from handoff_eval.evaluation.comparison.result import ArmResult, Comparison
from handoff_eval.evaluation.findings.mistakes import Mistake, missed_handoffs, needless_emails
from handoff_eval.evaluation.intervals import Estimate
from handoff_eval.evaluation.pages import report
from handoff_eval.evaluation.pages.report import headline, render_report, sample_note
from handoff_eval.transcripts.read import Dataset
from tests.builders import CERTIFICATE, labeled, talk
from tests.conftest import SECRET

INSTRUCTION = "When a person is needed & <asked for>."


@pytest.fixture(scope="module")
def page(comparison: Comparison, dataset: Dataset) -> str:
    """Return the report with transcripts."""
    return render_report(
        comparison,
        test=dataset.labeled(Split.TEST),
        instruction=INSTRUCTION,
        seed=7,
        context={"Code": "0123abc"},
    )


def _with_recall(comparison: Comparison, low: float, high: float) -> Comparison:
    """Return the comparison with another interval of the chosen arm's recall and volume."""

    def changed(arm: ArmResult) -> ArmResult:
        recall = Estimate((low + high) / 2, low, high, 16, "stated")
        emails = Estimate(25 * (low + high), 50 * low, 50 * high, 48, "stated")
        measures = replace(arm.measures, recall=recall, emails_per_day=emails)
        return replace(arm, measures=measures) if arm.name == comparison.chosen else arm

    return replace(comparison, arms=tuple(changed(arm) for arm in comparison.arms))


def test_page_loads_nothing(page: str) -> None:
    """The page names no address but XML's, holds no script and forbids both."""
    assert re.findall(r"https?://[\w./]+", page.replace("http://www.w3.org/", "")) == []
    assert "<script" not in page
    assert "default-src 'none'; style-src 'unsafe-inline'" in page


def test_ids_of_drawings_stay_apart(page: str) -> None:
    """No id occurs twice, and each reference finds its own."""
    ids = re.findall(r'\bid="([^"]+)"', page)

    assert len(ids) == len(set(ids)) > 0
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_page_is_the_same_every_time(page: str, comparison: Comparison, dataset: Dataset) -> None:
    """Equal results make equal pages, so that two can be compared as files."""
    again = render_report(
        comparison,
        test=dataset.labeled(Split.TEST),
        instruction=INSTRUCTION,
        seed=7,
        context={"Code": "0123abc"},
    )

    assert again == page


def test_customer_text_is_escaped(page: str) -> None:
    """Markup that a customer typed is shown as text."""
    assert f"&lt;b&gt;{SECRET}&lt;/b&gt;" in page
    assert f"<b>{SECRET}" not in page
    assert "&amp; &lt;asked for&gt;." in page


def test_page_without_transcripts_holds_ids_alone(comparison: Comparison, dataset: Dataset) -> None:
    """The version for others has the ids of the errors and nothing anyone wrote."""
    page = render_report(
        comparison,
        test=dataset.labeled(Split.TEST),
        instruction=INSTRUCTION,
        seed=7,
        with_transcripts=False,
    )
    missed = missed_handoffs(comparison.arm("minilm"), dataset.labeled(Split.TEST))

    assert SECRET not in page
    assert "where is my parcel" not in page
    for mistake in missed:
        assert mistake.item.conversation.id in page


def test_every_arm_is_tabled_with_interval_and_n(page: str, comparison: Comparison) -> None:
    """Each of the seven measures of each arm stands with its n, and each pair with its verdict."""
    assert page.count('<span class="n">n ') == 7 * len(comparison.arms) + len(comparison.pairs)
    for arm in comparison.arms:
        recall = arm.measures.recall
        shown = f'<strong>{recall.value:.0%}</strong><span class="interval">{recall.low:.0%} to'
        assert shown in page
    for pair in comparison.pairs:
        assert pair.verdict in page


def test_page_says_how_it_was_measured(page: str, comparison: Comparison) -> None:
    """Dataset, digest, counts, seed, prevalence and what the caller adds are on the page."""
    counts = comparison.counts["tune"]

    for expected in (
        f"parcels, sha256 {comparison.digest}",
        f"tune: {counts['conversations']} conversations, {counts['positives']} need a handoff",
        "Deployed: 5.0%; in the test sample: 33.3%",
        "Given: 5.0% (tune split: 33.3%, test split: 33.3%)",
        "you behave as if one lost customer equals",
        "<dt>Seed</dt><dd>7</dd>",
        "<dt>Code</dt><dd>0123abc</dd>",
        "<dt>On time</dt>",
        "both sending 20 emails a day",
    ):
        assert expected in page


def test_headline_says_chosen_caught_cost_and_why_not_certified(comparison: Comparison) -> None:
    """The first sentences answer the team lead's questions."""
    arm = comparison.arm("minilm")
    emails = arm.measures.emails_per_day

    chosen, found, note = headline(comparison)

    assert chosen == "minilm was chosen on tune among 2 arms: it has the highest recall there."
    assert found.startswith(f"On test it catches {arm.measures.recall.value:.0%} (")
    assert f"{emails.value:.1f} ({emails.low:.1f} to {emails.high:.1f}) emails a day" in found
    assert note == arm.point.note


def test_headline_without_a_choice_says_so(comparison: Comparison) -> None:
    """Where every arm was sampled the page is about the first and says that none is chosen."""
    sampled = replace(
        comparison, chosen=None, arms=tuple(replace(a, sampled=True) for a in comparison.arms)
    )

    assert headline(sampled)[0] == (
        "No arm scored every conversation, so none is chosen; what follows is keyword."
    )


def test_certificate_is_put_in_words(comparison: Comparison, dataset: Dataset) -> None:
    """A certified arm is announced as such, with its promise and what it allows."""
    arms = tuple(
        replace(arm, point=replace(arm.point, certificate=CERTIFICATE, note="Certified. Yes."))
        for arm in comparison.arms
    )

    page = render_report(
        replace(comparison, arms=arms),
        test=dataset.labeled(Split.TEST),
        instruction=INSTRUCTION,
        seed=0,
    )

    assert "it has the highest recall there of those that could be certified." in page
    assert "at most 4 missed of 60 positives, one conversation a customer; risk 1.00%" in page
    assert f"Number {CERTIFICATE.id}, issued 2026-03-01 09:00, valid" in page


@pytest.mark.parametrize(
    ("low", "high", "recall", "volume"),
    [
        (0.1, 0.3, "✗ below the floor of 80%", "✓ within the budget of 20"),
        (0.3, 0.9, "? the floor of 80% lies", "? the budget of 20 lies"),
        (0.8, 0.9, "✓ at or above the floor of 80%", "✗ above the budget of 20"),
    ],
)
def test_promises_are_judged_by_the_interval(
    low: float, high: float, recall: str, volume: str, comparison: Comparison, dataset: Dataset
) -> None:
    """A promise is kept or broken only where the whole interval says so, else it is open."""
    page = render_report(
        _with_recall(comparison, low, high),
        test=dataset.labeled(Split.TEST),
        instruction=INSTRUCTION,
        seed=0,
    )

    assert recall in page
    assert volume in page


def test_sampled_arm_names_model_size_and_n(comparison: Comparison) -> None:
    """The note of the local model bounds what may be concluded from it."""
    note = sample_note(comparison, comparison.arm("prompt"))

    assert note is not None
    assert "SmolLM2-135M-Instruct.Q4_1" in note
    assert f"{len(comparison.arm('prompt').test.peak)} of 48 in test" in note
    assert note.endswith("says nothing about LLM prompts at large.")
    assert sample_note(comparison, comparison.arm("keyword")) is None


def test_another_model_is_not_belittled(comparison: Comparison) -> None:
    """The sentence on the small model is about that model alone."""
    arm = replace(comparison.arm("prompt"), description="big-model at example")

    assert "135M" not in (sample_note(comparison, arm) or "")


def test_mistakes_are_those_of_the_operating_point(
    comparison: Comparison, dataset: Dataset
) -> None:
    """Missed and needless are counted by the measures, the furthest from the threshold first."""
    arm = comparison.arm("minilm")
    test = dataset.labeled(Split.TEST)

    missed, needless = missed_handoffs(arm, test), needless_emails(arm, test)

    assert len(missed) == round(16 * (1 - arm.measures.recall.value)) > 0
    assert len(needless) == round(32 * arm.measures.false_positive_rate.value) > 0
    assert [m.score for m in missed] == sorted(m.score for m in missed)
    assert [m.score for m in needless] == sorted((m.score for m in needless), reverse=True)
    assert all(
        m.item.label.handoff and not m.fired and m.score < arm.point.threshold for m in missed
    )
    assert all(m.fired and m.score >= arm.point.threshold for m in needless)
    # each conversation is C A C A, so a decision falls after turn 0, after turn 2 or at the close
    assert all(m.turn == 3 if m.closed else m.turn in (0, 2) for m in (*missed, *needless))


@pytest.mark.parametrize(
    ("at", "turn", "closed", "fired", "expected"),
    [
        (2, 0, False, True, {0: ["email sent here"], 2: ["handoff due from here"]}),
        (None, 2, True, True, {3: ["handoff due at the close"], 2: ["email sent at the close"]}),
        (2, 2, False, False, {2: ["handoff due from here", "highest score, 0.25, here"]}),
    ],
)
def test_marks_stand_at_their_turns(
    at: int | None, turn: int, closed: bool, fired: bool, expected: dict[int, list[str]]
) -> None:
    """The labelled turn and the turn of the fire are marked after the turns they name."""
    item = labeled(talk("C: a", "A: b", "C: c", "A: d"), handoff=True, at=at)
    mistake = Mistake(item, score=0.25, turn=turn, closed=closed, fired=fired)

    marks = {i: [words for _, words in mistake.marks(i)] for i in range(4) if mistake.marks(i)}

    assert marks == expected


def test_foreign_conversations_are_refused(comparison: Comparison, dataset: Dataset) -> None:
    """Labels of another split can't be shown as the errors of this comparison."""
    with pytest.raises(ValueError, match="'test-0' is not among those given"):
        missed_handoffs(comparison.arms[0], dataset.labeled(Split.TUNE))


def test_dark_page_restates_every_colour_of_the_drawings() -> None:
    """The page's styles name the colours that the drawings use for ink, paper and lines."""
    template = Path(report.__file__).with_name("page.css").read_text(encoding="utf-8")

    for colour in (look.INK, look.MUTED, look.PAPER):
        assert f'[fill="{colour}"]' in template
    for colour in (look.INK, look.MUTED, look.PAPER, look.RULE):
        assert f'[stroke="{colour}"]' in template


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1400])
def test_page_reads_well_in_a_browser(page: str, tmp_path: Path, scheme: str, width: int) -> None:
    """In every shape nothing overflows, axe finds nothing, and nobody else is asked."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
        )
        tab = context.new_page()
        said: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda asked: said.append(asked.url))
        tab.goto((tmp_path / "report.html").as_uri())
        overflow = tab.evaluate("document.documentElement.scrollWidth") - width
        found = Axe().run(tab)
        browser.close()

    assert overflow <= 0
    assert said == [(tmp_path / "report.html").as_uri()]
    assert found.violations_count == 0, found.generate_report()
