"""How much a model file may be, whatever it says. Apart from the checks, so that reading settings imports little."""

import msgspec


class ModelFileLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate lets through to an engine."""

    file_bytes_max: int = 2_000_000_000
    """Largest model file; the formats themselves end near it."""

    fields_max: int = 2_000_000
    """Most fields in the structure of a model file, weights apart; looking through so many takes some seconds."""

    graph_depth_max: int = 8
    """How deep graphs may stand inside graphs: the branches of an If, the body of a Scan."""

    nodes_max: int = 1_000_000
    """Most operators after every local function is put in the place of its calls."""

    tensor_bytes_max: int = 4_000_000_000
    """Largest tensor that a model file may declare."""

    operator_domains: tuple[str, ...] = ("ai.onnx", "ai.onnx.ml", "com.microsoft")
    """Where operators may come from; `ai.onnx` stands for no domain, too. Others need a native library."""
