"""`grpc.reflection`: tells clients which services there are, and hands them the descriptors."""

from collections.abc import Iterable, Mapping

import msgspec
from google.protobuf import descriptor_pb2

from ganglion.core.errors import GanglionError, InvalidRequest, NotFound
from ganglion.entrypoints.grpc_api import messages
from ganglion.entrypoints.grpc_api.calls import Call
from ganglion.entrypoints.grpc_api.message_bytes import field, text, varint
from ganglion.entrypoints.grpc_api.statuses import status_of

_VALID_HOST, _ORIGINAL_REQUEST = 1, 2
_FILES, _EXTENSION_NUMBERS, _SERVICES, _ERROR = 4, 5, 6, 7
_ERROR_CODE_TAG = b"\x08"
_NAME_SHOWN = 120


class _Extension(msgspec.Struct, frozen=True):
    containing_type: str = ""
    extension_number: int = 0


class _Asked(msgspec.Struct, frozen=True):
    host: str = ""
    file_by_filename: str | None = None
    file_containing_symbol: str | None = None
    file_containing_extension: _Extension | None = None
    all_extension_numbers_of_type: str | None = None
    list_services: str | None = None


class Described:
    """All texts by their names, and what each declares."""

    def __init__(self, files: Iterable[descriptor_pb2.FileDescriptorProto]) -> None:
        self._files = {file.name: file for file in files}
        self._bytes = {name: file.SerializeToString() for name, file in self._files.items()}
        self.services = tuple(
            sorted(f"{file.package}.{service.name}" for file in self._files.values() for service in file.service)
        )
        self._file_of = {symbol: file.name for file in self._files.values() for symbol in _symbols(file)}

    def file(self, name: str) -> tuple[bytes, ...]:
        """Return a file and all that it needs. Raises: NotFound."""
        if name not in self._files:
            raise NotFound(f"there is no file {name[:_NAME_SHOWN]!r}")
        wanted = [name]
        for each in wanted:
            wanted += [needed for needed in self._files[each].dependency if needed not in wanted]
        return tuple([self._bytes[each] for each in wanted])

    def file_of(self, symbol: str) -> tuple[bytes, ...]:
        """Return the file that declares a symbol, by its full name, and all that it needs. Raises: NotFound."""
        if symbol not in self._file_of:
            raise NotFound(f"there is no symbol {symbol[:_NAME_SHOWN]!r}")
        return self.file(self._file_of[symbol])


class ReflectionStream:
    """One call: an answer for each question."""

    def __init__(self, package: str, described: Described, call: Call) -> None:
        self._name, self._described, self._call = f"{package}.ServerReflectionRequest", described, call

    def receive(self, message: bytes) -> None:
        """Answer a question. Raises: InvalidRequest: it is none."""
        asked = messages.read(self._name, message, _Asked)
        try:
            answer = self._answer(asked)
        except GanglionError as error:
            answer = field(_ERROR, _ERROR_CODE_TAG + varint(status_of(error)) + text(2, error.message))
        self._call.send(text(_VALID_HOST, asked.host) + field(_ORIGINAL_REQUEST, message) + answer)

    def end(self) -> None:
        """End the call with the questions."""
        self._call.finish()

    def _answer(self, asked: _Asked) -> bytes:
        """Raises: NotFound, InvalidRequest: nothing was asked."""
        if asked.list_services is not None:
            return field(_SERVICES, b"".join([field(1, text(1, name)) for name in self._described.services]))
        if asked.file_by_filename is not None:
            return _files(self._described.file(asked.file_by_filename))
        if asked.file_containing_symbol is not None:
            return _files(self._described.file_of(asked.file_containing_symbol))
        if asked.all_extension_numbers_of_type is not None:
            self._described.file_of(asked.all_extension_numbers_of_type)
            return field(_EXTENSION_NUMBERS, text(1, asked.all_extension_numbers_of_type))
        if asked.file_containing_extension is not None:
            raise NotFound("no message has extensions")
        raise InvalidRequest("nothing was asked")


def _files(files: Iterable[bytes]) -> bytes:
    return field(_FILES, b"".join([field(1, file) for file in files]))


def _symbols(file: descriptor_pb2.FileDescriptorProto) -> Mapping[str, None]:
    """Return the full names of everything that a file declares."""
    names: dict[str, None] = {}
    for message in file.message_type:
        _add_message(names, file.package, message)
    for enum in file.enum_type:
        _add_enum(names, file.package, enum)
    for service in file.service:
        names[f"{file.package}.{service.name}"] = None
        names |= {f"{file.package}.{service.name}.{method.name}": None for method in service.method}
    return names


def _add_message(names: dict[str, None], scope: str, message: descriptor_pb2.DescriptorProto) -> None:
    name = f"{scope}.{message.name}"
    names[name] = None
    names.update({f"{name}.{part.name}": None for part in message.field})
    names.update({f"{name}.{oneof.name}": None for oneof in message.oneof_decl})
    for nested in message.nested_type:
        _add_message(names, name, nested)
    for enum in message.enum_type:
        _add_enum(names, name, enum)


def _add_enum(names: dict[str, None], scope: str, enum: descriptor_pb2.EnumDescriptorProto) -> None:
    names[f"{scope}.{enum.name}"] = None
    # Values stand beside their enum, not in it, as in C.
    names.update({f"{scope}.{value.name}": None for value in enum.value})
