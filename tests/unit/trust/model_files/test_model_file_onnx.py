"""What the gate reads in ONNX files, built with the `onnx` package: the gate itself does not have it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, ModelProto, TensorProto, helper, onnx_ml_pb2

from ganglion.core.errors import InvalidPackage
from ganglion.trust.model_files import onnx_schema
from ganglion.trust.model_files.onnx_wire import FIXED32, FIXED64, LENGTH, VARINT, Schema
from unit.trust.onnx_models import (
    IDENTITY,
    a_model,
    branch,
    check,
    constant,
    custom_operator,
    endless_loop,
    external,
    function,
    nested_ifs,
    tensor,
    value,
)

_WIRES = {
    1: FIXED64,
    2: FIXED32,
    3: VARINT,
    4: VARINT,
    5: VARINT,
    8: VARINT,
    9: LENGTH,
    11: LENGTH,
    12: LENGTH,
    14: VARINT,
}
SCHEMAS = {
    "ModelProto": onnx_schema.MODEL,
    "GraphProto": onnx_schema.GRAPH,
    "FunctionProto": onnx_schema.FUNCTION,
    "NodeProto": onnx_schema.NODE,
    "AttributeProto": onnx_schema.ATTRIBUTE,
    "TensorProto": onnx_schema.TENSOR,
    "SparseTensorProto": onnx_schema.SPARSE_TENSOR,
    "ValueInfoProto": onnx_schema.VALUE,
    "TypeProto": onnx_schema.TYPE,
    "TypeProto.Tensor": onnx_schema.TENSOR_TYPE,
    "TypeProto.SparseTensor": onnx_schema.TENSOR_TYPE,
    "TypeProto.Sequence": onnx_schema.SEQUENCE_TYPE,
    "TypeProto.Optional": onnx_schema.SEQUENCE_TYPE,
    "TypeProto.Map": onnx_schema.MAP_TYPE,
    "TensorShapeProto": onnx_schema.SHAPE,
    "TensorShapeProto.Dimension": onnx_schema.DIMENSION,
    "StringStringEntryProto": onnx_schema.ENTRY,
}


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items(), ids=list(SCHEMAS))
def test_every_field_of_onnx_is_known(name: str, schema: Schema) -> None:
    kind: Any = onnx_ml_pb2
    for part in name.split("."):
        kind = getattr(kind, part)

    theirs = {(each.number, each.name, _WIRES[each.type], each.is_repeated) for each in kind.DESCRIPTOR.fields}

    assert {(number, *field) for number, field in schema.fields.items()} == theirs


# --- what honest models have ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.ones((2, 3), np.float32),
        np.array(1.5),
        np.zeros((0, 4), np.int64),
        np.array([True, False]),
        np.ones(5, np.float16),
        np.array([1 + 2j], np.complex64),
        np.array(["a", "b"], object),
    ],
    ids=str,
)
def test_weights_inside_the_file_pass(array: np.ndarray) -> None:
    check(a_model(initializers=[tensor(array)]))


@pytest.mark.parametrize("kind", [k for k in TensorProto.DataType.values() if k not in (0, 8, 27, 28)])
@pytest.mark.parametrize("raw", [False, True])
def test_every_kind_of_number_passes(kind: int, raw: bool) -> None:  # noqa: FBT001 - a parameter of the test
    bits = {4: (21, 22, 23), 2: (25, 26)}
    width = next((width for width, kinds in bits.items() if kind in kinds), 0)
    data = bytes(-(-5 * width // 8)) if width else np.zeros(5, helper.tensor_dtype_to_np_dtype(kind)).tobytes()
    weights = helper.make_tensor("w", kind, [5], data if raw else [0] * 5, raw=raw)

    check(a_model(initializers=[weights]))


def test_branches_functions_and_the_domains_of_onnx_runtime_pass() -> None:
    fused = helper.make_node("FusedMatMul", ["x", "w"], ["y"], domain="com.microsoft")
    called = helper.make_node("outer", ["x"], ["y"], domain="local")
    functions = [function("outer", "inner", "inner"), function("inner")]

    check(a_model(fused, initializers=[tensor(np.eye(3, dtype=np.float32))]))
    check(a_model(called, functions=functions))
    check(nested_ifs(8))


def test_sizes_may_be_left_open() -> None:
    check(a_model(inputs=[value("x", "N", 3), value("n"), value("old", -1, 0, 3)]))


# --- attack 33: numbers in other files ------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        a_model(initializers=[external("../weights.bin")]),
        a_model(constant(external("/etc/passwd"))),
        a_model(
            helper.make_node("If", ["c"], ["y"], then_branch=branch(initializers=[external("w")]), else_branch=branch())
        ),
        a_model(initializers=[external("*/_ORT_MEM_ADDR_/*", offset="140700000000000", length="12")]),
        a_model(helper.make_node("Identity", ["x"], ["y"], several=[external("a"), external("b")])),
    ],
    ids=["initializer", "constant", "branch", "address in memory", "list"],
)
def test_numbers_in_another_file_are_refused_wherever_they_stand(model: ModelProto) -> None:
    with pytest.raises(InvalidPackage, match="keeps weights in another file"):
        check(model)


def test_numbers_in_another_file_are_refused_in_functions_and_sparse_tensors() -> None:
    body = helper.make_function("local", "f", [], ["w"], [constant(external("w.bin"))], [helper.make_opsetid("", 17)])
    sparse = a_model()
    sparse.graph.sparse_initializer.add(values=external("w.bin"), dims=[3])

    for model in (a_model(functions=[body]), sparse):
        with pytest.raises(InvalidPackage, match="another file"):
            check(model)


def test_a_location_that_is_stated_without_a_name_is_refused_too() -> None:
    weights = TensorProto(name="w", data_type=1, dims=[1], raw_data=bytes(4), data_location=TensorProto.EXTERNAL)

    with pytest.raises(InvalidPackage, match="another file"):
        check(a_model(initializers=[weights]))


# --- attack 34: what never ends, and what is larger than it looks ----------------------------------


def test_a_loop_needs_the_manifests_permission() -> None:
    with pytest.raises(InvalidPackage, match=r"'Loop' may never end.*loops_allowed"):
        check(endless_loop())

    check(endless_loop(), loops_allowed=True)


def test_other_operators_that_run_graphs_need_it_too() -> None:
    search = helper.make_node("BeamSearch", ["x"], ["y"], domain="com.microsoft", decoder=branch())

    with pytest.raises(InvalidPackage, match="may never end"):
        check(a_model(search))


def test_a_loop_inside_a_branch_or_a_function_is_seen() -> None:
    loop = endless_loop().graph.node[0]
    inside = a_model(helper.make_node("If", ["c"], ["y"], then_branch=branch(loop), else_branch=branch()))
    body = helper.make_function("local", "f", ["x", "true"], ["y"], [loop], [helper.make_opsetid("", 17)])

    for model in (inside, a_model(functions=[body])):
        with pytest.raises(InvalidPackage, match="may never end"):
            check(model)


def test_graphs_in_graphs_have_an_end() -> None:
    with pytest.raises(InvalidPackage, match="nested deeper than 8"):
        check(nested_ifs(9))
    with pytest.raises(InvalidPackage, match="nested deeper than 2"):
        check(nested_ifs(3), graph_depth_max=2)


def test_functions_that_multiply_are_refused() -> None:
    bomb = [function(f"f{n}", *[f"f{n + 1}"] * 10) for n in range(20)] + [function("f20")]

    with pytest.raises(InvalidPackage, match="more than 1000000 operators"):
        check(a_model(helper.make_node("f0", ["x"], ["y"], domain="local"), functions=bomb))


def test_a_function_that_calls_itself_is_refused() -> None:
    circle = [function("a", "b"), function("b", "c"), function("c", "a")]

    with pytest.raises(InvalidPackage, match="calls itself"):
        check(a_model(helper.make_node("a", ["x"], ["y"], domain="local"), functions=circle))


@pytest.mark.parametrize("dims", [[1 << 62], [1 << 40, 1 << 40], [4], [2], [-3], [-1, -3]], ids=str)
def test_sizes_that_the_bytes_do_not_bear_out_are_refused(dims: list[int]) -> None:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=bytes(12))

    with pytest.raises(InvalidPackage, match=r"'w' (declares|has the size)"):
        check(a_model(initializers=[weights]))


def test_a_tensor_holds_its_numbers_once() -> None:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], raw_data=bytes(4), float_data=[1.0])

    with pytest.raises(InvalidPackage, match="do not agree"):
        check(a_model(initializers=[weights]))
    with pytest.raises(InvalidPackage, match="holds no numbers"):
        check(a_model(initializers=[TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])]))


def test_a_sparse_tensor_of_a_few_bytes_cannot_stand_for_gigabytes() -> None:
    model = a_model()
    nothing = TensorProto(name="v", data_type=TensorProto.FLOAT, dims=[0])
    model.graph.sparse_initializer.add(values=nothing, dims=[1 << 20, 1 << 20])

    with pytest.raises(InvalidPackage, match="tensor_bytes_max"):
        check(model)


def test_values_of_absurd_size_are_refused() -> None:
    with pytest.raises(InvalidPackage, match="tensor_bytes_max"):
        check(a_model(inputs=[value("x", 1 << 40)]))
    with pytest.raises(InvalidPackage, match="the size -7"):
        check(a_model(inputs=[value("x", -7)]))
    with pytest.raises(InvalidPackage, match="more than 64 dimensions"):
        check(a_model(inputs=[value("x", *[1] * 65)]))


def test_types_in_types_have_an_end() -> None:
    deep = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    for _ in range(20):
        deep = helper.make_sequence_type_proto(deep)

    with pytest.raises(InvalidPackage, match="nested deeper than 16"):
        check(a_model(inputs=[helper.make_value_info("x", deep)]))


def test_a_file_of_very_many_parts_is_given_up() -> None:
    crowd = a_model(*[IDENTITY] * 500)

    check(crowd)
    with pytest.raises(InvalidPackage, match="more than 1000 fields"):
        check(crowd, fields_max=1000)


# --- attack 35: foreign code ----------------------------------------------------------------------


@pytest.mark.parametrize("domain", ["com.example", "ai.onnx.contrib", "org.pytorch.aten", "com.microsoft.extensions"])
def test_an_operator_of_an_unknown_domain_is_refused(domain: str) -> None:
    with pytest.raises(InvalidPackage, match=f"domain '{domain}', which needs a native library"):
        check(custom_operator(domain))


def test_the_settings_say_which_domains_are_known() -> None:
    check(custom_operator("com.example"), operator_domains=("ai.onnx", "com.example"))

    with pytest.raises(InvalidPackage, match=r"domain 'com\.microsoft'"):
        check(custom_operator("com.microsoft", "FusedMatMul"), operator_domains=("ai.onnx", "com.example"))


def test_operators_without_a_domain_are_those_of_the_standard() -> None:
    check(a_model(helper.make_node("Identity", ["x"], ["y"], domain="ai.onnx")), operator_domains=("ai.onnx",))

    with pytest.raises(InvalidPackage, match=r"domain 'ai\.onnx'"):
        check(a_model(), operator_domains=("com.microsoft",))


def test_a_function_of_the_same_name_does_not_make_a_foreign_operator_known() -> None:
    with pytest.raises(InvalidPackage, match="domain 'local'"):
        check(a_model(helper.make_node("other", ["x"], ["y"], domain="local"), functions=[function("known")]))


@pytest.mark.parametrize("name", ["EPContext", "PythonOp"])
def test_operators_that_run_something_else_are_refused(name: str) -> None:
    with pytest.raises(InvalidPackage, match="runs what is not in this file"):
        check(custom_operator("com.microsoft", name))


@pytest.mark.parametrize("library", ["./custom_ops.so", "/usr/lib/libm.so.6", "OPS.DLL", "x.dylib"])
def test_an_attribute_that_names_a_native_library_is_refused(library: str) -> None:
    with pytest.raises(InvalidPackage, match="names the native library"):
        check(a_model(helper.make_node("Identity", ["x"], ["y"], library=library)))


def test_metadata_neither_names_a_library_nor_configures_the_engine() -> None:
    naming, configuring = a_model(), a_model()
    helper.set_model_props(naming, {"custom_ops": "lib/ops.so"})
    helper.set_model_props(configuring, {"ort_config": '{"session_options": {}}'})

    with pytest.raises(InvalidPackage, match="native library"):
        check(naming)
    with pytest.raises(InvalidPackage, match="configure the engine"):
        check(configuring)


def test_training_graphs_and_opaque_types_are_refused() -> None:
    training, opaque = a_model(), a_model()
    training.training_info.add()
    opaque.graph.input[0].type.opaque_type.domain = "com.example"

    with pytest.raises(InvalidPackage, match="export it for inference"):
        check(training)
    with pytest.raises(InvalidPackage, match="opaque"):
        check(opaque)


# --- anything at all ------------------------------------------------------------------------------

SOME_MODEL = a_model(
    helper.make_node("If", ["c"], ["y"], then_branch=branch(), else_branch=branch(constant(tensor(np.ones(3))))),
    initializers=[
        tensor(np.arange(6, dtype=np.float32)),
        helper.make_tensor("i", TensorProto.INT32, [3], [1, 300, -1]),
    ],
    functions=[function("f", "g"), function("g")],
).SerializeToString()


def refusal(data: bytes) -> str:
    try:
        check(data)
    except InvalidPackage as error:
        return error.message
    return ""


@given(st.integers(0, len(SOME_MODEL) - 1))
def test_a_file_that_was_cut_is_refused_or_whole_in_itself(length: int) -> None:
    data = SOME_MODEL[:length]

    assert refusal(data) or ModelProto.FromString(data).SerializeToString() == data


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(SOME_MODEL) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_whatever_bytes_are_changed_the_gate_answers(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SOME_MODEL)
    for place, byte in changes:
        data[place] = byte

    reason = refusal(bytes(data))

    assert not reason or reason.startswith("m.onnx: ")


@given(st.binary(max_size=200))
def test_random_bytes_are_no_model(data: bytes) -> None:
    with pytest.raises(InvalidPackage):
        check(data)


def test_attributes_of_every_kind_are_read() -> None:
    kinds = [1, 1.5, "text", [1, 2], [1.5], ["a", "b"], tensor(np.ones(2)), [tensor(np.ones(1))]]
    node = helper.make_node("Identity", ["x"], ["y"])
    node.attribute.extend(helper.make_attribute(f"a{number}", kind) for number, kind in enumerate(kinds))
    node.attribute.append(AttributeProto(name="r", ref_attr_name="outer", type=AttributeProto.INT))

    check(a_model(node))
