"""Every error as a status of gRPC, and the header fields that say so."""

from functools import lru_cache
from typing import Final
from urllib.parse import quote

from ganglion.core import errors, identity_errors, serving_errors
from ganglion.core.errors import GanglionError
from ganglion.entrypoints.grpc_api.calls import Status
from ganglion.entrypoints.grpc_api.hpack import indexed, literal

ENCODINGS: Final = "identity,gzip"

_TEXT_BYTES_MAX: Final = 1024
"""Clients take header lists of 8 KiB; escapes make three bytes of one."""
_PLAIN: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")

_STATUSES: Final[dict[type[GanglionError], Status]] = {
    GanglionError: Status.INTERNAL,
    errors.Rejected: Status.INVALID_ARGUMENT,
    errors.NotFound: Status.NOT_FOUND,
    errors.Conflict: Status.FAILED_PRECONDITION,
    errors.TooLarge: Status.RESOURCE_EXHAUSTED,
    errors.InvalidPackage: Status.FAILED_PRECONDITION,
    errors.TargetMismatch: Status.FAILED_PRECONDITION,
    errors.NotGoodEnough: Status.FAILED_PRECONDITION,
    errors.CheckFailed: Status.FAILED_PRECONDITION,
    errors.GoldenMissing: Status.FAILED_PRECONDITION,
    errors.MissingExtra: Status.UNIMPLEMENTED,
    errors.Unavailable: Status.UNAVAILABLE,
    serving_errors.DeadlineExceeded: Status.DEADLINE_EXCEEDED,
    errors.Untrusted: Status.PERMISSION_DENIED,
    identity_errors.Unauthenticated: Status.UNAUTHENTICATED,
    identity_errors.TokenRefused: Status.UNAUTHENTICATED,
    errors.Broken: Status.INTERNAL,
    errors.DataCorrupt: Status.DATA_LOSS,
}

ANSWER_FIELDS: Final = indexed(":status", "200") + literal("content-type", "application/grpc")
"""The header block of every answer."""
OK_FIELDS: Final = literal("grpc-status", "0")
"""The trailers of a call that went well."""


class CallRefused(Exception):
    """What a client sent is no gRPC, or too much of it: the call ends with a status."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


def status_of(error: GanglionError | type[GanglionError]) -> Status:
    """Return the status of an error: its own row, or its family's."""
    kind = error if isinstance(error, type) else type(error)
    status = next(_STATUSES[base] for base in kind.__mro__ if base in _STATUSES)
    # Clients repeat by themselves what is unavailable.
    return Status.FAILED_PRECONDITION if status is Status.UNAVAILABLE and not kind.retryable else status


@lru_cache(maxsize=256)
def status_fields(status: Status, text: str) -> bytes:
    """Return the trailers that say `status` and, for people, `text`; a long one is cut."""
    fields = literal("grpc-status", str(int(status)))
    if status is Status.UNIMPLEMENTED:
        fields += literal("grpc-accept-encoding", ENCODINGS)
    if not text:
        return fields
    kept = text.encode(errors="replace")[:_TEXT_BYTES_MAX].decode(errors="ignore")
    return fields + literal("grpc-message", quote(kept, safe=_PLAIN))


def plain_answer(http_status: int, text: str) -> bytes:
    """Return the header block of an answer to what is no gRPC at all."""
    return literal(":status", str(http_status)) + status_fields(Status.UNKNOWN, text)
