"""A certificate as a value: words, id, round trip, revocation."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from handoff_eval.evaluation.certificate import Certificate
from tests.builders import CERTIFICATE

LATER = datetime(2026, 6, 1, tzinfo=UTC)


def test_certificate_survives_json() -> None:
    """What is stored comes back equal, revoked or not, with an open lower edge or not."""
    revoked = CERTIFICATE.revoke("Volume rose.", at=LATER)
    for certificate in (CERTIFICATE, revoked, replace(CERTIFICATE, lowest=float("-inf"))):
        text = json.dumps(certificate.to_dict(), allow_nan=False)

        assert Certificate.from_dict(json.loads(text)) == certificate


def test_a_changed_certificate_is_refused() -> None:
    """A number changed by hand no longer fits the id."""
    values = CERTIFICATE.to_dict()
    values["recall"] = values["recall"] | {"min_recall": 0.99}

    with pytest.raises(ValueError, match="changed after it was issued"):
        Certificate.from_dict(values)


def test_id_stands_for_promise_and_evidence() -> None:
    """Issued again on the same evidence it is the same; another threshold makes another."""
    assert replace(CERTIFICATE, issued_at=LATER).id == CERTIFICATE.id
    assert CERTIFICATE.revoke("Volume rose.", at=LATER).id == CERTIFICATE.id
    assert replace(CERTIFICATE, threshold=0.51).id != CERTIFICATE.id


def test_revocation_stays_and_is_told() -> None:
    """A revoked certificate says so first, with its reason, and the first reason stays."""
    revoked = CERTIFICATE.revoke("Volume rose.", at=LATER)

    assert (CERTIFICATE.status, revoked.status) == ("valid", "revoked")
    assert str(revoked).startswith("REVOKED on 2026-06-01: Volume rose. It said: With 95%")
    assert revoked.revoke("Again.", at=LATER) is revoked


def test_words_say_what_is_promised_and_on_what() -> None:
    """Estimand, budget, evidence and shared risk stand in one sentence."""
    words = str(CERTIFICATE)

    assert "at least 80% of needed handoffs fire" in words
    assert "mean volume is at most 20 emails a day at 200 conversations a day" in words
    assert "at most 3 fires of 200 negatives" in words
    assert "risk shared over 2 tries" in words
    by_day = replace(CERTIFICATE.volume, max_days_above=0.1, prevalence=None)
    assert str(by_day) == "at most 10% of days have more than 20 emails"
    late = replace(CERTIFICATE.recall, customers=True, on_time_within=1)
    assert str(late) == (
        "for at least 80% of customers in need every needed handoff fires no later than 1 "
        "decision points after due"
    )
