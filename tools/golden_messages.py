"""Writes an example of every wire message as bytes, so that a test sees when the bytes change.

Only missing files are written. A file is changed by hand, or deleted, when a change of the wire is meant;
a removed or retyped field needs a new SCHEMA and leaves the old folder as it is.
"""

import inspect
import sys
import types
import typing
import zlib
from enum import Enum
from pathlib import Path

import msgspec

from ganglion.core import behaviour
from ganglion.wire import codec, desired, identity, records, shells
from ganglion.wire.schema import SCHEMA
from source_tree import ROOT

GOLDEN = ROOT / "tests" / "golden" / "wire"
CURRENT = GOLDEN / f"v{SCHEMA}"
_MODULES = (behaviour, identity, desired, records, shells)
_HEX_PER_LINE = 40


def message_kinds() -> list[type[msgspec.Struct]]:
    """Return every message, in the order of the source."""
    members = [(module, kind) for module in _MODULES for kind in vars(module).values() if inspect.isclass(kind)]
    return [kind for module, kind in members if issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__]


def example(kind: type[msgspec.Struct]) -> msgspec.Struct:
    """Return a message whose every field differs from its default and says its own name."""
    hints = typing.get_type_hints(kind)
    values = {name: _value(hints[name], name) for name in kind.__struct_fields__}
    return kind(**values | {name: SCHEMA for name in values if name == "schema"})


def files_of(kind: type[msgspec.Struct]) -> dict[Path, str]:
    """Return the golden files of a message and what they should hold."""
    message = example(kind)
    packed = codec.encode_packed(message).hex(" ").split(" ")
    lines = [" ".join(packed[start : start + _HEX_PER_LINE]) for start in range(0, len(packed), _HEX_PER_LINE)]
    return {
        CURRENT / f"{kind.__name__}.json": codec.encode_json(message).decode() + "\n",
        CURRENT / f"{kind.__name__}.msgpack.hex": "\n".join(lines) + "\n",
    }


def main() -> int:
    """Write what is missing."""
    CURRENT.mkdir(parents=True, exist_ok=True)
    for kind in message_kinds():
        for file, text in files_of(kind).items():
            if not file.exists():
                file.write_text(text, encoding="utf-8")
                print(f"wrote {file.relative_to(ROOT)}")
    return 0


def _value(hint: typing.Any, name: str) -> object:  # noqa: ANN401 (a type hint has no type of its own)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    match origin or hint:
        case types.UnionType | typing.Union:
            return _value(next(each for each in arguments if each is not type(None)), name)
        case builtin if builtin in {tuple, list}:
            return builtin([_value(arguments[0], name)])
        case builtin if builtin is dict:
            key = f"a {name}" if arguments[0] is str else _value(arguments[0], name)
            return {key: _value(arguments[1], name)}
        case kind if issubclass(kind, msgspec.Struct):
            return example(kind)
        case kind if issubclass(kind, Enum):
            return list(kind)[-1]
        case kind:
            number = zlib.crc32(name.encode()) % 1000
            return {str: f"the {name}", int: number, float: number + 0.5, bool: True, bytes: name.encode()}[kind]


if __name__ == "__main__":
    sys.exit(main())
