"""Packages around model files, and sandboxes to try them in."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from ganglion.adapters.package_files import write_package
from ganglion.adapters.sandbox import ProcessSandbox
from ganglion.core import npy
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Golden, Limits, Manifest, TensorSpec, describe_member
from ganglion.core.steps import Tensor
from ganglion.entrypoints.processes.sandboxes import open_sandbox
from ganglion.ports.sandbox_limits import SandboxLimits
from ganglion.trust.model_files.limits import ModelFileLimits

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def package_of(
    directory: Path,
    model: ModelProto | bytes,
    *,
    limits: Limits | None = None,
    expected: Tensor = ROWS,
    others: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a package whose model takes x [N, 3] and should give `expected`; return its directory."""
    data = model if isinstance(model, bytes) else model.SerializeToString()
    files = {"model.onnx": data, "x.npy": npy.encode(ROWS), "y.npy": npy.encode(expected), **(others or {})}
    manifest = Manifest(
        name=ModelName("meter"),
        version=Version("2"),
        inputs=(TensorSpec("x", "FP32", (-1, 3)),),
        outputs=(TensorSpec("y", "FP32", (-1, 3)),),
        limits=limits or Limits(),
        golden=Golden({"x": "x.npy"}, {"y": "y.npy"}),
        members={path: describe_member(content) for path, content in files.items()},
    )
    write_package(directory, manifest, files)
    return directory


def a_sandbox(**limits: Any) -> ProcessSandbox:
    """Return a real sandbox with these limits."""
    return open_sandbox(SandboxLimits(**limits), ModelFileLimits())


def a_sandbox_with(script: str, **limits: Any) -> ProcessSandbox:
    """Return a sandbox whose child runs `script` instead; it stands for what native code may come to do."""
    return ProcessSandbox(
        command=(sys.executable, "-c", script),
        environment={},
        limits=SandboxLimits(**limits),
        gate=ModelFileLimits(),
    )
