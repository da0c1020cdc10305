"""A float graph with its weight products in int8, whose result for a text never depends on others.

Activations are cut to 8 bits at fixed scales, found once on calibration texts, so the vectors of a
batch are those of its texts alone; quantising with scales taken from each batch is not so. Before
that each channel is divided by a factor that its weights are multiplied by, so that the few wide
channels of a transformer don't set the scale of all others: Xiao et al., SmoothQuant (ICML 2023),
equation 4, with more of the difficulty moved to the weights, which have a scale for each column.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handoff_eval.encoders.onnx_encoder import Feed, open_session

MIGRATION = 0.75
"""Exponent that shares a channel's width between activations (0) and weights (1)."""

_MICROSOFT = "com.microsoft"
_SMALLEST = 1e-6

Ranges = Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Lowest and highest value seen in each channel of each tensor, shapes (channels,)."""


def quantize(source: Path, target: Path, calibration: Iterable[Feed]) -> int:
    """Write the graph with its products of activations and constant matrices in int8.

    Parameters
    ----------
    source : Path
        Float graph.
    target : Path
        Where the result goes; the folder must exist.
    calibration : iterable of mapping
        Inputs of the graph, typical of what it will see.

    Returns
    -------
    int
        How many products were turned.
    """
    import onnx

    folded = target.with_name(f"{target.name}.folded")
    probed = target.with_name(f"{target.name}.probed")
    try:
        open_session(source, save=folded)
        model = onnx.load(folded)
        products = _products(model)
        ranges = _observe(model, list(products), probed, calibration)
        _turn(model, products, ranges)
        onnx.save(model, target)
    finally:
        folded.unlink(missing_ok=True)
        probed.unlink(missing_ok=True)
    return sum(map(len, products.values()))


def _products(model: Any) -> dict[str, list[Any]]:
    """Return the products with a constant matrix, by the tensor that enters them."""
    constant = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
    products = defaultdict(list)
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in constant:
            products[node.input[0]].append(node)
    return products


def _observe(model: Any, tensors: list[str], probed: Path, calibration: Iterable[Feed]) -> Ranges:
    """Return the range of each channel of some tensors over the calibration inputs."""
    import onnx

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(
        onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None)
        for tensor in tensors
    )
    onnx.save(probe, probed)
    session = open_session(probed)
    ranges: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
    for feed in calibration:
        for tensor, values in zip(tensors, session.run(tensors, feed), strict=True):
            rows = values.reshape(-1, values.shape[-1])
            low, high = rows.min(axis=0), rows.max(axis=0)
            if tensor in ranges:
                low = np.minimum(low, ranges[tensor][0])
                high = np.maximum(high, ranges[tensor][1])
            ranges[tensor] = low, high
    return ranges


def _turn(model: Any, products: Mapping[str, list[Any]], ranges: Ranges) -> None:
    """Put each product's integer twin in its place, behind its smoothed and rounded input."""
    from onnx import numpy_helper

    graph = model.graph
    matrices = {tensor.name: tensor for tensor in graph.initializer}
    twins: dict[str, list[Any]] = {}
    for tensor, nodes in products.items():
        weights = [numpy_helper.to_array(matrices[node.input[1]]) for node in nodes]
        factor = _smoothing(*ranges[tensor], weights)
        twins[nodes[0].output[0]] = _rounding(graph, tensor, factor, *ranges[tensor])
        for node, weight in zip(nodes, weights, strict=True):
            twins.setdefault(node.output[0], []).append(
                _integer_product(graph, node, weight * factor[:, None])
            )
    kept = list(graph.node)
    del graph.node[:]
    for node in kept:
        graph.node.extend(twins.get(node.output[0], [node]))
    used = {name for node in graph.node for name in node.input}
    constants = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(constants)


def _smoothing(
    low: NDArray[np.float32], high: NDArray[np.float32], weights: list[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return what each channel is divided by, shape (channels,)."""
    width = np.maximum(np.maximum(-low, high), _SMALLEST)
    weight = np.maximum(np.abs(np.hstack(weights)).max(axis=1), _SMALLEST)
    factor: NDArray[np.float32] = width**MIGRATION / weight ** (1 - MIGRATION)
    return factor


def _rounding(
    graph: Any,
    tensor: str,
    factor: NDArray[np.float32],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
) -> list[Any]:
    """Return the nodes that make `tensor.rounded`, in 0 to 255 at a fixed scale."""
    from onnx import helper

    lowest = min(0.0, float((low / factor).min()))
    highest = max(0.0, float((high / factor).max()))
    scale = np.float32((highest - lowest) / 255)
    _add(graph, f"{tensor}.factor", 1 / factor)
    _add(graph, f"{tensor}.scale", scale)
    _add(graph, f"{tensor}.zero", np.uint8(np.clip(round(-lowest / scale), 0, 255)))
    return [
        helper.make_node("Mul", [tensor, f"{tensor}.factor"], [f"{tensor}.smooth"]),
        helper.make_node(
            "QuantizeLinear",
            [f"{tensor}.smooth", f"{tensor}.scale", f"{tensor}.zero"],
            [f"{tensor}.rounded"],
        ),
    ]


def _integer_product(graph: Any, node: Any, weight: NDArray[np.float32]) -> Any:
    """Return the twin of a product, its matrix in -127 to 127 with a scale for each column."""
    from onnx import helper

    tensor, name = node.input[0], node.output[0]
    width = np.maximum(np.abs(weight).max(axis=0), _SMALLEST) / 127
    _add(graph, f"{name}.weight", np.round(weight / width).astype(np.int8))
    _add(graph, f"{name}.width", width.astype(np.float32))
    return helper.make_node(
        "MatMulIntegerToFloat",
        [
            f"{tensor}.rounded",
            f"{name}.weight",
            f"{tensor}.scale",
            f"{name}.width",
            f"{tensor}.zero",
        ],
        [name],
        domain=_MICROSOFT,
    )


def _add(graph: Any, name: str, value: Any) -> None:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
