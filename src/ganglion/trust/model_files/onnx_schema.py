"""The messages of ONNX that the gate looks into: all of their fields, so that an unknown one is noticed.

Source: onnx.proto3 of ONNX 1.23 (IR version 13); a test compares these tables with the `onnx` package.
"""

from typing import Final

from ganglion.trust.model_files.onnx_wire import FIXED32, FIXED64, VARINT, Field, Schema

MODEL: Final = Schema(
    "model",
    {
        1: Field("ir_version", VARINT),
        2: Field("producer_name"),
        3: Field("producer_version"),
        4: Field("domain"),
        5: Field("model_version", VARINT),
        6: Field("doc_string"),
        7: Field("graph"),
        8: Field("opset_import", is_repeated=True),
        14: Field("metadata_props", is_repeated=True),
        20: Field("training_info", is_repeated=True),
        25: Field("functions", is_repeated=True),
        26: Field("configuration", is_repeated=True),
    },
)
GRAPH: Final = Schema(
    "graph",
    {
        1: Field("node", is_repeated=True),
        2: Field("name"),
        5: Field("initializer", is_repeated=True),
        10: Field("doc_string"),
        11: Field("input", is_repeated=True),
        12: Field("output", is_repeated=True),
        13: Field("value_info", is_repeated=True),
        14: Field("quantization_annotation", is_repeated=True),
        15: Field("sparse_initializer", is_repeated=True),
        16: Field("metadata_props", is_repeated=True),
    },
)
FUNCTION: Final = Schema(
    "function",
    {
        1: Field("name"),
        4: Field("input", is_repeated=True),
        5: Field("output", is_repeated=True),
        6: Field("attribute", is_repeated=True),
        7: Field("node", is_repeated=True),
        8: Field("doc_string"),
        9: Field("opset_import", is_repeated=True),
        10: Field("domain"),
        11: Field("attribute_proto", is_repeated=True),
        12: Field("value_info", is_repeated=True),
        13: Field("overload"),
        14: Field("metadata_props", is_repeated=True),
    },
)
NODE: Final = Schema(
    "node",
    {
        1: Field("input", is_repeated=True),
        2: Field("output", is_repeated=True),
        3: Field("name"),
        4: Field("op_type"),
        5: Field("attribute", is_repeated=True),
        6: Field("doc_string"),
        7: Field("domain"),
        8: Field("overload"),
        9: Field("metadata_props", is_repeated=True),
        10: Field("device_configurations", is_repeated=True),
    },
)
ATTRIBUTE: Final = Schema(
    "attribute",
    {
        1: Field("name"),
        2: Field("f", FIXED32),
        3: Field("i", VARINT),
        4: Field("s"),
        5: Field("t"),
        6: Field("g"),
        7: Field("floats", FIXED32, is_repeated=True),
        8: Field("ints", VARINT, is_repeated=True),
        9: Field("strings", is_repeated=True),
        10: Field("tensors", is_repeated=True),
        11: Field("graphs", is_repeated=True),
        13: Field("doc_string"),
        14: Field("tp"),
        15: Field("type_protos", is_repeated=True),
        20: Field("type", VARINT),
        21: Field("ref_attr_name"),
        22: Field("sparse_tensor"),
        23: Field("sparse_tensors", is_repeated=True),
    },
)
TENSOR: Final = Schema(
    "tensor",
    {
        1: Field("dims", VARINT, is_repeated=True),
        2: Field("data_type", VARINT),
        3: Field("segment"),
        4: Field("float_data", FIXED32, is_repeated=True),
        5: Field("int32_data", VARINT, is_repeated=True),
        6: Field("string_data", is_repeated=True),
        7: Field("int64_data", VARINT, is_repeated=True),
        8: Field("name"),
        9: Field("raw_data"),
        10: Field("double_data", FIXED64, is_repeated=True),
        11: Field("uint64_data", VARINT, is_repeated=True),
        12: Field("doc_string"),
        13: Field("external_data", is_repeated=True),
        14: Field("data_location", VARINT),
        16: Field("metadata_props", is_repeated=True),
    },
)
SPARSE_TENSOR: Final = Schema(
    "sparse tensor", {1: Field("values"), 2: Field("indices"), 3: Field("dims", VARINT, is_repeated=True)}
)
VALUE: Final = Schema(
    "value", {1: Field("name"), 2: Field("type"), 3: Field("doc_string"), 4: Field("metadata_props", is_repeated=True)}
)
TYPE: Final = Schema(
    "type",
    {
        1: Field("tensor_type"),
        4: Field("sequence_type"),
        5: Field("map_type"),
        6: Field("denotation"),
        7: Field("opaque_type"),
        8: Field("sparse_tensor_type"),
        9: Field("optional_type"),
    },
)
TENSOR_TYPE: Final = Schema("tensor type", {1: Field("elem_type", VARINT), 2: Field("shape")})
SEQUENCE_TYPE: Final = Schema("sequence type", {1: Field("elem_type")})
MAP_TYPE: Final = Schema("map type", {1: Field("key_type", VARINT), 2: Field("value_type")})
SHAPE: Final = Schema("shape", {1: Field("dim", is_repeated=True)})
DIMENSION: Final = Schema("dimension", {1: Field("dim_value", VARINT), 2: Field("dim_param"), 3: Field("denotation")})
ENTRY: Final = Schema("entry", {1: Field("key"), 2: Field("value")})
