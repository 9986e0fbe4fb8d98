"""ONNX Runtime: sessions on the hardware that the package asks for, and its exceptions as ours.

A package holds one ONNX file with its weights inside. The file is loaded by path, never from bytes:
then the runtime itself refuses weights in files outside the package's directory, and the package
holds no file that its manifest does not list.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import onnxruntime  # type: ignore[import-untyped]  # it ships no types

from ganglion.adapters.onnxruntime.engine import ERRORS, OnnxEngine, line
from ganglion.core.engine_options import EngineOptions, Provider, RuntimeName
from ganglion.core.errors import InvalidPackage, TargetMismatch
from ganglion.core.manifest import TensorSpec
from ganglion.ports.runtime import DEFAULT_OPTIONS, Unloaded, ignore_unload

__all__ = ["OnnxEngine", "OnnxRuntime", "describe", "provider_entries"]

_FATAL_ONLY = 4  # whatever the runtime has to say is in the exception
_PROVIDERS: dict[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_OPTIMISATIONS = {
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}

ProviderEntry: TypeAlias = tuple[str, dict[str, str]]


class OnnxRuntime:
    """Implements `ports.runtime.Runtime`."""

    name: RuntimeName = "onnxruntime"

    def __init__(self, unloaded: Unloaded = ignore_unload) -> None:
        self._unloaded = unloaded

    def load(self, path: Path, *, threads: int, options: EngineOptions = DEFAULT_OPTIONS) -> OnnxEngine:
        """Load a model file. Raises: InvalidPackage: it cannot be run. TargetMismatch: not on this machine."""
        asked = options.providers
        entries = provider_entries(options, onnxruntime.get_available_providers())
        session = _open(path, entries, _session_options(options, options.threads or threads))
        # An accelerator without its driver is left out in silence, and the processor put in its place.
        used = session.get_providers()
        provider = next((wish for wish in asked if _PROVIDERS[wish] in used), None)
        if provider is None:
            raise TargetMismatch(f"the package runs on {' or '.join(asked)}, which ONNX Runtime cannot use here")
        return OnnxEngine(session, provider, self._unloaded)


def describe(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return the inputs and outputs that a model file declares; a size that it leaves open is -1.

    Raises: InvalidPackage: ONNX Runtime cannot load it, or a value is not a tensor of numbers.
    """
    engine = OnnxRuntime().load(path, threads=1)
    return engine.inputs, engine.outputs


def provider_entries(options: EngineOptions, available: Collection[str]) -> list[ProviderEntry]:
    """Return the wanted providers that this build of ONNX Runtime has, with their options, in the wanted order.

    Raises: TargetMismatch: it has none of them.
    """
    present = [wish for wish in options.providers if _PROVIDERS[wish] in available]
    if not present:
        wanted = " or ".join(options.providers)
        raise TargetMismatch(f"the package runs on {wanted}; this ONNX Runtime has {', '.join(sorted(available))}")
    return [(_PROVIDERS[wish], _provider_options(wish, options)) for wish in present]


def _provider_options(provider: Provider, options: EngineOptions) -> dict[str, str]:
    bytes_max = str(options.device_memory_bytes_max)
    match provider:
        case "cuda":
            return {"gpu_mem_limit": bytes_max, "arena_extend_strategy": "kSameAsRequested"}
        case "tensorrt":
            return {"trt_max_workspace_size": bytes_max}
        case _:
            return {}


def _session_options(options: EngineOptions, threads: int) -> Any:  # noqa: ANN401 - it ships no types
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = threads
    chosen.inter_op_num_threads = 1
    chosen.log_severity_level = _FATAL_ONLY
    chosen.enable_cpu_mem_arena = options.memory_arena
    chosen.graph_optimization_level = _OPTIMISATIONS[options.graph_optimisation]
    # Idle threads that spin take the cores from the programs that the node was bought for.
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Its own format is chosen by suffix otherwise, and has no checks of its contents.
    chosen.add_session_config_entry("session.load_model_format", "ONNX")
    return chosen


def _open(path: Path, entries: Sequence[ProviderEntry], chosen: Any) -> Any:  # noqa: ANN401 - it ships no types
    try:
        # Its own way to fall back prints to standard output, and is not told which providers are wanted.
        return onnxruntime.InferenceSession(str(path), chosen, providers=list(entries), enable_fallback=0)
    except ERRORS as error:
        if len(entries) > 1:
            return _open(path, entries[1:], chosen)
        reason = line(error).replace(f"Load model from {path} failed:", "")
        hint = "; save the model as one file, with its weights inside" if "External data" in str(error) else ""
        raise InvalidPackage(f"ONNX Runtime cannot load {path.name}: {reason}{hint}") from error
