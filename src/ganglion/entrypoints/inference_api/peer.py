"""Who is at the other end of a connection, and whether anybody still is."""

import asyncio
import hashlib
import ipaddress
import socket
from ssl import SSLObject

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


def is_trusted(transport: asyncio.Transport, *, trusts_loopback: bool) -> bool:
    """Say whether whoever connected needs no proof of who it is.

    A Unix socket admits by its file permissions, loopback if the operator leaves it open. Over TLS everybody proves
    who it is: a proxy on this machine would otherwise pass the whole world on as this machine.
    """
    address = transport.get_extra_info("peername")
    if transport.get_extra_info("ssl_object") is not None or not is_local(address):
        return False
    return trusts_loopback or not isinstance(address, tuple)


def certificate_of(transport: asyncio.Transport) -> str:
    """Return the SHA-256 of the certificate that the client has proved to own, hexadecimal; empty: it showed none."""
    line: SSLObject | None = transport.get_extra_info("ssl_object")
    shown = None if line is None else line.getpeercert(binary_form=True)
    return hashlib.sha256(shown).hexdigest() if shown else ""


def was_reset(connection: socket.socket) -> bool:
    """Say whether the other end has refused what was sent. The loop does not look at a connection that has ended."""
    try:
        return bool(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    except OSError:
        return True
