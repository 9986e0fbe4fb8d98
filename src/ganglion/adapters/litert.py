"""LiteRT: TFLite files on the CPU, quantised ones with whole numbers, as they were made to be run. Extra `litert`."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import (  # type: ignore[import-untyped]  # it ships no types
    Interpreter,
    OpResolverType,
)
from flatbuffers import encode, number_types, table  # type: ignore[import-untyped]  # it ships no types

from ganglion.core import feeds as model_feeds
from ganglion.core.engine_options import EngineOptions, Provider, RuntimeName
from ganglion.core.errors import InvalidPackage, TargetMismatch
from ganglion.core.manifest import TensorSpec
from ganglion.core.serving_errors import ModelFailed
from ganglion.core.steps import DATATYPES, Tensors
from ganglion.ports.runtime import DEFAULT_OPTIONS, Unloaded, ignore_unload

_ERRORS: tuple[type[Exception], ...] = (RuntimeError, ValueError, TypeError, MemoryError)
_SIGNATURE = "serving_default"


@dataclass(frozen=True, slots=True)
class _Source:
    """All that is needed to make the same interpreter again."""

    path: Path
    threads: int
    has_xnnpack: bool

    def open(self) -> Any:  # noqa: ANN401 - it ships no types
        kernels = OpResolverType.AUTO if self.has_xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        threads = self.threads or None
        interpreter = Interpreter(str(self.path), num_threads=threads, experimental_op_resolver_type=kernels)
        interpreter.allocate_tensors()
        return interpreter


class LiteRtEngine:
    """One interpreter. Implements `ports.runtime.Engine`; calls wait for each other."""

    is_parallel = False
    provider: Provider = "cpu"

    def __init__(self, source: _Source, *, unloaded: Unloaded = ignore_unload, remembers: bool = False) -> None:
        self._source, self._remembers, self._unloaded = source, remembers, unloaded
        self._interpreter: Any = None
        self._lock = threading.Lock()
        self._interpreter = source.open()
        ins, outs = _ports(self._interpreter)
        self.inputs, self.outputs = tuple(spec for spec, _ in ins), tuple(spec for spec, _ in outs)
        self._specs = {spec.name: spec for spec in self.inputs}
        self._ins = [(spec.name, index) for spec, index in ins]
        self._outs = [(spec.name, index) for spec, index in outs]
        self._shapes = _shapes(self._interpreter)
        self._has_resources = _has_resources(self._interpreter)
        self.is_stateful = self._has_resources or _has_variables(source.path)

    def infer(self, feeds: Tensors) -> Tensors:
        """Return every output by name.

        Raises: InvalidRequest: the model does not take these tensors. ModelFailed: the runtime failed on them.
        """
        model_feeds.check(self._specs, feeds)
        with self._lock:
            try:
                if self.is_stateful and not self._remembers:
                    self._forget()
                return self._run(feeds)
            except _ERRORS as error:
                # An interpreter that failed half-way is not fit for the next request.
                self._renew()
                raise ModelFailed(f"LiteRT failed: {_line(error)}") from error

    def __del__(self) -> None:
        self._interpreter = None
        self._unloaded()

    def open_sequence(self) -> "LiteRtEngine":
        """Return an interpreter of its own that goes on from its last state."""
        return LiteRtEngine(self._source, remembers=True) if self.is_stateful else self

    def reset(self) -> None:
        """Go back to the state in the file."""
        with self._lock:
            self._forget()

    def _run(self, feeds: Tensors) -> Tensors:
        interpreter = self._interpreter
        shapes = [feeds[name].shape for name, _ in self._ins]
        if shapes != self._shapes:
            for (_, index), shape in zip(self._ins, shapes, strict=True):
                interpreter.resize_tensor_input(index, shape)
            interpreter.allocate_tensors()
            self._shapes = shapes
        for name, index in self._ins:
            interpreter.set_tensor(index, feeds[name])
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in self._outs}

    def _forget(self) -> None:
        if self._has_resources:
            # Resource variables live beside the graph, where `reset_all_variables` does not reach.
            self._renew()
        else:
            self._interpreter.reset_all_variables()

    def _renew(self) -> None:
        self._interpreter = self._source.open()
        self._shapes = _shapes(self._interpreter)


class LiteRtRuntime:
    """Implements `ports.runtime.Runtime`."""

    name: RuntimeName = "litert"

    def __init__(self, unloaded: Unloaded = ignore_unload) -> None:
        self._unloaded = unloaded

    def load(self, path: Path, *, threads: int, options: EngineOptions = DEFAULT_OPTIONS) -> LiteRtEngine:
        """Load a model file. Raises: InvalidPackage: LiteRT cannot run it. TargetMismatch: not on this machine."""
        if "cpu" not in options.providers:
            raise TargetMismatch(f"the package runs on {' or '.join(options.providers)}; LiteRT has the CPU alone")
        source = _Source(path, options.threads or threads, has_xnnpack=options.graph_optimisation != "none")
        try:
            return LiteRtEngine(source, unloaded=self._unloaded)
        except _ERRORS as error:
            raise InvalidPackage(f"LiteRT cannot load {path.name}: {_line(error)}") from error


def _ports(interpreter: Any) -> tuple[list[tuple[TensorSpec, int]], list[tuple[TensorSpec, int]]]:  # noqa: ANN401 - untyped
    """Return the inputs and the outputs, each with its index in the interpreter."""
    signature = _signature(interpreter)
    ins, outs = interpreter.get_input_details(), interpreter.get_output_details()
    if signature is None:
        return _named(ins, {}, "input"), _named(outs, {}, "output")
    return (
        _named(ins, signature.get_input_details(), "input"),
        _named(outs, signature.get_output_details(), "output"),
    )


def _signature(interpreter: Any) -> Any | None:  # noqa: ANN401 - it ships no types
    """Return the signature that tools write by default, or the only one. It has the names that the author gave."""
    names = interpreter.get_signature_list()
    if _SIGNATURE not in names and len(names) != 1:
        return None
    return interpreter.get_signature_runner(_SIGNATURE if _SIGNATURE in names else next(iter(names)))


def _named(ports: Sequence[Any], signature: dict[str, Any], what: str) -> list[tuple[TensorSpec, int]]:
    indices = [port["index"] for port in ports]
    by_index = {port["index"]: name for name, port in signature.items()}
    # A signature may stand for another graph of the file, or give one tensor two names.
    has_signature = sorted(by_index) == sorted(indices) and len(by_index) == len(signature)
    names = [by_index[index] if has_signature else port["name"] for index, port in zip(indices, ports, strict=True)]
    if not all(names) or len(set(names)) != len(names):
        names = [f"{what}{place}" for place in range(len(names))]
    return [(_spec(name, port), port["index"]) for name, port in zip(names, ports, strict=True)]


def _spec(name: str, port: Any) -> TensorSpec:  # noqa: ANN401 - it ships no types
    datatype = DATATYPES.get(np.dtype(port["dtype"]))
    # An object is the handle of a resource variable here, not text.
    if datatype is None or datatype == "BYTES":
        kind = np.dtype(port["dtype"]).name
        raise InvalidPackage(f"{name!r} is a tensor of {kind}: only tensors of numbers can be served")
    open_shape = port["shape_signature"]
    shape = open_shape if len(open_shape) == len(port["shape"]) else port["shape"]
    return TensorSpec(name=name, datatype=datatype, shape=tuple(int(size) for size in shape))


def _shapes(interpreter: Any) -> list[tuple[int, ...]]:  # noqa: ANN401 - it ships no types
    return [tuple(port["shape"].tolist()) for port in interpreter.get_input_details()]


def _has_resources(interpreter: Any) -> bool:  # noqa: ANN401 - it ships no types
    """Tell whether the graph has handles of resource variables: numpy has no other word for their type."""
    return any(port["dtype"] is np.object_ for port in interpreter.get_tensor_details())


def _has_variables(path: Path) -> bool:
    """Tell whether the file marks a tensor as a variable, which the interpreter has no way to say.

    The field numbers are those of the TFLite schema: model.subgraphs, subgraph.tensors, tensor.is_variable.
    The interpreter has checked the file's structure before.
    """
    model = _Table.root(path.read_bytes())
    return any(tensor.flag(5) for graph in model.tables(2) for tensor in graph.tables(0))


class _Table:
    """One table of a FlatBuffer; fields are named by their number in the schema."""

    def __init__(self, data: bytes, position: int) -> None:
        self._table = table.Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> "_Table":
        """Return the table that the file begins with."""
        return cls(data, encode.Get(number_types.UOffsetTFlags.packer_type, data, 0))

    def tables(self, field: int) -> Iterator["_Table"]:
        """Return the tables in a vector, none when the field is not there."""
        offset = self._offset(field)
        start, count = (self._table.Vector(offset), self._table.VectorLen(offset)) if offset else (0, 0)
        for place in range(count):
            yield _Table(self._table.Bytes, self._table.Indirect(start + 4 * place))

    def flag(self, field: int) -> bool:
        """Return a true or false, false when the field is not there."""
        offset = self._offset(field)
        return bool(offset and self._table.Get(number_types.BoolFlags, self._table.Pos + offset))

    def _offset(self, field: int) -> int:
        # A table's own table of offsets starts with two sizes.
        return int(self._table.Offset(4 + 2 * field))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[-500:]
