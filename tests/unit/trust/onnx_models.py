"""ONNX files in memory, honest ones and others."""

from collections.abc import Sequence

import numpy as np
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from ganglion.trust.model_files.gate import check_file
from ganglion.trust.model_files.limits import ModelFileLimits

IDENTITY = helper.make_node("Identity", ["x"], ["y"])
_OPSETS = [helper.make_opsetid("", 17)]


def check(model: ModelProto | bytes, *, loops_allowed: bool = False, **limits: int | tuple[str, ...]) -> None:
    """Pass a model through the gate as `m.onnx`."""
    data = model if isinstance(model, bytes) else model.SerializeToString()
    chosen = ModelFileLimits(**limits)  # type: ignore[arg-type]  # a test names a limit and gives what it takes
    check_file("m.onnx", {"m.onnx": memoryview(data)}, chosen, loops_allowed=loops_allowed)


def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def a_model(
    *nodes: NodeProto,
    initializers: Sequence[TensorProto] = (),
    functions: Sequence[FunctionProto] = (),
    inputs: Sequence[ValueInfoProto] | None = None,
) -> ModelProto:
    """Return a model from x [N, 3] to y [N, 3]."""
    x, y = value("x", "N", 3), value("y", "N", 3)
    graph = helper.make_graph(nodes or [IDENTITY], "graph", inputs or [x], [y], initializer=initializers)
    return helper.make_model(graph, opset_imports=_OPSETS, functions=functions, ir_version=8)


def tensor(array: np.ndarray, name: str = "w") -> TensorProto:
    return numpy_helper.from_array(array, name)


def external(location: str, **entries: str) -> TensorProto:
    """Return a tensor whose numbers stand in another file."""
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    for key, text in {"location": location, **entries}.items():
        weights.external_data.add(key=key, value=text)
    return weights


def constant(weights: TensorProto) -> NodeProto:
    """Return an operator that holds a tensor."""
    return helper.make_node("Constant", [], ["w"], value=weights)


def branch(*nodes: NodeProto, initializers: Sequence[TensorProto] = ()) -> GraphProto:
    """Return a graph for the inside of an operator."""
    inner = nodes or (helper.make_node("Identity", ["x"], ["inner"]),)
    return helper.make_graph(inner, "branch", [], [value("inner", "N", 3)], initializer=initializers)


def nested_ifs(depth: int) -> ModelProto:
    """Return a model with graphs `depth` deep; the model's own is the first."""
    graph = branch()
    for _ in range(depth - 2):
        graph = branch(helper.make_node("If", ["c"], ["inner"], then_branch=graph, else_branch=branch()))
    return a_model(helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=branch()))


def endless_loop() -> ModelProto:
    """Return a model that doubles its input for ever."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["v", "v"], ["twice"])],
        "body",
        [value("turn", kind=TensorProto.INT64), value("go", kind=TensorProto.BOOL), value("v", "N", 3)],
        [value("go_on", kind=TensorProto.BOOL), value("twice", "N", 3)],
    )
    loop = helper.make_node("Loop", ["", "true", "x"], ["y"], body=body)
    return a_model(loop, initializers=[tensor(np.array(True), "true")])


def allocation_bomb(elements: int = 1 << 31) -> ModelProto:
    """Return a model of some 150 bytes that makes a tensor of `elements` floats when it runs."""
    nodes = (
        helper.make_node("ConstantOfShape", ["size"], ["large"]),
        helper.make_node("ReduceMax", ["large"], ["top"], keepdims=0),
        helper.make_node("Add", ["x", "top"], ["y"]),
    )
    return a_model(*nodes, initializers=[tensor(np.array([elements], np.int64), "size")])


def custom_operator(domain: str = "com.example", name: str = "Evil") -> ModelProto:
    """Return a model that needs somebody's native library."""
    return a_model(helper.make_node(name, ["x"], ["y"], domain=domain))


def function(name: str, *calls: str, domain: str = "local") -> FunctionProto:
    """Return a local function that calls others, or does one thing."""
    names = ["x", *(f"v{turn}" for turn in range(1, len(calls))), "y"]
    nodes = [
        helper.make_node(called, [before], [after], domain=domain)
        for called, before, after in zip(calls, names, names[1:], strict=False)
    ]
    imports = [*_OPSETS, helper.make_opsetid(domain, 1)]
    return helper.make_function(domain, name, ["x"], ["y"], nodes or [IDENTITY], imports)
