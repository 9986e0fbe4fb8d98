"""Models that behave until somebody asks them the wrong thing: one then never comes back, one wants all memory."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ganglion.adapters.package_files import write_package
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Limits, Manifest, TensorSpec, describe_member

FOR_EVER = 1e15
"""As many turns take years."""


def write_spinner(directory: Path, *, name: str = "spinner", version: str = "1") -> Path:
    """Write a package whose model takes as many turns as its input says."""
    content = _spinner().SerializeToString()
    manifest = Manifest(
        name=ModelName(name),
        version=Version(version),
        inputs=(TensorSpec("x", "FP32", (1,)),),
        outputs=(TensorSpec("y", "FP32", (1,)),),
        members={"model.onnx": describe_member(content)},
        limits=Limits(loops_allowed=True),
    )
    write_package(directory, manifest, {"model.onnx": content})
    return directory


def write_hoarder(path: Path) -> Path:
    """Write a model that makes a tensor of as many numbers as its input says."""
    nodes = [
        helper.make_node("Cast", ["x"], ["size"], to=TensorProto.INT64),
        helper.make_node("ConstantOfShape", ["size"], ["large"], value=helper.make_tensor("v", 1, [1], [1.0])),
        helper.make_node("Exp", ["large"], ["larger"]),
        helper.make_node("ReduceMax", ["larger"], ["y"], keepdims=0),
    ]
    path.write_bytes(_model(nodes, output_shape=()).SerializeToString())
    return path


def _spinner() -> ModelProto:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Sin", ["v"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1]),
        ],
    )
    nodes = [
        helper.make_node("Cast", ["x"], ["turns"], to=TensorProto.INT64),
        helper.make_node("Loop", ["turns", "true", "x"], ["y"], body=body),
    ]
    return _model(nodes, output_shape=(1,), initializers=[numpy_helper.from_array(np.array(True), "true")])


def _model(
    nodes: list[NodeProto], *, output_shape: tuple[int, ...], initializers: Sequence[TensorProto] = ()
) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "wild",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output_shape)],
        list(initializers),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
