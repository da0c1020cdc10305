"""A trained head as an ONNX graph: written by the workbench, run by onnxruntime alone."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.conversation import Reason
from handoff_eval.encoders.runtime import onnxruntime
from handoff_eval.errors import BundleError
from handoff_eval.triggers.head import LEAST_CHANCE, EstimatorHead, LinearHead, ReasonHead

_OPSET = 17
_IR_VERSION = 8


def write_head(head: LinearHead | EstimatorHead, path: Path) -> None:
    """Write the head as a graph with input `rows` and outputs `scores` and `reasons`.

    A linear head's scores are computed in double precision, as in the workbench. Needs the
    package onnx, and skl2onnx for another estimator.

    Raises
    ------
    BundleError
        When the estimator can't be written as ONNX.
    """
    from onnx import checker, save

    graph = _linear(head) if isinstance(head, LinearHead) else _estimator(head)
    checker.check_model(graph)
    save(graph, str(path))


def _linear(head: LinearHead) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", ["rows"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("MatMul", ["wide", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        *_reason_nodes(),
    ]
    constants = {
        "weights": head.weights.astype(np.float64),
        "bias": np.array(head.bias, dtype=np.float64),
        **_reason_constants(head.reasons),
    }
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", head.width])],
        _outputs(head.reasons),
        initializer=[numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )


def _estimator(head: EstimatorHead) -> Any:
    """Return skl2onnx's graph of the estimator with calibration and reasons put behind it."""
    from onnx import TensorProto, helper, numpy_helper

    has_values = hasattr(head.estimator, "decision_function")
    graph = _converted(head.estimator, head.width, raw=has_values)
    raw = graph.graph.output[1].name
    constants = {
        "slope": np.array(head.sigmoid.slope),
        "shift": np.array(head.sigmoid.shift),
        "flat": np.array([-1]),
        "second": np.array(1),
        **_reason_constants(head.reasons),
    }
    nodes = [helper.make_node("Cast", [raw], ["wide"], to=TensorProto.DOUBLE)]
    if has_values:
        # Two columns where the converter mirrors the value, one where it doesn't; last is ours.
        constants["second"] = np.array(-1)
    else:
        constants |= {
            "least": np.array(LEAST_CHANCE),
            "most": np.array(1 - LEAST_CHANCE),
            "one": np.array(1.0),
        }
    nodes.append(helper.make_node("Gather", ["wide", "second"], ["value"], axis=1))
    value = "value"
    if not has_values:
        nodes += [
            helper.make_node("Clip", ["value", "least", "most"], ["chance"]),
            helper.make_node("Sub", ["one", "chance"], ["rest"]),
            helper.make_node("Div", ["chance", "rest"], ["odds"]),
            helper.make_node("Log", ["odds"], ["log_odds"]),
        ]
        value = "log_odds"
    nodes += [
        helper.make_node("Mul", [value, "slope"], ["steep"]),
        helper.make_node("Add", ["steep", "shift"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["shaped"]),
        helper.make_node("Reshape", ["shaped", "flat"], ["scores"]),
        *_reason_nodes(),
    ]
    graph.graph.node.extend(nodes)
    graph.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    del graph.graph.output[:]
    graph.graph.output.extend(_outputs(head.reasons))
    return graph


def _converted(estimator: Any, width: int, *, raw: bool) -> Any:
    try:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType
    except ImportError:
        raise BundleError(
            "Expected skl2onnx to write this head as ONNX; it is not installed. "
            "Run: pip install 'handoff-eval[bench]'."
        ) from None
    wanted: dict[str, Any] = {"raw_scores": True} if raw else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A converter refuses the name of an option it doesn't have.
            for options in ({**wanted, "zipmap": False}, wanted):
                with suppress(NameError):
                    return to_onnx(
                        estimator,
                        initial_types=[("rows", FloatTensorType([None, width]))],
                        options={id(estimator): options},
                        target_opset={"": _OPSET, "ai.onnx.ml": 3},
                    )
    except Exception as error:  # a converter raises of every kind for what it doesn't know
        why = str(error).strip().partition("\n")[0]
    else:
        why = "its converter has no raw values"
    raise BundleError(
        f"Expected a head that can be written as ONNX; got {type(estimator).__name__} ({why}). "
        "Choose an estimator that skl2onnx converts."
    )


def _reason_nodes() -> list[Any]:
    from onnx import helper

    return [
        helper.make_node("MatMul", ["rows", "reason_weights"], ["reason_product"]),
        helper.make_node("Add", ["reason_product", "reason_bias"], ["reasons"]),
    ]


def _reason_constants(head: ReasonHead) -> dict[str, NDArray[Any]]:
    return {
        "reason_weights": np.ascontiguousarray(head.weights.T.astype(np.float32)),
        "reason_bias": head.bias.astype(np.float32),
    }


def _outputs(head: ReasonHead) -> list[Any]:
    from onnx import TensorProto, helper

    return [
        helper.make_tensor_value_info("scores", TensorProto.DOUBLE, ["n"]),
        helper.make_tensor_value_info("reasons", TensorProto.FLOAT, ["n", len(head.reasons)]),
    ]


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
