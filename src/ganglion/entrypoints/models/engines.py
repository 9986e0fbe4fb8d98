"""Which runtimes this installation has, which one runs a file, and how a package's model is loaded.

A runtime is imported when the first model needs it: a node that serves ONNX files pays nothing for the others.
"""

import importlib
from importlib import util
from pathlib import Path
from typing import cast, get_args

from ganglion.adapters import freed_memory
from ganglion.core.engine_options import RuntimeName
from ganglion.core.errors import InvalidRequest, MissingExtra
from ganglion.core.manifest import Target
from ganglion.ports.runtime import Engine, ModelDescription, Runtime

RUNTIMES: tuple[RuntimeName, ...] = get_args(RuntimeName)
_CLASSES: dict[RuntimeName, tuple[str, str]] = {
    "onnxruntime": ("ganglion.adapters.onnxruntime", "OnnxRuntime"),
    "openvino": ("ganglion.adapters.openvino", "OpenVinoRuntime"),
    "litert": ("ganglion.adapters.litert", "LiteRtRuntime"),
}
_LIBRARIES: dict[RuntimeName, str] = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "litert": "ai_edge_litert",
}
_RUNTIME_OF_SUFFIX: dict[str, RuntimeName] = {".onnx": "onnxruntime", ".tflite": "litert", ".xml": "openvino"}
MODEL_SUFFIXES: tuple[str, ...] = tuple(_RUNTIME_OF_SUFFIX)
WEIGHTS_SUFFIX = ".bin"
"""An OpenVINO model is two files of one name; the other one is the .xml."""


def runtime_for(name: str) -> Runtime:
    """Return the runtime of this name. Raises: MissingExtra: it is not installed. InvalidRequest: there is none."""
    chosen = parse_runtime(name)
    if not _is_installed(chosen):
        raise MissingExtra(f"the runtime {chosen} is not installed: pip install 'ganglion[{chosen}]'")
    module, kind = _CLASSES[chosen]
    return cast("Runtime", getattr(importlib.import_module(module), kind)(freed_memory.give_back))


def parse_runtime(name: str) -> RuntimeName:
    """Return the name as one of ours. Raises: InvalidRequest: there is no such runtime."""
    if name not in RUNTIMES:
        raise InvalidRequest(f"there is no runtime {name!r}; choose from {', '.join(RUNTIMES)}")
    return name


def available_runtimes() -> tuple[RuntimeName, ...]:
    """Return the runtimes that are installed here, the one of the base install first. Nothing is imported."""
    return tuple(name for name in RUNTIMES if _is_installed(name))


def runtime_of_file(path: Path) -> RuntimeName:
    """Return the runtime for a bare model file. Raises: InvalidRequest: it is no model file that anybody here runs."""
    runtime = _RUNTIME_OF_SUFFIX.get(path.suffix.lower())
    if runtime is None:
        known = ", ".join(_RUNTIME_OF_SUFFIX)
        raise InvalidRequest(f"{path.name} is no model file by its name: models end in {known}")
    return runtime


def describe(path: Path, *, runtime: RuntimeName | None = None) -> ModelDescription:
    """Return what a model file says of itself, by its own runtime or the one given.

    Raises: InvalidRequest, InvalidPackage, MissingExtra.
    """
    name = runtime or runtime_of_file(path)
    engine = runtime_for(name).load(path, threads=1)
    return ModelDescription(name, engine.inputs, engine.outputs, engine.is_stateful)


def load_engine(target: Target, path: Path, *, threads: int) -> Engine:
    """Load a package's model as its target says; `threads` counts when the target leaves them open.

    Raises: InvalidPackage, TargetMismatch, MissingExtra.
    """
    return runtime_for(target.runtime).load(path, threads=threads, options=target.options)


def _is_installed(runtime: RuntimeName) -> bool:
    return util.find_spec(_LIBRARIES[runtime]) is not None
