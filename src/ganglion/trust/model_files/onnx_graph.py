"""Looks through an ONNX file before an engine does: what it would run, and what it would reach for.

Decides from the structure alone. What a model does when it runs (how much it allocates, whether it ends)
is found out in the sandbox.
"""

from typing import Final

from ganglion.core.errors import InvalidPackage
from ganglion.trust.model_files import onnx_schema as schema
from ganglion.trust.model_files.limits import ModelFileLimits
from ganglion.trust.model_files.onnx_functions import Body, FunctionName, check_expansion
from ganglion.trust.model_files.onnx_tensor import TensorCheck
from ganglion.trust.model_files.onnx_wire import Budget, message, read, text

_STANDARD_DOMAIN: Final = "ai.onnx"
_BOUNDED_CONTROL: Final = frozenset({"If", "Scan", "SequenceMap"})
"""Operators whose inner graphs run at most once per element of an input."""
_ENDLESS_CONTROL: Final = frozenset({"Loop"})
_REACHING_OUT: Final = frozenset({"EPContext", "Snpe", "PythonOp", "PythonOpGrad", "ATen"})
"""Operators in allowed domains that open another file, or run code that is no model."""
_CONFIGURING_KEYS: Final = frozenset({"ort_config"})
"""Metadata from which ONNX Runtime can take session options, among them native libraries to load."""
_LIBRARY_SUFFIXES: Final = (".so", ".dll", ".dylib")
_LIBRARY_NAME_MAX = 1024
_ATTRIBUTES_MAX = 512
_SHOWN = 80


def check_onnx(data: memoryview, limits: ModelFileLimits, *, loops_allowed: bool) -> None:
    """Check a whole ONNX file. Raises: InvalidPackage: with the reason."""
    _ModelCheck(limits, loops_allowed=loops_allowed).model(data)


class _ModelCheck:
    def __init__(self, limits: ModelFileLimits, *, loops_allowed: bool) -> None:
        self._limits, self._loops_allowed = limits, loops_allowed
        self._budget = Budget(limits.fields_max)
        self._tensors = TensorCheck(limits, self._budget)
        self._functions: dict[FunctionName, Body] = {}
        self._body = Body()
        """What is being looked through now."""

    def model(self, data: memoryview) -> None:
        graph = self._take_functions(data)
        for field, value in read(schema.MODEL, data, self._budget):
            match field:
                case "functions":
                    self._function(message(value))
                case "metadata_props":
                    self._metadata(message(value))
                case "training_info":
                    raise InvalidPackage("it holds graphs for training: export it for inference")
        check_expansion(graph, self._functions, nodes_max=self._limits.nodes_max)

    def _take_functions(self, data: memoryview) -> Body:
        """Learn the names of all functions, which may stand after their first use; then look through the graph."""
        graphs = []
        for field, value in read(schema.MODEL, data, self._budget):
            if field == "graph":
                graphs.append(message(value))
            elif field == "functions":
                name = self._function_name(message(value))
                if name in self._functions:
                    raise InvalidPackage(f"its function {name.name[:_SHOWN]!r} stands twice")
                self._functions[name] = Body()
        if not graphs:
            raise InvalidPackage("it is no ONNX model: it has no graph")
        body = self._body
        self._graph(graphs[0], depth=1)
        return body

    def _function_name(self, data: memoryview) -> FunctionName:
        named = {
            field: text(value)
            for field, value in read(schema.FUNCTION, data, self._budget)
            if field in ("name", "domain", "overload")
        }
        return FunctionName(named.get("domain", ""), named.get("name", ""), named.get("overload", ""))

    def _function(self, data: memoryview) -> None:
        self._body = self._functions[self._function_name(data)]
        for field, value in read(schema.FUNCTION, data, self._budget):
            match field:
                case "node":
                    self._node(message(value), depth=1)
                case "attribute_proto":
                    self._attribute(message(value), depth=1)
                case "value_info":
                    self._tensors.value(message(value))

    def _graph(self, data: memoryview, depth: int) -> None:
        if depth > self._limits.graph_depth_max:
            raise InvalidPackage(f"graphs are nested deeper than {self._limits.graph_depth_max}: graph_depth_max")
        for field, value in read(schema.GRAPH, data, self._budget):
            match field:
                case "node":
                    self._node(message(value), depth)
                case "initializer":
                    self._tensors.tensor(message(value))
                case "sparse_initializer":
                    self._tensors.sparse(message(value))
                case "input" | "output" | "value_info":
                    self._tensors.value(message(value))

    def _node(self, data: memoryview, depth: int) -> None:
        named, attributes = dict[str, str](), list[memoryview]()
        for field, value in read(schema.NODE, data, self._budget):
            if field in ("op_type", "domain", "overload"):
                named[field] = text(value)
            elif field == "attribute":
                attributes.append(message(value))
                if len(attributes) > _ATTRIBUTES_MAX:
                    raise InvalidPackage(f"an operator has more than {_ATTRIBUTES_MAX} attributes")
        name = FunctionName(named.get("domain", ""), named.get("op_type", ""), named.get("overload", ""))
        self._operator(name)
        has_graphs = [self._attribute(attribute, depth) for attribute in attributes]
        if any(has_graphs):
            self._control(name)

    def _operator(self, name: FunctionName) -> None:
        if name in self._functions:
            self._body.calls[name] += 1
            return
        self._body.nodes += 1
        shown = name.name[:_SHOWN]
        domain = name.domain or _STANDARD_DOMAIN
        if domain not in self._limits.operator_domains:
            raise InvalidPackage(
                f"its operator {shown!r} is of the domain {domain[:_SHOWN]!r}, which needs a native library; "
                f"operator_domains allows {', '.join(self._limits.operator_domains)}"
            )
        if name.name in _REACHING_OUT:
            raise InvalidPackage(f"its operator {shown!r} runs what is not in this file")
        if name.name in _ENDLESS_CONTROL:
            self._control(name)

    def _control(self, name: FunctionName) -> None:
        if name.name not in _BOUNDED_CONTROL and name not in self._functions and not self._loops_allowed:
            raise InvalidPackage(
                f"its operator {name.name[:_SHOWN]!r} may never end: if the model needs it, "
                'set "loops_allowed": true in the limits of its manifest'
            )

    def _attribute(self, data: memoryview, depth: int) -> bool:
        """Check an attribute, and say whether it holds graphs."""
        has_graphs = False
        for field, value in read(schema.ATTRIBUTE, data, self._budget):
            match field:
                case "g" | "graphs":
                    has_graphs = True
                    self._graph(message(value), depth + 1)
                case "t" | "tensors":
                    self._tensors.tensor(message(value))
                case "sparse_tensor" | "sparse_tensors":
                    self._tensors.sparse(message(value))
                case "tp" | "type_protos":
                    self._tensors.type(message(value))
                case "s":
                    _refuse_library(message(value))
        return has_graphs

    def _metadata(self, data: memoryview) -> None:
        entry = {field: message(value) for field, value in read(schema.ENTRY, data, self._budget)}
        key = bytes(entry.get("key", memoryview(b""))[:_SHOWN]).decode("utf-8", errors="replace")
        if key in _CONFIGURING_KEYS:
            raise InvalidPackage(f"its metadata {key!r} would configure the engine: only the node's settings may")
        _refuse_library(entry.get("value", memoryview(b"")))


def _refuse_library(value: memoryview) -> None:
    """A text that names a native library has no use in a model that needs none."""
    if len(value) > _LIBRARY_NAME_MAX:
        return
    name = bytes(value).decode("utf-8", errors="replace")
    if name.lower().endswith(_LIBRARY_SUFFIXES) or ".so." in name.lower():
        raise InvalidPackage(f"it names the native library {name[-_SHOWN:]!r}: no package brings or loads one")
