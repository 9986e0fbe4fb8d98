"""Models to measure with: random weights, because the cost of a model does not depend on them."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from ganglion.adapters.package_files import write_package
from ganglion.core import npy
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Classification, Golden, Manifest, TensorSpec, describe_member
from ganglion.core.steps import Tensor
from ganglion.ports.serving_control import ActiveModel, ActiveModels

LAYERS = (64, 512, 512, 10)
WIDE_LAYERS = (256, 4096, 4096, 512)
IMAGE = (224, 224, 3)
CLASSES = 1000
_STRIDES_AND_WIDTHS = (
    *((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
    *((1, 512), (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024)),
)
"""Of the separable convolutions of MobileNet v1."""


@dataclass(frozen=True, slots=True)
class BenchModel:
    """A model file, one row for it, and what to call its tensors."""

    name: str
    content: bytes
    row: Tensor
    input: TensorSpec
    output: TensorSpec


def tiny() -> BenchModel:
    """Return the demo's network, 64-512-512-10: about 25 microseconds."""
    return _network("demo", LAYERS)


def wide() -> BenchModel:
    """Return a network of 80 MB: one row has to read all weights, and so do many rows at once."""
    return _network("wide", WIDE_LAYERS)


def of_size(model: str, size_bytes: int, *, seed: int) -> BenchModel:
    """Return a network whose weights take about so many bytes; another seed gives others."""
    units = max(1, round((size_bytes / 4) ** 0.5) - LAYERS[0] // 2)
    return _network(model, (LAYERS[0], units, units, LAYERS[-1]), seed=seed)


def _network(model: str, layers: tuple[int, ...], *, seed: int = 1) -> BenchModel:
    rng, name = np.random.default_rng(seed), "x"
    nodes: list[NodeProto] = []
    weights: list[TensorProto] = []
    for layer, (size, units) in enumerate(itertools.pairwise(layers)):
        matrix = (rng.standard_normal((size, units)) / size**0.5).astype(np.float32)
        weights.append(numpy_helper.from_array(matrix, f"w{layer}"))
        weights.append(numpy_helper.from_array(np.zeros(units, np.float32), f"b{layer}"))
        nodes.append(helper.make_node("Gemm", [name, f"w{layer}", f"b{layer}"], [f"h{layer}"]))
        is_last = layer == len(layers) - 2
        kind, name = ("Softmax", "p") if is_last else ("Relu", f"r{layer}")
        nodes.append(helper.make_node(kind, [f"h{layer}"], [name]))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", layers[0]])]
    outputs = [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["N", layers[-1]])]
    return BenchModel(
        model,
        _serialise(nodes, inputs, outputs, weights),
        np.random.default_rng(0).standard_normal((1, layers[0])).astype(np.float32),
        TensorSpec("x", "FP32", (-1, layers[0])),
        TensorSpec("p", "FP32", (-1, layers[-1])),
    )


def mobile_net() -> BenchModel:
    """Return a network with the shape of MobileNet v1 that takes a picture as bytes: about 12 milliseconds."""
    rng = np.random.default_rng(2)
    nodes = [
        helper.make_node("Cast", ["x"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["cast"], ["planes"], perm=[0, 3, 1, 2]),
    ]
    weights: list[TensorProto] = []
    last, channels = _convolution(nodes, weights, "planes", (32, 3, 3, 3), stride=2, rng=rng), 32
    for stride, width in _STRIDES_AND_WIDTHS:
        last = _convolution(nodes, weights, last, (channels, 1, 3, 3), stride=stride, rng=rng, group=channels)
        last = _convolution(nodes, weights, last, (width, channels, 1, 1), stride=1, rng=rng)
        channels = width
    weights.append(numpy_helper.from_array((rng.standard_normal((channels, CLASSES)) * 0.01).astype(np.float32), "w"))
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("MatMul", ["features", "w"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["p"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", *IMAGE])]
    outputs = [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["N", CLASSES])]
    return BenchModel(
        "cnn",
        _serialise(nodes, inputs, outputs, weights),
        np.random.default_rng(3).integers(0, 256, (1, *IMAGE), np.uint8),
        TensorSpec("x", "UINT8", (-1, *IMAGE)),
        TensorSpec("p", "FP32", (-1, CLASSES)),
    )


def _convolution(
    nodes: list[NodeProto],
    weights: list[TensorProto],
    source: str,
    shape: tuple[int, int, int, int],
    *,
    stride: int,
    rng: np.random.Generator,
    group: int = 1,
) -> str:
    name = f"c{len(nodes)}"
    fan_in = shape[1] * shape[2] * shape[3]
    kernel = (rng.standard_normal(shape) * (2 / fan_in) ** 0.5).astype(np.float32)
    weights.append(numpy_helper.from_array(kernel, f"{name}w"))
    nodes.append(
        helper.make_node(
            "Conv", [source, f"{name}w"], [name], strides=[stride, stride], pads=[shape[2] // 2] * 4, group=group
        )
    )
    nodes.append(helper.make_node("Relu", [name], [f"{name}r"]))
    return f"{name}r"


def _serialise(
    nodes: list[NodeProto], inputs: list[ValueInfoProto], outputs: list[ValueInfoProto], weights: list[TensorProto]
) -> bytes:
    graph = helper.make_graph(nodes, "bench", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def open_session(content: bytes) -> "onnxruntime.InferenceSession":
    """Return a session on one thread, as the measured server has it on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def write_node(data: Path, models: list[BenchModel]) -> None:
    """Write a node's directory with these models committed."""
    active = {model.name: ActiveModel("1", str(write_version(data, model, "1"))) for model in models}
    (data / "active.json").write_bytes(msgspec.json.encode(ActiveModels(models=active)))


def write_version(data: Path, model: BenchModel, version: str) -> Path:
    """Write a version's package into a node's directory."""
    expected = open_session(model.content).run([model.output.name], {model.input.name: model.row})[0]
    files = {"model.onnx": model.content, "x.npy": npy.encode(model.row), "p.npy": npy.encode(expected)}
    manifest = Manifest(
        name=ModelName(model.name),
        version=Version(version),
        inputs=(model.input,),
        outputs=(model.output,),
        labels=tuple(str(number) for number in range(model.output.shape[-1])),
        prediction=Classification(model.output.name),
        golden=Golden({model.input.name: "x.npy"}, {model.output.name: "p.npy"}),
        members={name: describe_member(member) for name, member in files.items()},
    )
    package = data / "packages" / model.name / version
    write_package(package, manifest, files)
    return package
