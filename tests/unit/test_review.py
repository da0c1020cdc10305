"""The review page: who gets in, what a form must say, what is kept, and what hostile text does."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from handoff_eval.conversation import Reason
from handoff_eval.errors import DataError
from handoff_eval.production.feedback.logged import read_logged
from handoff_eval.production.feedback.reviews import read_reviews
from handoff_eval.production.review.access import Access
from handoff_eval.production.review.app import ReviewApp
from handoff_eval.production.review.queue import Item, Mark, ReviewQueue, items_to_review
from tests.builders import talk
from tests.logs import HOSTILE, write_log
from tests.unit.test_volume import planned

TOKEN = "a-token-of-this-test"
OWN = "127.0.0.1:8026"


def items(count: int = 3) -> list[Item]:
    return [
        Item(talk("C: help", "A: how?", f"C: {HOSTILE}", "A: wait", id=f"c-{number}"), 3)
        for number in range(count)
    ]


@pytest.fixture
def queue(tmp_path: Path) -> ReviewQueue:
    return ReviewQueue(items(), tmp_path / "reviews")


@pytest.fixture
def client(queue: ReviewQueue) -> Iterator[TestClient]:
    """Return a browser that has opened the address with its token and given a name."""
    with TestClient(
        ReviewApp(queue, Access(token=TOKEN, hosts=[OWN])).build(), base_url=f"http://{OWN}"
    ) as opened:
        assert opened.get(f"/?token={TOKEN}").status_code == 200
        assert post(opened, "/name", name=" Ana <b> ").url.path == "/review/1"
        yield opened


def post(client: TestClient, path: str, **fields: object) -> object:
    """Send the form of a page, as a browser does."""
    token = re.search(r'name="form" value="([0-9a-f]+)"', client.get(path).text)
    assert token is not None
    return client.post(path, data={"form": token[1], **fields})


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [("/", OWN, 403), ("/?token=wrong", OWN, 403), (f"/?token={TOKEN}", "evil.example", 403)],
)
def test_nobody_gets_in_without_the_token_or_under_another_name(
    queue: ReviewQueue, path: str, host: str, status: int
) -> None:
    """Without the token, with another one, or under a name that isn't loopback's, nothing shows."""
    with TestClient(
        ReviewApp(queue, Access(token=TOKEN, hosts=[OWN])).build(), base_url=f"http://{host}"
    ) as stranger:
        answer = stranger.get(path)

    assert answer.status_code == status
    assert "c-0" not in answer.text


def test_the_token_leaves_the_address(queue: ReviewQueue) -> None:
    """The token becomes a cookie that no script reads, and the address is without it."""
    with TestClient(ReviewApp(queue, Access(token=TOKEN)).build()) as client:
        answer = client.get(f"/?token={TOKEN}", follow_redirects=False)

    assert answer.headers["location"] == "/"
    assert TOKEN not in answer.headers["set-cookie"]
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=lax" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("fields", "headers"),
    [({}, {}), ({"form": "0" * 64}, {}), (None, {"Sec-Fetch-Site": "cross-site"})],
    ids=["no token", "another token", "another site"],
)
def test_a_form_of_another_page_is_refused(
    client: TestClient, queue: ReviewQueue, fields: dict[str, str] | None, headers: dict[str, str]
) -> None:
    """A form without this session's token, or sent by another site, changes nothing."""
    if fields is None:
        found = re.search(r'name="form" value="([0-9a-f]+)"', client.get("/review/1").text)
        assert found is not None
        fields = {"form": found[1]}
    answer = client.post("/review/1", data={**fields, "needed": "no"}, headers=headers)

    assert answer.status_code == 403
    assert queue.labels() == {}


def test_a_mark_becomes_a_label_with_name_and_time(client: TestClient, queue: ReviewQueue) -> None:
    """Needed from the second turn on, why, and answered: one label, then the next email."""
    answer = post(
        client, "/review/1", needed="yes", at_turn="1", reasons=["complaint", "unresolved"],
        note="  twice asked ", answered="yes",
    )  # fmt: skip
    label = queue.labels()["c-0"]["Ana <b>"]

    assert answer.url.path == "/review/2"
    assert (label.handoff, label.at_turn) == (True, 1)
    assert label.reasons == (Reason.COMPLAINT, Reason.UNRESOLVED)
    assert (label.note, label.extra) == ("twice asked", {"answered": True})
    assert label.labeled_at is not None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "Say whether a person was needed"),
        ({"needed": "yes", "reasons": "complaint"}, "Say from which turn on"),
        ({"needed": "yes", "reasons": "complaint", "at_turn": "4"}, "Say from which turn on"),
        ({"needed": "yes", "reasons": "complaint", "at_turn": "²"}, "Say from which turn on"),
        ({"needed": "yes", "at_turn": "close"}, "Say why a person was needed"),
        ({"needed": "yes", "at_turn": "close", "reasons": "<b>"}, "Say why a person was needed"),
        ({"needed": "no", "note": "x" * 2001}, "Keep the note to 2,000 letters"),
    ],
)
def test_what_is_missing_is_said_and_what_was_given_stays(
    client: TestClient, queue: ReviewQueue, fields: dict[str, str], says: str
) -> None:
    """An incomplete form is shown again with its answers and a sentence, and nothing is kept."""
    answer = post(client, "/review/1", note=fields.get("note", "keep <this>"), **{
        name: value for name, value in fields.items() if name != "note"
    })  # fmt: skip

    assert answer.status_code == 422
    assert says in html.unescape(answer.text)
    assert "keep &lt;this&gt;" in answer.text or "note" in fields
    assert queue.labels() == {}


def test_a_mark_can_be_changed_and_undone(client: TestClient, queue: ReviewQueue) -> None:
    """The reviewer's earlier answer stands in the form, and a new one replaces it."""
    post(client, "/review/1", needed="no", note="how refunds show", answered="yes")
    held = client.get("/review/1").text
    post(client, "/review/1", needed="yes", at_turn="close", reasons="other")
    label = queue.labels()["c-0"]["Ana <b>"]

    assert "how refunds show</textarea>" in held
    assert 'name="needed" value="no" checked' in held
    assert (label.handoff, label.at_turn, label.note, label.extra) == (True, None, None, {})
    assert len(queue.labels()["c-0"]) == 1


def test_hostile_text_is_text(client: TestClient) -> None:
    """Customers' markup is escaped, a name's too, and the policy lets no other script run."""
    answer = client.get("/review/1")

    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }} ${x}" in answer.text
    assert "Ana &lt;b&gt;" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["", "   ", "two\nlines", "Adjudicated", "\x1b[31m"])
def test_a_name_must_be_one(client: TestClient, name: str) -> None:
    """Nothing, two lines, an escape, and the name of the agreed label are refused."""
    assert "Give your" in post(client, "/name", name=name).text


def test_a_body_without_end_is_refused(client: TestClient) -> None:
    """More than a form can hold is not read on."""
    assert client.post("/review/1", content=b"x" * 70_000).status_code == 413


def test_pages_that_are_not_there_say_so(client: TestClient) -> None:
    """A number out of range, negative or absurd is no error of the server."""
    assert [client.get(f"/review/{n}").status_code for n in ("0", "4", "-1", "9" * 30)] == [404] * 4
    assert client.get("/next?after=999999").status_code == 200


def test_two_reviewers_get_different_emails(tmp_path: Path) -> None:
    """What one has open isn't offered to the other, until ten minutes have passed."""
    now = [0.0]
    queue = ReviewQueue(items(), tmp_path, clock=lambda: now[0])

    assert queue.next_for("ana") == 0
    assert queue.next_for("ben") == 1
    assert queue.next_for("ana") == 0
    assert queue.next_for("ana", after=0) == 2
    assert queue.next_for("cleo") is None
    now[0] = 601.0
    assert queue.next_for("cleo") == 0
    queue.save(0, Mark(needed=False), reviewer="cleo")
    assert queue.next_for("dan") == 1


def test_a_draw_shows_neither_score_nor_what_was_sent(tmp_path: Path) -> None:
    """With a plan the drawn are shown in its order, and none says whether it was emailed."""
    write_log(tmp_path)
    logged = read_logged(str(tmp_path / "decisions.jsonl"), transcripts=tmp_path)
    plan = planned(tmp_path, reviews=10)
    drawn, emails = items_to_review(logged, plan), items_to_review(logged)

    assert [item.conversation.id for item in drawn] == [row.conversation_id for row in plan.rows]
    assert {item.sent_after for item in drawn} == {None}
    assert [item.conversation.id for item in emails][:3] == ["c-0-0", "c-0-1", "c-0-2"]
    assert {item.sent_after for item in emails} == {3}


def test_nothing_to_review_is_said(tmp_path: Path) -> None:
    """A log whose emails have no transcripts here says what to give."""
    with pytest.raises(DataError, match="Give --transcripts"):
        ReviewQueue([], tmp_path)


def test_everything_reviewed_leads_back_to_the_list(client: TestClient, tmp_path: Path) -> None:
    """After the last mark the list says so and names who reviewed what."""
    for number in (1, 2, 3):
        last = post(client, f"/review/{number}", needed="no")

    assert last.url.path == "/"
    assert "All 3 are reviewed" in last.text
    assert len(read_reviews(tmp_path / "reviews").labels) == 3
