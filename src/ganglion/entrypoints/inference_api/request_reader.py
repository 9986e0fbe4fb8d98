"""Turns the bytes of one connection into requests, and refuses what breaks a limit or the grammar.

The grammar is llhttp's, in its strict mode: two lengths, a length and chunks, or a bare line feed are errors
there, because two readers of such a request may disagree on where it ends.
"""

from collections.abc import Callable
from typing import TypeAlias

import httptools
import msgspec

from ganglion.core.errors import Overloaded, TooLarge
from ganglion.entrypoints.inference_api.limits import BodyBudget, HttpLimits
from ganglion.entrypoints.inference_api.memo import Memo
from ganglion.entrypoints.inference_api.messages import Head, HttpRefusal, Request, problem_response, refusal

HEADER_LENGTH = b"inference-header-content-length"
TIMEOUT_MS = b"x-request-timeout-ms"
TIMING = b"x-request-timing"
KEY = b"ganglion-key"
ACCEPT = b"accept"
AUTHORIZATION = b"authorization"
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"content-encoding", b"expect"})
_NOT_PLAIN = frozenset({b"transfer-encoding", b"expect"})
_KEPT = _FRAMING | {HEADER_LENGTH, TIMEOUT_MS, TIMING, KEY, ACCEPT, AUTHORIZATION}

_END_OF_HEAD = b"\r\n\r\n"
_KNOWN_HEAD_BYTES_MAX = 1024


class KnownHead(msgspec.Struct, frozen=True, gc=False):
    """A head that was parsed before, and how long the body is that it announces."""

    head: Head
    length: int


KnownHeads: TypeAlias = Memo[bytes, KnownHead]
"""Heads by their bytes; shared by all connections. The parser judged each of them once, and would judge it the same."""


class RequestReader:
    """Feeds the parser. `deliver` gets every complete request, `on_expect` hears of a client that awaits 100."""

    def __init__(
        self,
        limits: HttpLimits,
        budget: BodyBudget,
        known: KnownHeads,
        *,
        deliver: Callable[[Request], None],
        on_expect: Callable[[], None],
    ) -> None:
        self._limits, self._budget, self._known = limits, budget, known
        self._deliver, self._on_expect = deliver, on_expect
        self._parser = httptools.HttpRequestParser(self)
        self.is_receiving = False
        self.is_local = False
        """Whether the client is on this machine, and may be given more than a stranger."""
        self.certificate = ""
        """SHA-256 of the certificate that the client has proved to own; empty: none."""
        self._refusal: HttpRefusal | None = None
        self._has_progressed = False
        self._stalled_bytes = 0
        self._unparsed_bytes = 0
        self._whole: bytes | None = None
        """What is being fed, if it begins with a request."""
        self._begin()

    def recognise(self, data: bytes) -> Request | None:
        """Return the request in `data` if that is exactly one, with a head that is known; else take nothing."""
        end = data.find(_END_OF_HEAD, 0, _KNOWN_HEAD_BYTES_MAX) + len(_END_OF_HEAD)
        known = self._known.get(data[:end])
        if known is None or len(data) != end + known.length:
            return None
        if self.is_receiving or self._stalled_bytes or self._unparsed_bytes:
            return None
        # Before the parser is asked: what it refuses, it refuses with the right words.
        if known.length > self._limits.body_bytes_max or not self._budget.take(known.length):
            return None
        return Request(known.head, data[end:], self.is_local, self.certificate)

    def feed(self, data: bytes) -> None:
        """Take bytes as they come. Raises: HttpRefusal: nothing more can be read from this connection."""
        self._whole = data if self._is_between_requests else None
        while data:
            data = self._feed_raw(data) if self._unparsed_bytes else self._feed_parser(data)
        self._whole = None

    def discard(self) -> None:
        """Forget a request that will not be completed."""
        self._budget.give_back(self._body_bytes)
        self.is_receiving = False
        self._begin()

    @property
    def _is_between_requests(self) -> bool:
        """Nothing of the next request has been seen, not even an empty line."""
        return not (self.is_receiving or self._stalled_bytes or self._unparsed_bytes)

    def _begin(self) -> None:
        self._target, self._method = b"", b""
        self._is_last = self._has_head = False
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._parts: list[bytes] = []
        self._body_bytes = 0

    def _feed_parser(self, data: bytes) -> bytes:
        """Parse `data`, and return what follows a request that asks for another protocol."""
        self._has_progressed = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # We speak nothing else, and may ignore the wish; but the parser takes the body for the other protocol.
            return data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            raise self._refusal or refusal(400, f"not a correct HTTP/1.1 request: {error}") from error
        # A header, trailer or chunk extension that never ends calls nothing back, and grows inside the parser.
        self._stalled_bytes = 0 if self._has_progressed else self._stalled_bytes + len(data)
        if self._stalled_bytes > self._limits.head_bytes_max:
            raise refusal(431, f"a header field has more than {self._limits.head_bytes_max} bytes")
        return b""

    def _feed_raw(self, data: bytes) -> bytes:
        part = data[: self._unparsed_bytes]
        self._add_body(part)
        self._unparsed_bytes -= len(part)
        if not self._unparsed_bytes:
            self._complete()
        return data[len(part) :]

    # --- called by the parser -------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._has_progressed = True
        self.is_receiving = True

    def on_url(self, url: bytes) -> None:
        """A part of the target has come."""
        self._count_head(len(url))
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header or trailer field is complete."""
        self._count_head(len(name) + len(value) + 4)
        name = name.lower()
        if name in _KEPT and not self._has_head:  # A trailer must not change what the head said.
            if name == ACCEPT and name in self._headers:
                value = self._headers[name] + b"," + value  # A list may be sent in parts; everything else is said once.
            elif name in self._headers:
                self._refuse(refusal(400, f"the header {name.decode('latin-1')} stands twice"))
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is complete: everything that can be refused before the body is refused now."""
        self._has_head, headers = True, self._headers
        length = int(headers.get(b"content-length", b"0"))
        if length > self._limits.body_bytes_max:
            self._refuse_size(f"the body has {length} bytes")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            self._refuse(refusal(415, "compressed bodies are not accepted: send it without Content-Encoding"))
        expectation = headers.get(b"expect")
        if expectation is not None:
            if expectation.lower() != b"100-continue":
                self._refuse(refusal(417, "the only expectation this server knows is 100-continue"))
            self._on_expect()
        if self._parser.should_upgrade():
            if b"transfer-encoding" in headers:
                self._refuse(refusal(400, "a request to upgrade with a chunked body: send it without Upgrade"))
            self._unparsed_bytes = length

    def on_body(self, body: bytes) -> None:
        """A part of the body has come."""
        self._has_progressed = True
        self._add_body(body)

    def on_chunk_header(self) -> None:
        """The size of a chunk has come."""
        self._has_progressed = True

    def on_message_complete(self) -> None:
        """The request is complete, as far as the parser reads it."""
        self._has_progressed = True
        self._method, self._is_last = self._parser.get_method(), not self._parser.should_keep_alive()
        if not self._unparsed_bytes:
            self._complete()

    # --------------------------------------------------------------------------------------------------

    def _complete(self) -> None:
        parts = self._parts
        head = Head(self._method, self._target, self._headers, self._is_last)
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        request = Request(head, body, self.is_local, self.certificate)
        self._learn(request)
        self.is_receiving = False
        self._begin()
        self._deliver(request)

    def _learn(self, request: Request) -> None:
        """Remember the head of a request that came whole and plain."""
        data, self._whole = self._whole, None
        head = request.head
        if data is None or b"content-length" not in head.headers or head.headers.keys() & _NOT_PLAIN:
            return
        end = data.find(_END_OF_HEAD, 0, _KNOWN_HEAD_BYTES_MAX) + len(_END_OF_HEAD)
        # Lengths that add up prove that the head ends there, and that nothing precedes or follows.
        if end >= len(_END_OF_HEAD) and len(data) == end + len(request.body) and not self._parser.should_upgrade():
            self._known.remember(data[:end], KnownHead(head, len(request.body)))

    def _add_body(self, body: bytes) -> None:
        if self._body_bytes + len(body) > self._limits.body_bytes_max:
            self._refuse_size("the body is longer")
        if not self._budget.take(len(body)):
            self._refuse(HttpRefusal(problem_response(Overloaded("too many large requests at a time"))))
        self._body_bytes += len(body)
        self._parts.append(body)

    def _count_head(self, size: int) -> None:
        self._has_progressed = True
        self._head_bytes += size
        if self._head_bytes > self._limits.head_bytes_max:
            self._refuse(refusal(431, f"the head has more than {self._limits.head_bytes_max} bytes"))

    def _refuse_size(self, what: str) -> None:
        limit = self._limits.body_bytes_max
        self._refuse(HttpRefusal(problem_response(TooLarge(f"{what}; at most {limit} bytes are accepted"))))

    def _refuse(self, reason: HttpRefusal) -> None:
        # The parser replaces what its callbacks raise by an error of its own.
        self._refusal = reason
        raise reason
