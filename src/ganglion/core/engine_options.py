"""How a runtime runs one model: what a package may ask for, and which runtime understands which wish."""

from typing import Annotated, Literal, TypeAlias

import msgspec

from ganglion.core.errors import InvalidPackage

RuntimeName: TypeAlias = Literal["onnxruntime", "openvino", "litert"]
Provider: TypeAlias = Literal["cpu", "cuda", "tensorrt", "gpu", "npu"]
"""The hardware, and the library that drives it. "gpu" and "npu" are Intel's, by way of OpenVINO."""
GraphOptimisation: TypeAlias = Literal["none", "basic", "extended", "all"]

THREADS_MAX = 256
PROVIDERS_OF: dict[RuntimeName, frozenset[Provider]] = {
    "onnxruntime": frozenset({"cpu", "cuda", "tensorrt"}),
    "openvino": frozenset({"cpu", "gpu", "npu"}),
    "litert": frozenset({"cpu"}),
}
_OPTIMISATIONS_OF: dict[RuntimeName, frozenset[GraphOptimisation]] = {
    "onnxruntime": frozenset({"none", "basic", "extended", "all"}),
    "openvino": frozenset({"all"}),
    # Without optimisation it leaves XNNPACK out and runs its own kernels.
    "litert": frozenset({"none", "all"}),
}


class EngineOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a package asks of its runtime. The defaults suit one request at a time on a CPU."""

    threads: Annotated[int, msgspec.Meta(ge=0, le=THREADS_MAX)] = 0
    """Threads that one request may use; 0 means what the settings of the node say."""
    providers: Annotated[tuple[Provider, ...], msgspec.Meta(min_length=1, max_length=5)] = ("cpu",)
    """In order of preference. One that the machine lacks is passed over; a machine that has none refuses the model."""
    graph_optimisation: GraphOptimisation = "all"
    memory_arena: bool = True
    """Keep freed memory for the next request: faster, but a model keeps the most that it ever used."""
    device_memory_bytes_max: Annotated[int, msgspec.Meta(ge=0)] = 2_000_000_000
    """What the model may take of an accelerator's memory (CUDA, TensorRT)."""


def check(options: EngineOptions, runtime: RuntimeName) -> None:
    """Refuse a wish that the runtime would silently ignore. Raises: InvalidPackage."""
    foreign = [provider for provider in options.providers if provider not in PROVIDERS_OF[runtime]]
    if foreign or len(set(options.providers)) != len(options.providers):
        known = ", ".join(sorted(PROVIDERS_OF[runtime]))
        raise InvalidPackage(f"providers are {list(options.providers)}; {runtime} has {known}, each at most once")
    if options.graph_optimisation not in _OPTIMISATIONS_OF[runtime]:
        raise InvalidPackage(f"graph_optimisation {options.graph_optimisation!r} means nothing to {runtime}")
    if not options.memory_arena and runtime != "onnxruntime":
        raise InvalidPackage(f"memory_arena can be switched off for onnxruntime only, not for {runtime}")
