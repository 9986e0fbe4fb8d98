"""What the inference API accepts, and the memory that all requests share."""

import msgspec


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the HTTP server. Whatever exceeds one is answered with a 4xx or 503 and a reason."""

    head_bytes_max: int = 16_384
    """Request line and header fields of one request."""
    body_bytes_max: int = 64_000_000
    """Body of one request; a larger one is refused with 413 before it is read."""
    bodies_bytes_max: int = 512_000_000
    """Bodies of all requests together that are being received or answered; beyond it: 503."""
    connections_max: int = 512
    """Open connections; further ones are told 503 and closed."""
    pipelined_max: int = 16
    """Requests of one connection that are answered at a time; beyond it no more is read from it."""
    request_s: float = 60.0
    """How long a client may take to send one request."""
    idle_s: float = 120.0
    """How long a connection may wait for its next request."""
    write_s: float = 30.0
    """How long a client may leave an answer unread."""
    linger_s: float = 2.0
    """How long a refused client may go on sending: closing at once would destroy the answer on its way."""


class BodyBudget:
    """Bytes of request bodies in memory. When full: shed, with 503."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max

    def take(self, size_bytes: int) -> bool:
        """Reserve `size_bytes` if they are left."""
        if size_bytes > self._left:
            return False
        self._left -= size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Free what was taken."""
        self._left += size_bytes
