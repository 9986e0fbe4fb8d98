"""What the gRPC server accepts."""

import msgspec


class GrpcLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the gRPC server. Whatever exceeds one is answered with a status or a code of HTTP/2, and a reason."""

    head_bytes_max: int = 16_384
    """Header fields of one call, as HTTP/2 counts them; beyond it: RESOURCE_EXHAUSTED."""
    message_bytes_max: int = 64_000_000
    """One message, inflated; beyond it: RESOURCE_EXHAUSTED."""
    bodies_bytes_max: int = 512_000_000
    """Messages of all calls together that are being received or answered; beyond it: UNAVAILABLE."""
    connections_max: int = 512
    """Open connections; further ones are told to go away."""
    calls_max: int = 128
    """Calls of one connection at a time; further ones are refused, and clients send them again."""
    window_bytes: int = 1_048_576
    """What a client may send on one stream before it is told to go on."""
    connection_window_bytes: int = 4_194_304
    """What a client may send on all its streams before it is told to go on."""
    unsent_bytes_max: int = 128_000_000
    """Answers of one call that its client has not made room for; beyond it the stream is reset."""
    nuisances_max: int = 1_000
    """Frames of one connection per second that ask for nothing: resets, pings, empty ones; beyond it: GOAWAY."""
    request_s: float = 60.0
    """How long a client may take to send one message, or the fields of one call."""
    idle_s: float = 300.0
    """How long a connection may be without calls."""
    write_s: float = 30.0
    """How long a client may leave answers unread."""
    probe_after_s: float = 60.0
    """How long a client with open calls may be silent before it is sent a ping."""
    probe_s: float = 20.0
    """How long it may take to answer that."""
    linger_s: float = 2.0
    """How long a refused client may go on sending: closing at once would destroy the reason on its way."""
