"""HE022: conversations in which the customer says nothing."""

from __future__ import annotations

from tests.checks.build import dataset, found, talks


def test_a_silent_customer_is_told() -> None:
    """A conversation of agents, persons and tools alone has no decision point but the close."""
    conversations = talks(1) + talks(1, "A: Hello?", "H: Anybody there?", "S: closed", prefix="x")

    (finding,) = found("HE022", dataset(conversations))

    assert (finding.severity, finding.count, finding.examples) == ("warning", 1, ("x-0",))


def test_speaking_customers_pass() -> None:
    """One turn of the customer is enough."""
    assert found("HE022", dataset(talks(2))) == []
