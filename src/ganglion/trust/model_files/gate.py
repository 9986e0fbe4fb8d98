"""The gate that every model file passes before an engine opens it, whoever signed it.

A signature says who made a file; this says what the file could do. It looks at structure only, never runs
anything, and needs no library of any model format. `adapters.sandbox` finds out the rest by trying.
"""

from collections.abc import Mapping
from typing import Final

from ganglion.core.errors import InvalidPackage
from ganglion.core.manifest import Manifest
from ganglion.trust.model_files import file_magic
from ganglion.trust.model_files.limits import ModelFileLimits
from ganglion.trust.model_files.onnx_graph import check_onnx
from ganglion.trust.model_files.openvino_ir import check_openvino

_TFLITE_MAGIC: Final = slice(4, 8), b"TFL3"
_OFFSET_BYTES: Final = 4
_VTABLE_BYTES_MIN: Final = 4


def check_package(manifest: Manifest, members: Mapping[str, memoryview], limits: ModelFileLimits) -> None:
    """Check all files of a package: `members` are those of its manifest.

    Raises: InvalidPackage: the file, and what is wrong with it.
    """
    for name, data in members.items():
        file_magic.check_member(name, bytes(data[: file_magic.HEAD_BYTES]))
    check_file(manifest.model, members, limits, loops_allowed=manifest.limits.loops_allowed)


def check_file(
    name: str, files: Mapping[str, memoryview], limits: ModelFileLimits, *, loops_allowed: bool = False
) -> None:
    """Check the model file `name`; `files` has it, and what may lie beside it.

    Raises: InvalidPackage: the file, and what is wrong with it.
    """
    try:
        _check_model(name, files, limits, loops_allowed=loops_allowed)
    except InvalidPackage as error:
        raise InvalidPackage(f"{name}: {error.message}") from error


def _check_model(name: str, files: Mapping[str, memoryview], limits: ModelFileLimits, *, loops_allowed: bool) -> None:
    data = files[name]
    if len(data) > limits.file_bytes_max:
        raise InvalidPackage(f"it has {len(data)} bytes; file_bytes_max allows {limits.file_bytes_max}")
    file_magic.check_member("its content", bytes(data[: file_magic.HEAD_BYTES]))
    stem, dot, suffix = name.rpartition(".")
    match dot + suffix.lower():
        case ".onnx":
            check_onnx(data, limits, loops_allowed=loops_allowed)
        case ".tflite":
            _check_tflite(data)
        case ".xml":
            weights = files.get(f"{stem}.bin")
            check_openvino(data, len(weights) if weights else 0, limits, loops_allowed=loops_allowed)
        case _:
            raise InvalidPackage("it is of no kind that is served: .onnx, .tflite, or .xml with its .bin")


def _check_tflite(data: memoryview) -> None:
    """Check what the engine takes for granted: the magic, and a root table inside the file."""
    place, magic = _TFLITE_MAGIC
    if bytes(data[place]) != magic:
        raise InvalidPackage("it is no TensorFlow Lite model: it does not have its magic number")
    root = _number(data, 0)
    table = root - _number(data, root, signed=True) if root <= len(data) - _OFFSET_BYTES else -1
    if not 0 <= table <= len(data) - _VTABLE_BYTES_MIN:
        raise InvalidPackage("its root table lies outside the file: it was cut short or made up")


def _number(data: memoryview, offset: int, *, signed: bool = False) -> int:
    return int.from_bytes(data[offset : offset + _OFFSET_BYTES], "little", signed=signed)
