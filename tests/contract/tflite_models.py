"""Small TFLite files, written with the schema that the runtime ships: no converter, no training.

A file is a FlatBuffer. Buffer 0 must be empty and stands for "no constant"; every weight has a buffer of its own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]  # it ships no types
import numpy as np
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray

_NONE = -1


class FileBuilder:
    """A file under construction: what its graphs share."""

    def __init__(self) -> None:
        self.buffers = [schema.BufferT()]
        self.codes: list[Any] = []
        self.graphs: list[GraphBuilder] = []

    def graph(self) -> "GraphBuilder":
        """Add a graph. The first one is the model; others are called by it."""
        self.graphs.append(GraphBuilder(self))
        return self.graphs[-1]

    def save(self, path: Path) -> Path:
        """Write the file."""
        model = schema.ModelT()
        model.version, model.description = 3, "test"
        model.operatorCodes, model.buffers = self.codes, self.buffers
        model.subgraphs = [graph.packed() for graph in self.graphs]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        path.write_bytes(bytes(builder.Output()))
        return path


class GraphBuilder:
    """One graph under construction; a method that adds a tensor returns its index."""

    def __init__(self, file: FileBuilder) -> None:
        self._file = file
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self.inputs: list[int] = []
        self.outputs: list[int] = []

    def tensor(self, name: str, shape: Sequence[int], *, kind: int = schema.TensorType.FLOAT32) -> int:
        """Add a tensor without a value; a size of -1 is open."""
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.buffer = name, kind, 0
        tensor.shape = [max(size, 1) for size in shape]
        if -1 in shape:
            tensor.shapeSignature = list(shape)
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def state(self, name: str, shape: Sequence[int]) -> int:
        """Add a tensor that the interpreter keeps from call to call."""
        index = self.tensor(name, shape)
        self._tensors[index].isVariable = True
        return index

    def quantise(self, index: int, *, scale: float) -> None:
        """Say what one quantum of a tensor stands for; zero stays zero."""
        quantisation = schema.QuantizationParametersT()
        quantisation.scale, quantisation.zeroPoint = [scale], [0]
        self._tensors[index].quantization = quantisation

    def constant(self, name: str, value: NDArray[np.float32]) -> int:
        """Add a weight."""
        index = self.tensor(name, value.shape)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
        self._file.buffers.append(buffer)
        self._tensors[index].buffer = len(self._file.buffers) - 1
        return index

    def resource(self, name: str) -> int:
        """Add a handle of a variable that lives beside the graphs."""
        handle = self.tensor("handle", (), kind=schema.TensorType.RESOURCE)
        options = schema.VarHandleOptionsT()
        options.container, options.sharedName = "", name
        self.operator("VAR_HANDLE", (), (handle,), options)
        return handle

    def operator(self, kind: str, inputs: Sequence[int], outputs: Sequence[int], options: Any = None) -> None:
        """Add an operator; its options are an object of the schema."""
        code, entry = getattr(schema.BuiltinOperator, kind), schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), 1
        self._file.codes.append(entry)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._file.codes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._operators.append(operator)

    def packed(self) -> Any:
        """Return the graph as the schema has it."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.name = self._tensors, self._operators, "graph"
        graph.inputs, graph.outputs = self.inputs, self.outputs
        return graph


def classifier(path: Path, *, factor: float = 4.0, batch: int = -1) -> Path:
    """Three classes from three features: the largest feature wins. The twin of `integration.models.classifier`."""
    file = FileBuilder()
    graph = file.graph()
    x, logits, scores = (graph.tensor(name, (batch, 3)) for name in ("x", "logits", "scores"))
    weights = graph.constant("w", np.eye(3, dtype=np.float32) * np.float32(factor))
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    graph.operator("FULLY_CONNECTED", (x, weights, _NONE), (logits,), schema.FullyConnectedOptionsT())
    graph.operator("SOFTMAX", (logits,), (scores,), softmax)
    graph.inputs, graph.outputs = [x], [scores]
    return file.save(path)


def layer(path: Path, weights: NDArray[np.float32]) -> Path:
    """One matrix product."""
    file = FileBuilder()
    graph = file.graph()
    rows, columns = weights.shape
    x, y = graph.tensor("x", (-1, rows)), graph.tensor("y", (-1, columns))
    inputs = (x, graph.constant("w", np.ascontiguousarray(weights.T)), _NONE)
    graph.operator("FULLY_CONNECTED", inputs, (y,), schema.FullyConnectedOptionsT())
    graph.inputs, graph.outputs = [x], [y]
    return file.save(path)


def int8_relu(path: Path) -> Path:
    """Quantised numbers in and out: what is below zero becomes zero."""
    file = FileBuilder()
    graph = file.graph()
    x, y = (graph.tensor(name, (-1, 4), kind=schema.TensorType.INT8) for name in ("x", "y"))
    for index in (x, y):
        graph.quantise(index, scale=0.5)
    graph.operator("RELU", (x,), (y,))
    graph.inputs, graph.outputs = [x], [y]
    return file.save(path)


def running_sum(path: Path) -> Path:
    """A recurrent cell whose state is the sum of all inputs so far: y = state = x + state."""
    file = FileBuilder()
    graph = file.graph()
    x, y, state = graph.tensor("x", (1, 2)), graph.tensor("y", (1, 2)), graph.state("state", (1, 2))
    weights, recurrent = (graph.constant(name, np.eye(2, dtype=np.float32)) for name in ("w", "r"))
    bias = graph.constant("b", np.zeros(2, np.float32))
    graph.operator("RNN", (x, weights, recurrent, bias, state), (y,), schema.RNNOptionsT())
    graph.inputs, graph.outputs = [x], [y]
    return file.save(path)


def resource_sum(path: Path) -> Path:
    """The same sum in a resource variable, which another graph sets to zero before the first call."""
    file = FileBuilder()
    graph, start = file.graph(), file.graph()
    start.operator("ASSIGN_VARIABLE", (start.resource("sum"), start.constant("zero", np.zeros((1, 2), np.float32))), ())
    x, y, before = (graph.tensor(name, (1, 2)) for name in ("x", "y", "before"))
    once = schema.CallOnceOptionsT()
    once.initSubgraphIndex = 1
    graph.operator("CALL_ONCE", (), (), once)
    handle = graph.resource("sum")
    graph.operator("READ_VARIABLE", (handle,), (before,))
    graph.operator("ADD", (x, before), (y,), schema.AddOptionsT())
    graph.operator("ASSIGN_VARIABLE", (handle, y), ())
    graph.inputs, graph.outputs = [x], [y]
    return file.save(path)
