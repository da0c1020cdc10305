"""Bundles: what is written is read back, and what was tampered with is refused in a sentence."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff_eval.conversation import Split
from handoff_eval.encoders.hashing import HashingEncoder
from handoff_eval.errors import BundleError, ParityError, SettingsError
from handoff_eval.evaluation.operating_point import OperatingPoint
from handoff_eval.evaluation.replay import Replay, replay
from handoff_eval.production.bundle import read_bundle, write_bundle
from handoff_eval.production.decide import decide
from handoff_eval.production.export import export_bundle
from handoff_eval.production.parity import check_parity
from handoff_eval.triggers.keyword import KeywordTrigger, default_rules
from handoff_eval.triggers.prompt import PromptTrigger
from handoff_eval.triggers.train import train_classifier
from tests.builders import CERTIFICATE, static_encoder, talk
from tests.fakes import WordCountingAsker
from tests.training import TRAINING

TALK = talk("C: I want to talk to a person", "A: why?", "C: a person please", id="1")


def point(trigger: str, threshold: float = 0.4) -> OperatingPoint:
    return OperatingPoint(trigger, threshold, Split.TUNE, CERTIFICATE, "Certified.")


def export_keyword(to: Path, shift: float = 0.0) -> None:
    trigger = KeywordTrigger(default_rules())
    played = replay(trigger, [TALK])
    lower = np.clip(played.scores - shift, 0, 1)
    export_bundle(
        trigger,
        point("keyword"),
        handoff="s",
        instruction="i",
        conversations=[TALK],
        measured=Replay(played.trigger, played.ids, played.offsets, played.turns, lower),
        to=to,
    )


HASHING = train_classifier(TRAINING, HashingEncoder(32), name="hashing")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    trigger = train_classifier(TRAINING, HashingEncoder(32), name="hashing")
    return write_bundle(
        trigger, point("hashing"), handoff="support", instruction="when", to=tmp_path / "bundle"
    )


def test_policy_survives(bundle: Path) -> None:
    """Operating point, certificate, handoff and instruction come back as they were."""
    read = read_bundle(bundle)

    assert read.point == point("hashing")
    assert (read.handoff, read.instruction) == ("support", "when")
    assert sorted(p.name for p in bundle.iterdir()) == ["bundle.json", "golden.json", "head.onnx"]


def test_exporting_again_replaces_a_bundle_and_nothing_else(bundle: Path, tmp_path: Path) -> None:
    """A bundle is replaced whole; a folder with other things is left alone."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")

    export_keyword(bundle)

    assert sorted(p.name for p in bundle.iterdir()) == [
        "bundle.json", "card.json", "card.md", "golden.json", "rules.txt",
    ]  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "other"]
    with pytest.raises(BundleError, match="holds something else"):
        export_keyword(other)


def test_a_refused_export_leaves_the_former_bundle(bundle: Path, tmp_path: Path) -> None:
    """What would not decide as measured never stands where a good bundle stood."""
    with pytest.raises(ParityError, match="Don't ship it"):
        export_keyword(bundle, shift=0.01)

    assert read_bundle(bundle).trigger.name == "hashing"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle"]


def test_an_unwritable_place_is_a_sentence(tmp_path: Path) -> None:
    """A folder that can't be made is a user's mistake, not a traceback."""
    (tmp_path / "file").write_text("")

    with pytest.raises(BundleError, match="can't be written"):
        export_keyword(tmp_path / "file" / "bundle")


def test_an_operating_point_of_another_trigger_is_refused(tmp_path: Path) -> None:
    """A threshold means nothing on other scores."""
    with pytest.raises(BundleError, match="operating point of 'keyword'; got that of 'minilm'"):
        write_bundle(
            KeywordTrigger(default_rules()),
            point("minilm"),
            handoff="s",
            instruction="i",
            to=tmp_path / "b",
        )


def test_a_kind_that_is_not_known_does_not_leave_the_workbench(tmp_path: Path) -> None:
    """A trigger of the user's own is refused with the reason, and leaves nothing behind."""
    own = SimpleNamespace(name="own", description="mine")
    with pytest.raises(BundleError, match=r"runs without the workbench .*; got 'own'"):
        write_bundle(own, point("own"), handoff="s", instruction="i", to=tmp_path / "b")

    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:9/v1"])
def test_a_prompt_asks_no_other_model_than_it_was_measured_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    """The endpoint is a setting at the time of asking; another model is refused by name."""
    monkeypatch.setenv("HANDOFF_EVAL_CACHE", str(tmp_path / "cache"))
    if url is not None:
        monkeypatch.setenv("HANDOFF_EVAL_LLM_URL", url)
        monkeypatch.setenv("HANDOFF_EVAL_LLM_MODEL", "other")
    trigger = PromptTrigger("when?", WordCountingAsker())
    to = write_bundle(trigger, point("prompt"), handoff="s", instruction="i", to=tmp_path / "b")
    bundle = read_bundle(to)

    assert bundle.trigger.description == trigger.description
    with pytest.raises(SettingsError, match="measured with, word-counter; the settings give"):
        bundle.trigger.score([()], [True])


def _truncate(folder: Path) -> None:
    (folder / "head.onnx").write_bytes((folder / "head.onnx").read_bytes()[:100])


def _flip(folder: Path) -> None:
    data = bytearray((folder / "head.onnx").read_bytes())
    data[-10] ^= 1
    (folder / "head.onnx").write_bytes(bytes(data))


def _link(folder: Path) -> None:
    (folder / "head.onnx").rename(folder.parent / "elsewhere.onnx")
    (folder / "head.onnx").symlink_to(folder.parent / "elsewhere.onnx")


def _oversized(folder: Path) -> None:
    """Say of a file with a hole of one gibibyte how large it is."""
    with (folder / "head.onnx").open("r+b") as stream:
        stream.truncate((1 << 30) + 1)
    _edit(lambda p: p["files"]["head.onnx"].update(bytes=(1 << 30) + 1))(folder)


def _linked_policy(folder: Path) -> None:
    (folder / "bundle.json").rename(folder.parent / "elsewhere.json")
    (folder / "bundle.json").symlink_to(folder.parent / "elsewhere.json")


def _piped_policy(folder: Path) -> None:
    (folder / "bundle.json").unlink()
    os.mkfifo(folder / "bundle.json")


def _foreign_operator(data: bytes) -> bytes:
    model = onnx.load_from_string(data)
    model.graph.node[0].domain = "elsewhere"
    return model.SerializeToString()


def _rewrite(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Change a file together with its digest, as a hostile hand would."""

    def damage(folder: Path) -> None:
        file = folder / name
        file.write_bytes(change(file.read_bytes()))
        policy = json.loads((folder / "bundle.json").read_text())
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        policy["files"][name] = {"sha256": digest, "bytes": file.stat().st_size}
        (folder / "bundle.json").write_text(json.dumps(policy))

    return damage


def _graph(change: Callable[[onnx.TensorProto], object]) -> Callable[[bytes], bytes]:
    def rewrite(data: bytes) -> bytes:
        model = onnx.load_from_string(data)
        change(model.graph.initializer[0])
        return model.SerializeToString()

    return rewrite


def _external(tensor: onnx.TensorProto) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/hostname")


def _endless(data: bytes) -> bytes:
    """Add a loop of 2**62 rounds to a graph, on the way to its scores."""
    helper, kinds = onnx.helper, onnx.TensorProto
    model = onnx.load_from_string(data)
    body = helper.make_graph(
        [helper.make_node("Identity", [a], [b]) for a, b in (("go", "on"), ("sum", "total"))],
        "body",
        [
            helper.make_tensor_value_info("i", kinds.INT64, []),
            helper.make_tensor_value_info("go", kinds.BOOL, []),
            helper.make_tensor_value_info("sum", kinds.DOUBLE, [1]),
        ],
        [
            helper.make_tensor_value_info("on", kinds.BOOL, []),
            helper.make_tensor_value_info("total", kinds.DOUBLE, [1]),
        ],
    )
    for name, value in (("rounds", 2**62), ("yes", True), ("zero", [0.0])):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value), name))
    last = next(node for node in model.graph.node if "scores" in node.output)
    last.output[0] = "before"
    model.graph.node.extend(
        [
            helper.make_node("Loop", ["rounds", "yes", "zero"], ["end"], body=body),
            helper.make_node("Add", ["before", "end"], ["scores"]),
        ]
    )
    return model.SerializeToString()


def _not_a_number(tensor: onnx.TensorProto) -> None:
    values = onnx.numpy_helper.to_array(tensor) * np.nan
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def _edit(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        policy = json.loads((folder / "bundle.json").read_text())
        change(policy)
        (folder / "bundle.json").write_text(json.dumps(policy))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncate, "expected .* bytes; got 100"),
        (_flip, "it was changed"),
        (_link, "missing or a link"),
        (lambda f: (f / "head.onnx").unlink(), "missing or a link"),
        (lambda f: (f / "bundle.json").unlink(), "found none"),
        (lambda f: (f / "bundle.json").write_text("{"), "expected JSON"),
        (_edit(lambda p: p.update(format=99)), "expected format 1; got 99"),
        (_edit(lambda p: p.pop("operating_point")), "expected a complete policy"),
        (_edit(lambda p: p["trigger"].update(kind="pickle")), "kind keyword, .*; got 'pickle'"),
        (
            _edit(lambda p: p["files"].update({"../x": {"sha256": "", "bytes": 0}})),
            "expected plain file names",
        ),
        (
            _edit(lambda p: p["trigger"]["features"][0]["encoder"].update(kind="remote")),
            "kind onnx, static or hashing",
        ),
        *(
            (_edit(lambda p, name=name: p["files"].update({name: {}})), "expected plain file names")
            for name in ("/etc/x", "..\\x", "a/b", "", ".", "..")
        ),
        (_edit(lambda p: p["files"].pop("head.onnx")), "expected a complete policy; KeyError"),
        (_oversized, "expected 1073741825 bytes; got 1073741825"),
        (_linked_policy, "it is a link or no file"),
        (_piped_policy, "it is a link or no file"),
        (_rewrite("head.onnx", _foreign_operator), "expected a complete policy"),
        (_edit(lambda p: p.update(files=[])), "expected a complete policy"),
        (_edit(lambda p: p.update(handoff=7)), "Expected handoff to be a text"),
        (_edit(lambda p: p["operating_point"].update(threshold=float("nan"))), "the number NaN"),
        (lambda f: (f / "bundle.json").write_text("[" * 100_000), "expected JSON"),
        (lambda f: (f / "bundle.json").write_text(" " * (1 << 21)), "longer than 1048576 bytes"),
        (_rewrite("head.onnx", _graph(_external)), "it names other files"),
        (_rewrite("head.onnx", _endless), "it has a loop"),
        (_rewrite("head.onnx", _graph(_not_a_number)), "expected a complete policy; ValueError"),
        (_rewrite("head.onnx", lambda data: data[:200]), "it ends in the middle"),
        (_rewrite("head.onnx", lambda data: b"\x0f" + data), "unknown wire type 7"),
        (_rewrite("head.onnx", lambda _: b""), "expected a complete policy"),
        (_rewrite("golden.json", lambda data: data.replace(b"0.", b"0.1")), "golden scores within"),
        (_rewrite("golden.json", lambda _: b'{"conversations": [], "scores": []}'), "got none"),
    ],
)
def test_damage_is_refused(bundle: Path, damage: Callable[[Path], object], message: str) -> None:
    """Anything that isn't what was exported is refused, and the sentence says what."""
    damage(bundle)
    before = sorted(bundle.parent.rglob("*"))

    with pytest.raises(BundleError, match=message):
        read_bundle(bundle)
    assert sorted(bundle.parent.rglob("*")) == before


def test_a_table_of_objects_is_refused_and_not_unpickled(tmp_path: Path) -> None:
    """Vectors that would run code when they are unpickled stay bytes."""

    class Payload:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return os.mkdir, (str(tmp_path / "executed"),)

    trigger = train_classifier(TRAINING, static_encoder(tmp_path), name="static")
    folder = write_bundle(
        trigger, point("static"), handoff="s", instruction="i", to=tmp_path / "bundle"
    )
    stream = io.BytesIO()
    np.save(stream, np.array([Payload()], dtype=object), allow_pickle=True)
    _rewrite("vectors.npy", lambda _: stream.getvalue())(folder)

    with pytest.raises(BundleError, match="allow_pickle=False"):
        read_bundle(folder)
    assert not (tmp_path / "executed").exists()


@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=60), place=st.integers(0, 400))
def test_no_bytes_break_the_reader(data: bytes, place: int) -> None:
    """Whatever stands in a graph, it is read or refused with a sentence."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = write_bundle(
            HASHING, point("hashing"), handoff="s", instruction="i", to=Path(folder) / "b"
        )
        _rewrite("head.onnx", lambda old: old[:place] + data + old[place + len(data) :])(bundle)
        with suppress(BundleError):
            read_bundle(bundle)


def test_parity_refuses_a_changed_score(bundle: Path) -> None:
    """A score that moved by more than 1e-5 stops the export, changed decision or not."""
    read = read_bundle(bundle)
    played = replay(read.trigger, [TALK])
    lower = np.clip(played.scores - 2e-5, 0, 1)
    moved = Replay(played.trigger, played.ids, played.offsets, played.turns, lower)

    assert check_parity(read, [TALK], played).changed == 0
    with pytest.raises(ParityError, match="score within 1e-05"):
        check_parity(read, [TALK], moved)


def test_decisions_hold_the_first_fire_only() -> None:
    """The first score at or above the threshold decides; later ones change nothing."""
    trigger = KeywordTrigger(default_rules())
    quiet = talk("C: thanks", id="2")

    first, second = decide(trigger, point("keyword", 0.5), [TALK, quiet], handoff="support")

    assert (first.fired, first.turns, first.closed) == (True, 1, False)
    assert first.explanation.evidence_turn == 0
    assert (second.fired, second.turns, second.closed) == (False, 1, True)
    assert first.to_dict()["reason"] == "human_requested"


def test_deciding_needs_no_workbench(bundle: Path) -> None:
    """Reading a bundle and deciding imports none of torch, pandas, scikit-learn, scipy, mlflow."""
    program = (
        "import sys, pathlib\n"
        "from handoff_eval.production.bundle import read_bundle\n"
        "from handoff_eval.production.decide import decide\n"
        "from handoff_eval.conversation import Conversation, Role, Turn\n"
        "b = read_bundle(pathlib.Path(sys.argv[1]))\n"
        "talk = Conversation('1', (Turn(Role.CUSTOMER, 'a person please'),))\n"
        "print(decide(b.trigger, b.point, [talk], handoff=b.handoff)[0].conversation_id)\n"
        "heavy = {'torch', 'pandas', 'sklearn', 'scipy', 'mlflow', 'sentence_transformers'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(bundle)], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == ["1", "[]"]
