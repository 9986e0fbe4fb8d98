"""The protocol's messages, from the descriptors beside the `.proto` texts: `make protos` compiles them.

They live in a pool of their own: a client library in the same process may bring its own texts for the same names.
Small messages are read into our own types and written from the documents that HTTP answers with.
"""

from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError, Message

from ganglion.core.errors import InvalidRequest

T = TypeVar("T", bound=msgspec.Struct)

_COMPILED = Path(__file__).with_name("protos") / "descriptors.binpb"


@cache
def files() -> tuple[descriptor_pb2.FileDescriptorProto, ...]:
    """Return the descriptors of all texts, those that others need first."""
    return tuple(descriptor_pb2.FileDescriptorSet.FromString(_COMPILED.read_bytes()).file)


@cache
def pool() -> descriptor_pool.DescriptorPool:
    """Return the pool that knows all messages and services."""
    known = descriptor_pool.DescriptorPool()
    for file in files():
        known.Add(file)  # type: ignore[no-untyped-call]  # its types leave it out
    return known


@cache
def kind(name: str) -> type[Message]:
    """Return the class of a message by its full name."""
    found = pool().FindMessageTypeByName(name)  # type: ignore[no-untyped-call]  # its types leave it out
    return message_factory.GetMessageClass(found)


def parse(name: str, data: bytes) -> Message:
    """Return a message of this name. Raises: InvalidRequest: the bytes are none."""
    try:
        return kind(name).FromString(data)
    except DecodeError as error:
        raise InvalidRequest(f"the message is no {name}: {error}") from error


def read(name: str, data: bytes, into: type[T]) -> T:
    """Return a small message as one of our own types. Raises: InvalidRequest."""
    document = json_format.MessageToDict(parse(name, data), preserving_proto_field_name=True)
    try:
        # Not strict: 64-bit numbers are strings in protobuf's own JSON.
        return msgspec.convert(document, into, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the message is not what this call takes: {error}") from error


def write(name: str, document: dict[str, object]) -> bytes:
    """Return the message that has the members of a document; what the message does not know is left out."""
    return json_format.ParseDict(document, kind(name)(), ignore_unknown_fields=True).SerializeToString()
