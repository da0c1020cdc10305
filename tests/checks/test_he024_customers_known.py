"""HE024: conversations that name no customer."""

from __future__ import annotations

from handoff_eval.conversation import Customer
from tests.checks.build import dataset, found, talks


def test_unknown_customers_are_told() -> None:
    """An address without an id is no customer either."""
    conversations = talks(3) + talks(2, prefix="x", customer=Customer(email="ana@example.com"))

    (finding,) = found("HE024", dataset(conversations))

    assert (finding.severity, finding.count, finding.examples) == ("info", 2, ("x-0", "x-1"))
    assert finding.sentence.startswith("2 conversations of 5 name no customer")


def test_known_customers_pass() -> None:
    """Nothing is found where each conversation has a customer."""
    assert found("HE024", dataset(talks(2))) == []
