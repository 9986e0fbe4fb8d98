"""Who is at the other end of a connection, and whether anybody still is."""

import ipaddress
import socket

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""Every HTTP/1.1 client passes over it; a machine whose program has gone answers it with a reset."""
PROBE_S = 0.05
"""How long that answer may take on a short way; on a longer one the next look finds it."""


def is_local(address: object) -> bool:
    """Say whether a peer address, as the loop names it, is one of this machine: a Unix socket, or loopback."""
    if not isinstance(address, tuple):
        return True
    host = ipaddress.ip_address(str(address[0]).partition("%")[0])
    mapped = getattr(host, "ipv4_mapped", None)
    return bool((mapped or host).is_loopback)


def was_reset(connection: socket.socket) -> bool:
    """Say whether the other end has refused what was sent. The loop does not look at a connection that has ended."""
    try:
        return bool(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    except OSError:
        return True
