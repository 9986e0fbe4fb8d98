"""Small ONNX files, made without training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSETS = [helper.make_opsetid("", 17)]


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    *,
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    initializers: Sequence[onnx.TensorProto] = (),
    domains: Sequence[str] = (),
) -> Path:
    """Write a model with the given nodes, whose operators may be of further domains."""
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializer=initializers)
    opsets = [*_OPSETS, *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def classifier(path: Path, *, softmax: bool = True, factor: float = 4.0, batch: int | str = "N") -> Path:
    """Three classes from three features: the largest feature wins. Without softmax the output holds logits."""
    weights = numpy_helper.from_array(np.eye(3, dtype=np.float32) * np.float32(factor), "w")
    last = "logits" if softmax else "scores"
    nodes = [helper.make_node("MatMul", ["x", "w"], [last])]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["scores"]))
    inputs, outputs = [value("x", batch, 3)], [value("scores", batch, 3)]
    return save(path, nodes, inputs=inputs, outputs=outputs, initializers=[weights])


def layer(path: Path, weights: NDArray[np.float32]) -> Path:
    """Return one matrix product."""
    rows, columns = weights.shape
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    inputs, outputs = [value("x", "N", rows)], [value("y", "N", columns)]
    return save(path, nodes, inputs=inputs, outputs=outputs, initializers=[numpy_helper.from_array(weights, "w")])


def with_external_weights(path: Path, location: str) -> Path:
    """Return a model whose weights stand in another file."""
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    entry = weights.external_data.add()
    entry.key, entry.value = "location", location
    nodes = [helper.make_node("Add", ["x", "w"], ["scores"])]
    return save(path, nodes, inputs=[value("x", "N", 3)], outputs=[value("scores", "N", 3)], initializers=[weights])


def reshaper(path: Path) -> Path:
    """Return a model that takes any row count, and fails at run time unless it is even."""
    shape = numpy_helper.from_array(np.array([-1, 2], np.int64), "shape")
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["pairs"])]
    return save(path, nodes, inputs=[value("x", "N")], outputs=[value("pairs", "M", 2)], initializers=[shape])
