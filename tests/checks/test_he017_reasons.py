"""HE017: positives without a reason."""

from __future__ import annotations

from tests.checks.build import answers, dataset, found, talks


def test_positives_without_a_reason_are_told() -> None:
    """One of two positives gives no reason; a negative needs none."""
    first, second, third = talks(3)
    labels = [
        *answers([first], handoff=True, reasons=()),
        *answers([second], handoff=True),
        *answers([third], handoff=False),
    ]

    (finding,) = found("HE017", dataset([first, second, third], labels))

    assert (finding.severity, finding.count, finding.examples) == ("info", 1, ("c-0",))
    assert finding.sentence.startswith("1 positive of 2 gives no reason")


def test_reasons_everywhere_pass() -> None:
    """Nothing is found where each positive says why."""
    conversations = talks(2)

    assert found("HE017", dataset(conversations, answers(conversations, handoff=True))) == []
