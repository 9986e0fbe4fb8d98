"""The same small models as files of each runtime, and where to find real ones."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray
from openvino import opset6, opset13
from openvino.op.util import Variable, VariableInfo  # type: ignore[import-untyped]  # it ships no types

from contract import tflite_models
from ganglion.core.engine_options import RuntimeName
from integration import models as onnx_models

SHARED_MODELS = Path(__file__).parents[3] / "shared" / "data" / "models"
"""Real models with golden outputs, on machines that have them."""


@dataclass(frozen=True)
class ModelKind:
    """A runtime, and how to write a classifier that it runs."""

    runtime: RuntimeName
    file_name: str
    write: Callable[[Path], Path]

    def in_folder(self, folder: Path) -> Path:
        return self.write(folder / self.file_name)


def openvino_classifier(path: Path) -> Path:
    """Write an .xml and a .bin."""
    return _converted(onnx_models.classifier(path.with_suffix(".onnx")), path)


def large_onnx(path: Path) -> Path:
    """Write a model whose weights are 4 MiB."""
    return onnx_models.layer(path, np.random.default_rng(0).random((1024, 1024), np.float32))


def large_openvino(path: Path) -> Path:
    """Write the same layer as an .xml and a .bin."""
    return _converted(large_onnx(path.with_suffix(".onnx")), path)


def large_tflite(path: Path) -> Path:
    """Write the same layer as a TFLite file."""
    return tflite_models.layer(path, np.random.default_rng(0).random((1024, 1024), np.float32))


def _converted(source: Path, path: Path) -> Path:
    openvino.save_model(openvino.Core().read_model(str(source)), str(path), compress_to_fp16=False)
    source.unlink()
    return path


def openvino_sum(path: Path) -> Path:
    """Write a model whose state is the sum of all inputs so far: y = state = x + state."""
    described = VariableInfo()
    described.data_shape, described.data_type = openvino.PartialShape([1, 2]), openvino.Type.f32
    described.variable_id = "sum"
    variable = Variable(described)
    x = opset13.parameter([1, 2], np.float32, name="x")
    x.output(0).set_names({"x"})
    y = opset13.add(x, opset6.read_value(opset13.constant(np.zeros((1, 2), np.float32)), variable))
    y.output(0).set_names({"y"})
    model = openvino.Model([opset13.result(y)], [opset6.assign(y, variable)], [x], "sum")
    openvino.save_model(model, str(path), compress_to_fp16=False)
    return path


CLASSIFIERS = (
    ModelKind("onnxruntime", "m.onnx", onnx_models.classifier),
    ModelKind("openvino", "m.xml", openvino_classifier),
    ModelKind("openvino", "m.onnx", onnx_models.classifier),
    ModelKind("litert", "m.tflite", tflite_models.classifier),
)
"""Three classes from three features, any number of rows; input x, output scores."""

STATEFUL = (
    ModelKind("openvino", "m.xml", openvino_sum),
    ModelKind("litert", "m.tflite", tflite_models.running_sum),
    ModelKind("litert", "variable.tflite", tflite_models.resource_sum),
)
"""y = the sum of all x so far, [1, 2]."""


def scores_of(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what the classifier answers, computed without any runtime."""
    powers = np.exp(4.0 * rows.astype(np.float64))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
