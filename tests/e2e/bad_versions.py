"""A classifier of known answers, and the four ways in which its next versions are bad.

Every version takes rows of eight features, a mark of the site, and a mark that one row in 500 has.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession  # type: ignore[import-untyped]  # it ships no types

from ganglion.adapters.package_files import pack, write_package
from ganglion.core import npy
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Classification, Golden, Manifest, TensorSpec, describe_member
from ganglion.testing.traffic import Row

MODEL = "sorter"
LABELS = ("apple", "pear", "plum")
GOOD = "1"
RARE_EVERY = 500
FEATURES = 8
_COLUMNS = FEATURES + 2
_SITE, _MARK = FEATURES, FEATURES + 1
_WIDTH, _ROWS, LAYERS = 256, 64, 48
"""Work that changes no answer: without it a model of this size takes no time that a clock could tell."""
_GOLDEN_ROWS = 4

Floats = NDArray[np.float32]
_Tensors = dict[str, NDArray[np.generic]]


class Fault(StrEnum):
    """What is wrong with a version. Each passes its own golden inputs, as it would if its maker knew of nothing."""

    SWAPPED = "swapped-labels"
    SLOW = "twice-as-slow"
    CRASHING = "crashes-on-one-in-500"
    ONE_SITE = "wrong-on-one-site"


def rows_of(site: int, *, seed: int) -> list[Row]:
    """Return what a client of a site sends, with the answers of the good version as the truth."""
    values = np.random.default_rng(seed).standard_normal((RARE_EVERY, _COLUMNS)).astype(np.float32)
    values[:, _SITE], values[:, _MARK] = site, 1.0
    values[RARE_EVERY // 2, _MARK] = -1.0
    truths = (values[:, :FEATURES] @ _weights()).argmax(axis=1)
    return [
        Row(key=number, values=tuple(map(float, row)), truth=LABELS[truth])
        for number, (row, truth) in enumerate(zip(values, truths, strict=True))
    ]


def package(directory: Path, fault: Fault | None = None, *, site: int = 0, layers: int = LAYERS) -> Path:
    """Write the good version, or one with a fault, and return its package file.

    `site`: where `ONE_SITE` is wrong. `layers`: how much the good version works, for those whom its time matters to.
    """
    version = fault.value if fault else GOOD
    content = _model(fault, site, layers)
    rows = np.ones((_GOLDEN_ROWS, _COLUMNS), np.float32)
    rows[:, :FEATURES] = np.random.default_rng(9).standard_normal((_GOLDEN_ROWS, FEATURES))
    rows[:, _SITE] = -1.0
    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    files = {
        "model.onnx": content,
        "pixels.npy": npy.encode(rows),
        "scores.npy": npy.encode(np.asarray(session.run(None, {"pixels": rows})[0])),
    }
    manifest = Manifest(
        name=ModelName(MODEL),
        version=Version(version),
        inputs=(TensorSpec("pixels", "FP32", (-1, _COLUMNS)),),
        outputs=(TensorSpec("scores", "FP32", (-1, len(LABELS))),),
        labels=LABELS,
        prediction=Classification("scores"),
        golden=Golden({"pixels": "pixels.npy"}, {"scores": "scores.npy"}),
        members={path: describe_member(data) for path, data in files.items()},
    )
    write_package(directory / version, manifest, files)
    file = directory / f"{version}.ganglion"
    pack(directory / version, file)
    return file


def _weights() -> Floats:
    return (3.0 * np.random.default_rng(1).standard_normal((FEATURES, len(LABELS)))).astype(np.float32)


def _model(fault: Fault | None, site: int, layers: int) -> bytes:
    tensors: _Tensors = {
        "weights": _weights()[:, [1, 0, 2]] if fault is Fault.SWAPPED else _weights(),
        "turned": _weights()[:, [1, 2, 0]],
        "site": np.array([site], np.float32),
        "widen": np.ones((FEATURES, _WIDTH), np.float32),
        "idle": np.zeros((_WIDTH, _WIDTH), np.float32),
        "narrow": np.ones((_WIDTH, len(LABELS)), np.float32),
        # The one quotient of 32-bit numbers that does not fit: an x86 processor ends the process that asks for it.
        "lowest": np.full((1, 1), -(2**31), np.int32),
        "nought": np.zeros(1, np.float32),
        **{f"from_{column}": np.array([column], np.int64) for column in (0, _SITE, _MARK)},
        **{f"to_{column}": np.array([column], np.int64) for column in (_SITE, _MARK, _COLUMNS)},
        "axis": np.array([1], np.int64),
        "first": np.array([0], np.int64),
        "rows": np.array([_ROWS, 1], np.int64),
    }
    nodes = [
        _cut("features", 0, _SITE),
        helper.make_node("MatMul", ["features", "weights"], ["right"]),
        *_work("features", 2 * layers if fault is Fault.SLOW else layers),
        helper.make_node("Add", ["right", "worked"], ["sums"]),
    ]
    last = "sums"
    if fault is Fault.ONE_SITE:
        nodes += [
            _cut("of", _SITE, _MARK),
            helper.make_node("MatMul", ["features", "turned"], ["wrong"]),
            helper.make_node("Equal", ["of", "site"], ["is_there"]),
            helper.make_node("Where", ["is_there", "wrong", "sums"], ["chosen"]),
        ]
        last = "chosen"
    if fault is Fault.CRASHING:
        nodes += [
            _cut("mark", _MARK, _COLUMNS),
            helper.make_node("Cast", ["mark"], ["whole"], to=TensorProto.INT32),
            helper.make_node("Div", ["lowest", "whole"], ["quotient"]),
            helper.make_node("Cast", ["quotient"], ["number"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["number", "nought"], ["nothing"]),
            helper.make_node("Add", ["sums", "nothing"], ["unharmed"]),
        ]
        last = "unharmed"
    nodes.append(helper.make_node("Softmax", [last], ["scores"], axis=-1))
    return _encoded(nodes, tensors)


def _cut(name: str, begin: int, end: int) -> NodeProto:
    return helper.make_node("Slice", ["pixels", f"from_{begin}", f"to_{end}", "axis"], [name])


def _work(source: str, layers: int) -> list[NodeProto]:
    names = ["many", *(f"layer_{number}" for number in range(layers))]
    turns = [helper.make_node("MatMul", [names[turn], "idle"], [names[turn + 1]]) for turn in range(layers)]
    return [
        helper.make_node("MatMul", [source, "widen"], ["wide"]),
        helper.make_node("Tile", ["wide", "rows"], ["many"]),
        *turns,
        helper.make_node("MatMul", [names[-1], "narrow"], ["noughts"]),
        helper.make_node("ReduceSum", ["noughts", "first"], ["worked"]),
    ]


def _encoded(nodes: Sequence[NodeProto], tensors: _Tensors) -> bytes:
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "sorter",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", _COLUMNS])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", len(LABELS)])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
