"""A graph in int8: close to the float one, each row for itself, wide channels borne."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from handoff_eval.encoders.quantize import quantize
from handoff_eval.encoders.runtime import onnxruntime

RNG = np.random.default_rng(0)
WIDE = np.where(np.arange(16) == 3, 40.0, 1.0).astype(np.float32)
"""One channel forty times as wide as the others, as in a transformer."""


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """Return two products of one input, and a third over their sum."""
    constants = {
        "a": RNG.normal(size=(16, 8)) / WIDE[:, None],
        "b": RNG.normal(size=(16, 8)) / WIDE[:, None],
        "c": RNG.normal(size=(8, 4)),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["xa"]),
        helper.make_node("MatMul", ["x", "b"], ["xb"]),
        helper.make_node("Add", ["xa", "xb"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["positive"]),
        helper.make_node("MatMul", ["positive", "c"], ["y"]),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["texts", "tokens", 16])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["texts", "tokens", 4])],
            [numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    save(model, tmp_path / "float.onnx")
    return tmp_path / "float.onnx"


def rows(n: int) -> np.ndarray:
    return (RNG.normal(size=(n, 3, 16)) * WIDE).astype(np.float32)


def feeds() -> Iterator[dict[str, np.ndarray]]:
    for _ in range(50):
        yield {"x": rows(4)}


def run(path: Path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (result,) = session.run(["y"], {"x": x})
    return result


def test_every_product_is_turned_and_stays_close(graph: Path, tmp_path: Path) -> None:
    """All three products are integer ones, and a wide channel doesn't drown the others."""
    turned = quantize(graph, tmp_path / "int8.onnx", feeds())

    x = rows(200)
    exact, rounded = run(graph, x), run(tmp_path / "int8.onnx", x)
    error = np.linalg.norm(exact - rounded) / np.linalg.norm(exact)
    assert turned == 3
    assert 0 < error < 0.03


def test_a_row_does_not_depend_on_its_batch(graph: Path, tmp_path: Path) -> None:
    """Beside a row a thousand times as large, a row gives exactly what it gives alone."""
    quantize(graph, tmp_path / "int8.onnx", feeds())
    x = rows(9)
    alone = np.concatenate([run(tmp_path / "int8.onnx", row[None]) for row in x])

    together = run(tmp_path / "int8.onnx", np.concatenate([x, 1000 * x]))

    assert np.array_equal(together[:9], alone)


def test_only_the_result_is_left(graph: Path, tmp_path: Path) -> None:
    """What was made on the way is gone, and so are the float matrices."""
    import onnx

    quantize(graph, tmp_path / "int8.onnx", feeds())

    assert sorted(path.name for path in tmp_path.iterdir()) == ["float.onnx", "int8.onnx"]
    kept = onnx.load(tmp_path / "int8.onnx").graph.initializer
    assert not [t.name for t in kept if len(t.dims) == 2 and t.data_type == TensorProto.FLOAT]
