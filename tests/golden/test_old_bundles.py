"""Bundles of every format there was are read for ever and decide as they did."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from handoff_eval.errors import BundleError
from handoff_eval.evaluation.certificate import Certificate
from handoff_eval.llm.asker import SettingsAsker
from handoff_eval.production.bundle import Bundle, read_bundle, read_policy, sha256_of, write_policy
from handoff_eval.production.decide import decide
from handoff_eval.production.golden import golden_conversations
from tests.builders import CERTIFICATE
from tests.fakes import WordCountingAsker

FORMAT_1 = Path(__file__).parents[1] / "data" / "bundles" / "format_1"
WHOLE = ["keyword", "tfidf", "static", "similarity", "prompt", "cascade"]


def _check(bundle: Bundle, name: str) -> None:
    """Hold its decisions against those that were written down when it was made."""
    expected = json.loads((FORMAT_1 / f"{name}.decisions.json").read_text(encoding="utf-8"))
    decided = decide(bundle.trigger, bundle.point, golden_conversations(), handoff=bundle.handoff)

    assert len(decided) == len(expected) == 5
    for now, then in zip(decided, expected, strict=True):
        assert now.to_dict() == {**then, "score": pytest.approx(then["score"], abs=1e-5)}


def _word_counter(self: object, questions: Any) -> Any:  # noqa: ARG001
    return WordCountingAsker().ask(questions)


@pytest.mark.parametrize("name", WHOLE)
def test_format_1_is_read_and_decides_as_then(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of trigger that the first format knew, from the files of that time."""
    monkeypatch.setattr(SettingsAsker, "ask", _word_counter)
    bundle = read_bundle(FORMAT_1 / name)

    assert (bundle.handoff, bundle.trigger.name) == ("support", name)
    assert bundle.instruction.startswith("Send it when the customer asks for a person")
    _check(bundle, name)


def test_a_certificate_of_format_1_still_counts() -> None:
    """Its id is that of its content, as it was issued."""
    certificate = read_bundle(FORMAT_1 / "tfidf").point.certificate

    assert isinstance(certificate, Certificate)
    assert (certificate, certificate.status) == (CERTIFICATE, "valid")
    assert certificate.id == CERTIFICATE.id


@pytest.mark.slow
def test_the_encoder_of_format_1_gives_its_scores_whoever_exports_it(tmp_path: Path) -> None:
    """MiniLM exported by today's torch from the pinned weights gives the golden scores of then."""
    from handoff_eval.encoders.files import encoder_files

    folder = tmp_path / "minilm"
    shutil.copytree(FORMAT_1 / "minilm", folder)
    policy = read_policy(folder)
    revision = policy["trigger"]["features"][0]["encoder"]["revision"]
    for name, source in zip(
        ("encoder.onnx", "tokenizer.json"), encoder_files(revision), strict=True
    ):
        shutil.copyfile(source, folder / name)
        facts = {"sha256": sha256_of(source), "bytes": source.stat().st_size}
        policy["files"][name] = facts
    write_policy(policy, folder)

    _check(read_bundle(folder), "minilm")


@pytest.mark.parametrize("number", [2, "1", 1.5, None, True])
def test_a_format_that_is_not_known_is_refused(number: object, tmp_path: Path) -> None:
    """A newer bundle is never half understood; the sentence says what to do."""
    shutil.copytree(FORMAT_1 / "keyword", tmp_path / "b")
    policy = json.loads((tmp_path / "b" / "bundle.json").read_text(encoding="utf-8"))
    write_policy({**policy, "format": number}, tmp_path / "b")

    with pytest.raises(BundleError, match=r"expected format 1; got .*version of handoff-eval that"):
        read_bundle(tmp_path / "b")


def test_optional_fields_of_later_versions_are_ignored(tmp_path: Path) -> None:
    """What format 1 may gain without a new number doesn't disturb a reader that has none of it."""
    shutil.copytree(FORMAT_1 / "tfidf", tmp_path / "b")
    policy = read_policy(tmp_path / "b")
    write_policy({**policy, "colour": "blue", "source": {"run": "abc"}}, tmp_path / "b")

    bundle = read_bundle(tmp_path / "b")

    assert bundle.source == {"run": "abc"}
    _check(bundle, "tfidf")
