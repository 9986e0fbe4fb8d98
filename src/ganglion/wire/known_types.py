"""Every message type is taken apart before there are threads that decode messages.

msgspec 0.22 looks at what a type consists of when it is first decoded, and lets other threads use what it has found so
far: a thread that decodes the same type at that moment reads where nothing is yet, and the process is gone without a
word. A hub to which a fleet comes back is such a place, and an agent at its start.
"""

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import suppress

import msgspec

_MESSAGES = "ganglion.wire."


def learn_types() -> None:
    """Take all types apart that were imported so far. Cheap when repeated; call it before threads are started.

    These are all structs, and the dataclasses of `wire`: others are never decoded by themselves.
    """
    for kind in (*_below(msgspec.Struct), *_dataclasses()):
        # What msgspec cannot decode, or what names a type that only a type checker sees, nobody decodes.
        with suppress(TypeError, NameError):
            msgspec.json.Decoder(kind)


def _below(kind: type) -> Iterator[type]:
    each: type
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _dataclasses() -> Iterator[type]:
    for name, module in tuple(sys.modules.items()):
        if name.startswith(_MESSAGES):
            for each in tuple(vars(module).values()):
                if isinstance(each, type) and dataclasses.is_dataclass(each):
                    yield each
