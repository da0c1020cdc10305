"""HE009: near-duplicates within a split."""

from __future__ import annotations

import random

import pytest

from handoff_eval.conversation import Conversation, Split
from handoff_eval.evaluation.checks import base
from handoff_eval.evaluation.checks.overlap import near_duplicates
from tests.checks.build import dataset, found, talks, why_not

STORY = (
    "C: My parcel with the blue kettle has been in the depot for nine days and nothing happens, "
    "please look into it."
)
OTHER = (
    "C: Could you tell me whether the monthly plan can be paused in August while we are away on "
    "holiday in Norway?"
)


def one(line: str, name: str, split: Split | None = Split.TRAIN) -> list[Conversation]:
    """Return one conversation of one line."""
    return talks(1, line, split=split, prefix=name)


def test_case_spacing_and_a_word_do_not_hide_a_copy() -> None:
    """A copy with another case, more spaces and one word changed is found, another story isn't."""
    copy = STORY.upper().replace("C: MY", "C: my").replace(" DEPOT ", "   DEPOT  ") + "!"
    conversations = one(STORY, "a") + one(OTHER, "b") + one(copy, "c")

    (finding,) = found("HE009", dataset(conversations))

    assert (finding.severity, finding.count) == ("warning", 1)
    assert finding.examples == ("'a-0' and 'c-0' (99%)",)


@pytest.mark.parametrize("split", [None, Split.TRAIN])
def test_it_also_runs_without_splits(split: Split | None) -> None:
    """Copies are found whether or not the set is split."""
    (finding,) = found("HE009", dataset(one(STORY, "a", split) + one(STORY, "b", split)))

    assert finding.examples == ("'a-0' and 'b-0' (100%)",)


def test_copies_in_two_splits_are_another_finding() -> None:
    """What HE010 tells isn't told twice."""
    assert found("HE009", dataset(one(STORY, "a") + one(STORY, "b", Split.TEST))) == []


def test_short_talk_is_alike_by_nature() -> None:
    """Two customers who only say hello are no copies of each other."""
    assert found("HE009", dataset(talks(5, "C: Hi", "A: How can I help?"))) == []


def test_what_tools_write_does_not_count() -> None:
    """Two talks with the same tool output and other words are two talks."""
    tool = "S: " + "result " * 100
    conversations = talks(1, STORY, tool, prefix="a") + talks(1, OTHER, tool, prefix="b")

    assert found("HE009", dataset(conversations)) == []


def test_too_many_to_compare_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit the check names both numbers."""
    monkeypatch.setattr(base, "MAX_COMPARED", 3)

    assert "there are 4 conversations, more than the 3" in why_not("HE009", dataset(talks(4)))


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 1.0])
def test_the_pairs_are_those_of_comparing_all(threshold: float) -> None:
    """The prefixes miss nothing: the pairs and figures equal those of all comparisons."""
    chance = random.Random(5)
    texts = ["".join(chance.choices("ab ", k=chance.randint(3, 30))) for _ in range(60)]
    texts += [text[1:] + "a" for text in texts] + texts[:5]
    plain = [" ".join(text.split()) for text in texts]
    grams = [{text[i : i + 5] for i in range(len(text) - 4)} for text in plain]
    expected = {
        (i, j): len(grams[i] & grams[j]) / len(grams[i] | grams[j])
        for i in range(len(texts))
        for j in range(i + 1, len(texts))
        if grams[i] and grams[j]
    }

    pairs = near_duplicates(texts, threshold=threshold)

    assert len(pairs) > 4
    assert {(p.first, p.second): p.similarity for p in pairs} == {
        places: similarity for places, similarity in expected.items() if similarity >= threshold
    }
