"""OpenVINO: its own model files (.xml with .bin) and ONNX files, on Intel's and other processors. Extra `openvino`.

Not for TFLite files: OpenVINO computes quantised layers with real numbers, and its answers were up to 41 quanta away
from those of the runtime that such files were made for.
"""

import functools
import threading
from pathlib import Path
from typing import Any

import openvino  # type: ignore[import-untyped]  # it ships no types

from ganglion.core import feeds as model_feeds
from ganglion.core.engine_options import EngineOptions, Provider, RuntimeName
from ganglion.core.errors import InvalidPackage, TargetMismatch
from ganglion.core.manifest import TensorSpec
from ganglion.core.serving_errors import ModelFailed
from ganglion.core.steps import Datatype, Tensors
from ganglion.ports.runtime import DEFAULT_OPTIONS, Unloaded, ignore_unload

_SUFFIXES = {".xml", ".onnx"}
_DEVICES: dict[Provider, str] = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU"}
_ERRORS: tuple[type[Exception], ...] = (RuntimeError, ValueError, TypeError, KeyError, MemoryError)
_DATATYPES: dict[str, Datatype] = {
    "boolean": "BOOL",
    "u8": "UINT8",
    "u16": "UINT16",
    "u32": "UINT32",
    "u64": "UINT64",
    "i8": "INT8",
    "i16": "INT16",
    "i32": "INT32",
    "i64": "INT64",
    "f16": "FP16",
    "f32": "FP32",
    "f64": "FP64",
}


class OpenVinoEngine:
    """One request of a compiled model. Implements `ports.runtime.Engine`; calls wait for each other."""

    is_parallel = False

    def __init__(
        self,
        compiled: Any,  # noqa: ANN401 - it ships no types
        provider: Provider,
        *,
        unloaded: Unloaded = ignore_unload,
        remembers: bool = False,
    ) -> None:
        self._compiled, self._remembers, self._unloaded = compiled, remembers, unloaded
        self._request: Any = None
        self._lock = threading.Lock()
        self._request = compiled.create_infer_request()
        self.provider = provider
        self.is_stateful = bool(self._request.query_state())
        self.inputs = tuple(_spec(port, f"input{index}") for index, port in enumerate(compiled.inputs))
        self.outputs = tuple(_spec(port, f"output{index}") for index, port in enumerate(compiled.outputs))
        self._specs = {spec.name: spec for spec in self.inputs}

    def infer(self, feeds: Tensors) -> Tensors:
        """Return every output by name.

        Raises: InvalidRequest: the model does not take these tensors. ModelFailed: the runtime failed on them.
        """
        model_feeds.check(self._specs, feeds)
        values = {index: feeds[spec.name] for index, spec in enumerate(self.inputs)}
        with self._lock:
            try:
                if self.is_stateful and not self._remembers:
                    self._request.reset_state()
                # Inputs are read where they are; outputs are copied, for the next call writes over them.
                results = self._request.infer(values, share_inputs=True).to_tuple()
            except _ERRORS as error:
                self._request = self._compiled.create_infer_request()
                raise ModelFailed(f"OpenVINO failed: {_line(error)}") from error
        return {spec.name: result for spec, result in zip(self.outputs, results, strict=True)}

    def __del__(self) -> None:
        self._request = self._compiled = None
        self._unloaded()

    def open_sequence(self) -> "OpenVinoEngine":
        """Return a request of its own that goes on from its last state; the weights are shared."""
        if not self.is_stateful:
            return self
        return OpenVinoEngine(self._compiled, self.provider, remembers=True)

    def reset(self) -> None:
        """Go back to the state in the file."""
        with self._lock:
            self._request.reset_state()


class OpenVinoRuntime:
    """Implements `ports.runtime.Runtime`."""

    name: RuntimeName = "openvino"

    def __init__(self, unloaded: Unloaded = ignore_unload) -> None:
        self._unloaded = unloaded

    def load(self, path: Path, *, threads: int, options: EngineOptions = DEFAULT_OPTIONS) -> OpenVinoEngine:
        """Load a model file. Raises: InvalidPackage: OpenVINO cannot run it. TargetMismatch: not on this machine."""
        if path.suffix not in _SUFFIXES:
            raise InvalidPackage(f"OpenVINO runs files that end in {' or '.join(sorted(_SUFFIXES))}, not {path.name}")
        provider = _choose(options)
        try:
            # By path, never from bytes: then OpenVINO refuses weights in files outside the package's directory.
            model, config = _core().read_model(str(path)), _config(options.threads or threads, provider)
            compiled = _core().compile_model(model, _DEVICES[provider], config)
            return OpenVinoEngine(compiled, provider, unloaded=self._unloaded)
        except _ERRORS as error:
            raise InvalidPackage(f"OpenVINO cannot load {path.name}: {_line(error)}") from error


@functools.cache
def _core() -> Any:  # noqa: ANN401 - it ships no types
    """Return the one core of this process: it loads a device's library once, which takes time and memory."""
    return openvino.Core()


def _choose(options: EngineOptions) -> Provider:
    """Return the first wanted provider that this machine has. Raises: TargetMismatch."""
    # To list the devices loads the libraries of all of them.
    devices = {"CPU"} if options.providers[0] == "cpu" else {name.split(".")[0] for name in _core().available_devices}
    for provider in options.providers:
        if _DEVICES[provider] in devices:
            return provider
    raise TargetMismatch(f"the package runs on {' or '.join(options.providers)}; OpenVINO finds {sorted(devices)}")


def _config(threads: int, provider: Provider) -> dict[str, object]:
    config: dict[str, object] = {"PERFORMANCE_HINT": "LATENCY"}
    if provider == "cpu":
        # Real numbers at their full width, on processors with shorter ones too: answers are proved against the
        # package's golden outputs. Threads are not pinned, for other programs run on these cores.
        config |= {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}
    return config


def _spec(port: Any, otherwise: str) -> TensorSpec:  # noqa: ANN401 - it ships no types
    # A tensor may have several names, in no order; the least of them is the same on every machine.
    name = min(port.names, default=otherwise)
    kind = port.element_type.get_type_name()
    if kind not in _DATATYPES:
        raise InvalidPackage(f"{name!r} is a tensor of {kind}: only tensors of numbers can be served")
    if port.partial_shape.rank.is_dynamic:
        raise InvalidPackage(f"{name!r} does not say how many dimensions it has")
    shape = tuple(-1 if size.is_dynamic else size.get_length() for size in port.partial_shape)
    return TensorSpec(name=name, datatype=_DATATYPES[kind], shape=shape)


def _line(error: Exception) -> str:
    """Return the end of the message in one line: the first lines name places in OpenVINO's source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[-2:])[-500:]
