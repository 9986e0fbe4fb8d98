"""What the header fields of a client say: which method, until when, in which encoding; or that they say nothing valid.

Source: RFC 9113, section 8; the protocol description of gRPC over HTTP/2.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from ganglion.entrypoints.grpc_api.calls import Status
from ganglion.entrypoints.grpc_api.hpack import Field
from ganglion.entrypoints.grpc_api.statuses import ANSWER_FIELDS, ENCODINGS, plain_answer, status_fields

_PSEUDO: Final = frozenset({":method", ":scheme", ":path", ":authority"})
_NEEDED: Final = (":method", ":scheme", ":path")
_OF_CONNECTION: Final = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_BAD_IN_VALUE: Final = re.compile(r"[\x00\r\n]|^[ \t]|[ \t]$")
_TIMEOUT: Final = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNIT_S: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_CONTENT_TYPES: Final = ("application/grpc", "application/grpc+proto")
_LENGTH: Final = re.compile(r"[0-9]{1,15}")


class Malformed(Exception):
    """The fields are no correct request of HTTP/2."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head of a call."""

    path: str
    metadata: Mapping[str, str]
    """All fields of the client; several of one name are joined by commas."""
    timeout_s: float | None = None
    is_gzip: bool = False
    """Messages may be compressed, each as its flag says."""
    length: int | None = None
    """How many bytes of DATA the client announces."""
    refusal: bytes = b""
    """The header block of the answer to a head that is correct HTTP/2, but no call."""


def request_head(fields: Iterable[Field]) -> RequestHead:
    """Read the fields of a request. Raises: Malformed."""
    metadata = _collected(fields)
    if any(not metadata.get(name) for name in _NEEDED):
        raise Malformed("a pseudo-header field is missing or empty")
    path, length = metadata[":path"], _length(metadata)
    refusal = _refusal(metadata)
    if refusal:
        return RequestHead(path, metadata, length=length, refusal=refusal)
    timeout_s = _timeout_s(metadata.get("grpc-timeout"))
    is_gzip = metadata.get("grpc-encoding") == "gzip"
    return RequestHead(path, metadata, timeout_s, is_gzip, length)


def too_large(bytes_max: int) -> RequestHead:
    """Return the head of a call whose fields are more than anybody needs."""
    text = f"the header fields have more than {bytes_max} bytes"
    return RequestHead("", {}, refusal=ANSWER_FIELDS + status_fields(Status.RESOURCE_EXHAUSTED, text))


def check_trailers(fields: Iterable[Field]) -> None:
    """Read what a client sends after its messages. Raises: Malformed."""
    if any(name.startswith(":") for name in _collected(fields)):
        raise Malformed("a pseudo-header field among trailers")


def _collected(fields: Iterable[Field]) -> dict[str, str]:
    metadata: dict[str, str] = {}
    is_regular = False
    for name, value in fields:
        if name.startswith(":"):
            if is_regular or name not in _PSEUDO or name in metadata:
                raise Malformed("a pseudo-header field is unknown, twice there, or late")
            metadata[name] = value
        else:
            is_regular = True
            _check_regular(name, value)
            metadata[name] = f"{metadata[name]},{value}" if name in metadata else value
        if _BAD_IN_VALUE.search(value):
            raise Malformed(f"the field {name} has a value with forbidden characters")
    return metadata


def _check_regular(name: str, value: str) -> None:
    if not _NAME.fullmatch(name) or name in _OF_CONNECTION or (name == "te" and value != "trailers"):
        raise Malformed(f"the field {name!r} has no place in HTTP/2")


def _length(metadata: Mapping[str, str]) -> int | None:
    text = metadata.get("content-length")
    if text is None:
        return None
    if not _LENGTH.fullmatch(text):
        raise Malformed("content-length is no number")
    return int(text)


def _refusal(metadata: Mapping[str, str]) -> bytes:
    """Return what to answer to a request that is no call; nothing for one that is."""
    if metadata[":method"] != "POST":
        return plain_answer(HTTPStatus.METHOD_NOT_ALLOWED, "calls are made with POST")
    kind = metadata.get("content-type", "").partition(";")[0].strip()
    if kind not in _CONTENT_TYPES:
        return plain_answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the content-type of a call is application/grpc")
    if "te" not in metadata:
        return plain_answer(HTTPStatus.BAD_REQUEST, "a call has the field te: trailers")
    encoding = metadata.get("grpc-encoding", "identity")
    if encoding not in ENCODINGS.split(","):
        text = f"messages are taken in {ENCODINGS}, not in {encoding[:40]!r}"
        return ANSWER_FIELDS + status_fields(Status.UNIMPLEMENTED, text)
    timeout = metadata.get("grpc-timeout")
    if timeout is not None and not _TIMEOUT.fullmatch(timeout):
        text = f"grpc-timeout is {timeout[:40]!r}: up to eight digits and one of H, M, S, m, u, n"
        return ANSWER_FIELDS + status_fields(Status.INVALID_ARGUMENT, text)
    return b""


def _timeout_s(text: str | None) -> float | None:
    matched = _TIMEOUT.fullmatch(text) if text is not None else None
    return int(matched[1]) * _UNIT_S[matched[2]] if matched else None
