"""A trained head as an ONNX graph: written by the workbench, run by onnxruntime alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from handoff_eval.conversation import Reason
from handoff_eval.triggers.head import LinearHead

_OPSET = 17
_IR_VERSION = 8


def write_head(head: LinearHead, path: Path) -> None:
    """Write the head as a graph with input `rows` and outputs `scores` and `reasons`.

    Scores are computed in double precision, as in the workbench. Needs the package onnx.
    """
    from onnx import TensorProto, checker, helper, numpy_helper, save

    nodes = [
        helper.make_node("Cast", ["rows"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("MatMul", ["wide", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        helper.make_node("MatMul", ["rows", "reason_weights"], ["reason_product"]),
        helper.make_node("Add", ["reason_product", "reason_bias"], ["reasons"]),
    ]
    constants = {
        "weights": head.weights.astype(np.float64),
        "bias": np.array(head.bias, dtype=np.float64),
        "reason_weights": head.reason_weights.T.astype(np.float32),
        "reason_bias": head.reason_bias.astype(np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", head.width])],
        [
            helper.make_tensor_value_info("scores", TensorProto.DOUBLE, ["n"]),
            helper.make_tensor_value_info("reasons", TensorProto.FLOAT, ["n", len(head.reasons)]),
        ],
        initializer=[
            numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in constants.items()
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    checker.check_model(model)
    save(model, str(path))


class OnnxHead:
    """A head read back from its graph.

    Parameters
    ----------
    path : Path
        What `write_head` wrote.
    reasons : sequence of Reason
        Meaning of the columns of its `reasons` output.
    """

    def __init__(self, path: Path, reasons: Sequence[Reason]) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            path.read_bytes(), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self.reasons = tuple(reasons)

    @property
    def width(self) -> int:
        """Number of feature columns it takes."""
        return int(self._session.get_inputs()[0].shape[1])

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the score in [0, 1] of each row, shape (rows,)."""
        (scores,) = self._session.run(["scores"], {"rows": rows})
        result: NDArray[np.float64] = scores
        return result

    def reason(self, row: NDArray[np.float32]) -> Reason | None:
        """Return the likeliest reason of one row, shape (width,)."""
        if not self.reasons:
            return None
        (scores,) = self._session.run(["reasons"], {"rows": row[None]})
        return self.reasons[int(np.argmax(scores[0]))]
