"""HE004: a customer on two splits."""

from __future__ import annotations

from handoff_eval.conversation import Customer, Split
from tests.checks.build import dataset, found, talks, why_not


def test_a_customer_on_two_splits_is_an_error() -> None:
    """The customer is named, and others are not."""
    ana = Customer(id="ana")
    conversations = (
        talks(1, split=Split.TRAIN, customer=ana, prefix="a")
        + talks(1, split=Split.TEST, customer=ana, prefix="b")
        + talks(2, split=Split.TEST)
    )

    (finding,) = found("HE004", dataset(conversations))

    assert (finding.severity, finding.count, finding.examples) == ("error", 1, ("ana",))
    assert finding.sentence.startswith("1 customer is on more than one split")


def test_the_same_split_and_unknown_customers_pass() -> None:
    """A customer who returns within a split is fine, and nobody is told apart without an id."""
    ana = Customer(id="ana")
    conversations = talks(2, split=Split.TRAIN, customer=ana) + talks(
        1, split=Split.TEST, customer=Customer(), prefix="x"
    )

    assert found("HE004", dataset(conversations)) == []


def test_without_splits_it_cannot_run() -> None:
    """A set without splits has nobody on two."""
    assert why_not("HE004", dataset(talks(2))) == "no conversation names a split"
