"""Recognises JSON requests that differ in the numbers of their one tensor only, and finds those numbers in the bytes.

What stands before and after the list is remembered once it was proved: the document was decoded again with another
list in that place, and nothing but the data of the tensor changed. Whatever list stands there the next time, a
JSON parser would read the rest of the document as it did before.
"""

from typing import Generic, TypeVar

import msgspec

from ganglion.entrypoints.inference_api import oip_document
from ganglion.entrypoints.inference_api.memo import Memo
from ganglion.entrypoints.inference_api.oip_document import NOT_SENT, Document

V = TypeVar("V")

_KEY, _OPEN, _CLOSE, _QUOTE = b'"data":', b"[", b"}", b'"'
_BETWEEN = b", \t\r\n"
_AROUND_BYTES_MAX = 4096
_KNOWN_MAX = 512
_PROBE = b"[7]"


class JsonGaps(Generic[V]):
    """What is known about documents with a gap. For one thread."""

    def __init__(self) -> None:
        self._known: Memo[tuple[bytes, bytes], V] = Memo(_KNOWN_MAX)

    def find(self, body: bytes) -> tuple[V, int, int] | None:
        """Return what was learned about the document around the gap, and where the gap begins and ends."""
        place = _locate(body)
        if place is None:
            return None
        start, end = place
        value = self._known.get((body[:start], body[end:]))
        return None if value is None else (value, start, end)

    def learn(self, document: Document, body: bytes, value: V) -> None:
        """Remember `value` for what stands around the data of a document's only tensor, if that can be proved."""
        place = _locate(body)
        if place is None or len(document.inputs) != 1:
            return
        start, end = place
        if start + len(body) - end > _AROUND_BYTES_MAX or bytes(document.inputs[0].data) != body[start:end]:
            return
        probe = oip_document.parse(body[:start] + _PROBE + body[end:])
        if bytes(probe.inputs[0].data) == _PROBE and _without_data(probe) == _without_data(document):
            self._known.remember((body[:start], body[end:]), value)


def _locate(body: bytes) -> tuple[int, int] | None:
    """Return where the list after the first "data" seems to begin and to end; lists of strings are not found."""
    key = body.find(_KEY, 0, _AROUND_BYTES_MAX)
    start = body.find(_OPEN, key) if key >= 0 else -1
    stop = body.find(_CLOSE, start) if start >= 0 else -1
    if stop < 0:
        return None
    quote = body.find(_QUOTE, start, stop)
    if quote >= 0:
        stop = quote
    while stop > start and body[stop - 1] in _BETWEEN:
        stop -= 1
    return start, stop


def _without_data(document: Document) -> Document:
    inputs = tuple([msgspec.structs.replace(item, data=NOT_SENT) for item in document.inputs])
    return msgspec.structs.replace(document, inputs=inputs)
