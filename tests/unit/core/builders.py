"""Builders that hide what a test of packages does not care about."""

from typing import Any

import msgspec
import numpy as np

from ganglion.core import npy
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Classification, Golden, Limits, Manifest, TensorSpec, describe_member
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import Tensor, Tensors

GOLDEN_INPUT = np.array([[1, 0, 0], [0, 1, 0]], np.float32)


def one_hot(feeds: Tensors) -> Tensors:
    """Answer as a model whose probabilities are its inputs."""
    return {"scores": feeds["x"]}


def files(model: bytes = b"weights") -> dict[str, bytes]:
    golden = npy.encode(GOLDEN_INPUT)
    return {"model.onnx": model, "golden/inputs/0.npy": golden, "golden/outputs/0.npy": golden}


def a_manifest(members: dict[str, bytes] | None = None, **changes: Any) -> Manifest:
    manifest = Manifest(
        name=ModelName("meter"),
        version=Version("1"),
        inputs=(TensorSpec("x", "FP32", (-1, 3)),),
        outputs=(TensorSpec("scores", "FP32", (-1, 3)),),
        labels=("low", "mid", "high"),
        prediction=Classification(output="scores"),
        limits=Limits(batch_max=4),
        golden=Golden({"x": "golden/inputs/0.npy"}, {"scores": "golden/outputs/0.npy"}),
        members={path: describe_member(data) for path, data in (members or files()).items()},
    )
    return msgspec.structs.replace(manifest, **changes)


def a_pipeline(**changes: Any) -> Pipeline:
    return Pipeline(a_manifest(**changes), one_hot)


def rows(*values: tuple[float, ...]) -> Tensor:
    return np.array(values, np.float32)
