"""The widgets' side in the kernel; their side in the browser is tested there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from handoff_eval.conversation import Label, LabeledConversation, Split
from handoff_eval.decision import Decision
from handoff_eval.errors import DataError, LeakageError, SettingsError
from handoff_eval.evaluation.wordings.scores import Wordings
from handoff_eval.handoff import Budget, Handoff
from handoff_eval.trigger import Explanation
from handoff_eval.workbench import (
    ConversationViewer,
    EmailPreview,
    InstructionBench,
    ThresholdSlider,
)
from handoff_eval.workbench.screen import Screen
from tests.builders import scored, talk
from tests.wordings import LastWordTrigger, word_dataset

HOSTILE = "<img src=x onerror=\"alert('in')\"><b>bold</b>\x00"
BASE = "Send an email when the customer asks for a person."
BUDGET = Budget(60, 0.5, 200, prevalence=0.1)
HANDOFF = Handoff("support", ("team@example.com",), instruction=BASE, budget=BUDGET)


def send(widget: Screen, action: str, **content: Any) -> dict[str, Any]:
    """Do what the browser's message does, and return the view it gets back."""
    widget._handle_custom_msg({"action": action, "request": "r-7", **content}, [])
    assert widget.view["reply_to"] == "r-7"
    return dict(widget.view)


def html_of(widget: Screen) -> str:
    """Return what is shown without a kernel."""
    data, _ = widget._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    return str(data["text/html"])


@pytest.fixture
def viewer() -> ConversationViewer:
    """Return a viewer of the 30 talks of test under the trigger that looks for a person."""
    dataset = word_dataset()
    played = Wordings(LastWordTrigger, dataset).scored(BASE, Split.TEST).replay
    return ConversationViewer(
        dataset.labeled(Split.TEST), played=played, threshold=0.5, trigger=LastWordTrigger(BASE)
    )


def test_the_viewer_sorts_by_what_became_of_each(viewer: ConversationViewer) -> None:
    """6 persons caught, 4 lawyers missed, 5 that say person needlessly, 15 quiet (of SAID)."""
    kinds = {kind["name"]: kind["count"] for kind in viewer.view["kinds"]}

    assert kinds == {
        "all": 30, "missed handoff": 4, "needless email": 5, "caught": 6, "rightly quiet": 15
    }  # fmt: skip


def test_the_viewer_goes_on_and_back(viewer: ConversationViewer) -> None:
    """It stays within the kind that is shown, and says where it ends."""
    assert send(viewer, "step", by=-1)["message"]["text"] == "This is the first one."
    assert send(viewer, "step", by=1)["conversation"]["id"] == "test-1"
    view = send(viewer, "kind", kind="missed handoff")
    assert (view["conversation"]["id"], view["place"], view["count"]) == ("test-6", 0, 4)
    assert send(viewer, "step", by=9)["conversation"]["id"] == "test-9"
    viewer.show("test-29")
    assert viewer.view["kind"] == "all"


def test_the_viewer_marks_the_fire_the_label_and_the_scores(viewer: ConversationViewer) -> None:
    """Points are after turns 1 and 3 and the close; the second is due and fires."""
    shown = viewer.view["conversation"]

    assert [(p["turns"], p["closed"], p["score"]) for p in shown["points"]] == [
        (1, False, 0.0), (3, False, 0.9), (4, True, 0.9)
    ]  # fmt: skip
    assert (shown["fire"], shown["label"]["at_turn"], shown["label"]["due"]) == (1, 2, 1)
    assert viewer.view["sentence"].endswith("Labelled: handoff after turn 3 (unresolved). On time.")


def test_hostile_text_is_escaped_in_the_picture() -> None:
    """Markup of a customer is text, and what no document can hold is replaced."""
    html = html_of(ConversationViewer([talk(f"C: {HOSTILE}")]))

    assert "<img" not in html
    assert "&lt;b&gt;bold&lt;/b&gt;\N{REPLACEMENT CHARACTER}" in html


def test_a_viewer_needs_scores_of_what_it_shows(viewer: ConversationViewer) -> None:
    """A replay of other conversations, a threshold alone and nothing at all are told."""
    played = viewer._played
    with pytest.raises(DataError, match="1 are not in it, such as 'c-1'"):
        ConversationViewer([talk("C: hi")], played=played)
    with pytest.raises(SettingsError, match="Expected played"):
        ConversationViewer([talk("C: hi")], threshold=0.5)
    with pytest.raises(DataError, match="got none"):
        ConversationViewer([])
    with pytest.raises(SettingsError, match="of the 30 given; got 'x'"):
        viewer.show("x")


def slider(**changed: Any) -> ThresholdSlider:
    """Return a slider over 60 positives at .8 to .9 and 200 negatives at .1 to .5."""
    positives, negatives = np.linspace(0.8, 0.9, 60), np.linspace(0.1, 0.5, 200)
    split = scored(positives.tolist(), negatives.tolist(), split=Split.TUNE)
    return ThresholdSlider(split, Budget(20, 0.8, 200, **changed), prevalence=0.05)


def test_the_slider_stands_at_the_chosen_threshold_and_is_certified() -> None:
    """A wide gap between the kinds certifies both promises; the point carries the certificate."""
    widget = slider()
    kept = widget.view["kept"]

    assert kept[0] <= widget.step <= kept[1]
    assert widget.point.certificate is not None
    assert widget.point.certificate.threshold == widget.threshold
    assert "both promises are kept here" in widget.view["promises"][widget.step]
    widget.step = 0
    assert widget.point.certificate is None
    assert "go higher" in widget.view["promises"][0]
    assert "go lower" in widget.view["promises"][-1]


def test_the_certified_interval_moves_with_the_budget() -> None:
    """A higher recall and fewer emails leave less room; an unusable budget changes nothing."""
    widget = slider()
    before = widget.view["kept"]
    view = send(widget, "budget", max_emails_per_day="14", min_recall="88")
    assert view["kept"][0] > before[0]
    assert view["kept"][1] < before[1]
    assert not view["stated"]
    assert "not the budget that was stated" in view["note"]
    assert widget.point.certificate is None

    view = send(widget, "budget", max_emails_per_day="many", min_recall="88")
    assert view["message"] == {"kind": "error", "text": "Expected a number; got 'many'."}
    assert send(widget, "stated")["kept"] == before


def test_a_narrow_certified_stretch_is_shown_among_many_scores() -> None:
    """With more scores than steps another budget's threshold becomes a step; the slider stays."""
    random = np.random.default_rng(5)
    positives, negatives = random.beta(8, 3, 300).tolist(), random.beta(2, 6, 900).tolist()
    split = scored(positives, negatives, split=Split.TUNE)
    widget = ThresholdSlider(split, Budget(20, 0.6, 200), prevalence=0.05)
    before = widget.threshold
    # What keeps these promises lies between two of the steps that the stated budget has.
    view = send(widget, "budget", max_emails_per_day="19", min_recall="85")
    assert view["kept"] == [view["chosen"]] * 2
    assert len(view["promises"]) == len(widget.readings)
    assert widget.threshold == before


def test_a_slider_on_test_is_a_leak() -> None:
    """A threshold picked by looking at test can't be reported there."""
    split = scored([0.8] * 30, [0.2] * 30, split=Split.TEST)
    with pytest.raises(LeakageError, match="got 'test'"):
        ThresholdSlider(split, BUDGET, prevalence=0.05)


def test_the_slider_shows_cost_where_costs_are_stated() -> None:
    """Each reading has its interval and n; cost comes with the budget's costs."""
    # Where everything fires: .95 * 1, at least .95 * .98, at most that with .05 * 30 * (1 - .94).
    plain = slider().readings[0]["rows"]
    priced = slider(needless_email_cost=1, lost_customer_cost=30).readings[0]["rows"]

    assert [row[0] for row in plain] == ["Recall", "Recall on time", "Emails a day"]
    assert priced[-1] == ["Cost of a conversation", "0.95", "0.93 to 1.04", "260"]
    assert plain[0][1:] == ["100 %", "94 % to 100 %", "60"]


def bench(**options: Any) -> InstructionBench:
    """Return a bench on the 30 talks."""
    return InstructionBench(word_dataset(), HANDOFF, LastWordTrigger, **options)


def test_the_bench_shows_what_flips_in_both_directions() -> None:
    """With lawyer for person, 4 lawyers start, 11 persons stop, 5 of them rightly."""
    view = send(bench(), "type", text="Send an email when the customer names a lawyer")
    started = [flip for flip in view["flips"] if flip["started"]]
    stopped = [flip for flip in view["flips"] if not flip["started"]]

    assert (len(started), sum(flip["better"] for flip in started)) == (4, 4)
    assert (len(stopped), sum(flip["better"] for flip in stopped)) == (11, 5)
    assert view["reading"] == view["conversation"]["id"] == started[0]["conversation_id"]
    assert [point["before"] for point in view["conversation"]["points"]] == [0.0, 0.0, 0.0]
    assert [point["score"] for point in view["conversation"]["points"]] == [0.0, 0.9, 0.9]


def test_the_bench_lints_and_offers_edits() -> None:
    """Each finding comes with the text that its edit makes."""
    view = send(bench(), "type", text="🙂 Send an email when they ask for a person")
    found = {finding["code"]: finding for finding in view["findings"]}

    assert found["HI017"]["changed"] == "🙂 Send an email when customers ask for a person"


def test_words_that_no_trigger_can_read_are_told() -> None:
    """The error stands in the message; the editor keeps the text."""

    def build(text: str) -> LastWordTrigger:
        if "person" not in text:
            raise SettingsError("Expected an instruction that says when.")
        return LastWordTrigger(text)

    widget = InstructionBench(word_dataset(), HANDOFF, build)
    view = send(widget, "type", text="Be nice.")

    assert view["message"] == {"kind": "error", "text": "Expected an instruction that says when."}
    assert (view["text"], view["compared"]) == ("Be nice.", False)


def test_a_comparison_that_is_stopped_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interrupt of the kernel the browser gets its answer, and can ask again."""
    widget = bench(slow=True)
    text = "Send an email when the customer names a lawyer"

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("handoff_eval.workbench.bench.compare_versions", interrupted)
        with pytest.raises(KeyboardInterrupt):
            send(widget, "run", text=text)
    assert widget.view["message"]["text"] == "The kernel stopped here: KeyboardInterrupt."
    assert widget.view["reply_to"] == "r-7"
    assert send(widget, "run", text=text)["compared"]


def test_a_slow_arm_waits_for_run() -> None:
    """Typing lints alone; run compares and says how far it is."""
    widget = bench(slow=True)
    told: list[str] = []
    widget.observe(lambda change: told.append(change["new"]), "progress")
    text = "Send an email when the customer names a lawyer"
    assert not send(widget, "type", text=text)["compared"]
    assert send(widget, "run", text=text)["compared"]
    assert told[-2:] == ["wording 4 on train: 30 of 30 conversations", ""]


def test_a_better_wording_becomes_the_baseline() -> None:
    """From then on nothing flips against it."""
    text = "Send an email when the customer names a lawyer"
    view = send(bench(), "baseline", text=text)

    assert (view["baseline"], view["flips"]) == (text, [])


@pytest.mark.parametrize("split", [Split.TUNE, Split.TEST])
def test_the_bench_is_for_train(split: Split) -> None:
    """Tune chooses thresholds, and nobody may write for test."""
    with pytest.raises(LeakageError, match=f"got '{split.value}'"):
        bench(split=split)


def preview() -> EmailPreview:
    """Return a preview of two emails of three decisions."""
    conversations = [talk(f"C: {HOSTILE} call me", "A: no", id=f"c-{i}") for i in range(3)]
    decisions = [
        Decision(f"c-{i}", "support", i != 1, 1, False, 0.9, 0.5, Explanation(evidence_turn=0))
        for i in range(3)
    ]
    return EmailPreview(
        HANDOFF,
        {conversation.id: conversation for conversation in conversations},
        decisions,
        sent_at=datetime(2026, 4, 6, 9, tzinfo=UTC),
    )


def test_the_preview_shows_the_emails_that_are_sent() -> None:
    """Two of three fired; both bodies, the headers and the customer's message are those of mail."""
    widget = preview()
    first, second = dict(widget.view), send(widget, "step", by=1)

    assert (first["id"], second["id"], first["count"]) == ("c-0", "c-2", 2)
    assert ["To", "team@example.com"] in first["headers"]
    assert "WHY YOU GOT THIS" in first["plain"]
    assert "Which address should they write to?" in first["customer"]
    assert send(widget, "step", by=1)["message"]["text"] == "This is the last one."


def test_the_emails_html_fetches_and_runs_nothing() -> None:
    """A policy stands before everything, and the customer's markup is text."""
    html = preview().view["html"]

    assert html.index("default-src 'none'") < html.index("<style>")
    assert "<img" not in html


def test_without_a_fire_there_is_no_email() -> None:
    """The reason is said instead of an empty frame."""
    quiet = Decision("c-1", "support", False, 1, True, 0.1, 0.5)
    with pytest.raises(DataError, match="none of 1 did"):
        EmailPreview(HANDOFF, {"c-1": talk("C: hi")}, [quiet], sent_at=datetime.now(UTC))


def test_every_widget_has_a_picture_and_words(viewer: ConversationViewer) -> None:
    """Outside a kernel there is HTML without scripts, and a text without addresses in memory."""
    compared = bench()
    compared.compare("Send an email when the customer names a lawyer")
    for widget in (viewer, slider(), compared, preview()):
        data, _ = widget._repr_mimebundle_()

        assert "<table>" in data["text/html"]
        assert "<script" not in data["text/html"]
        assert len(data["text/plain"]) > 20
        assert " at 0x" not in data["text/plain"]


def test_a_label_at_the_close_is_marked_there() -> None:
    """The close has its own row, with the mark of the label."""
    item = LabeledConversation(talk("C: hi", "A: hello"), Label("c-1", True))
    html = html_of(ConversationViewer([item]))

    assert html.rindex("handoff warranted from here") > html.index("Close")


@pytest.mark.medium
def test_a_converted_notebook_shows_the_picture(viewer: ConversationViewer) -> None:
    """Without the state of a kernel nbconvert takes the table, not a widget it can't draw."""
    from nbconvert import HTMLExporter
    from nbformat import v4

    data, metadata = viewer._repr_mimebundle_()
    output = v4.new_output("execute_result", data=data, metadata=metadata)
    notebook = v4.new_notebook(cells=[v4.new_code_cell("viewer", outputs=[output])])
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)

    assert "Email after turn 3: score 0.900, threshold 0.500." in page
    assert "<td" in page
    assert "widget" not in page


def test_the_picture_of_the_slider_is_that_of_the_browser() -> None:
    """Both draw the same curves, with the certified stretch in every panel."""
    widget = slider(needless_email_cost=1, lost_customer_cost=30)

    assert html_of(widget).count("hel-kept") == widget.view["picture"].count("hel-kept") == 3
