"""TLS to a hub that made its own certificate authority: the CA is known by its pin, and no other CA counts.

The pin is the SHA-256 of the CA's public key (SubjectPublicKeyInfo, DER) in hexadecimal. The first answer of a
hub arrives over a connection that nobody has verified yet: nothing but the CA itself is asked for on it, and it
is believed only if its key has the pin.
"""

import hmac
import http.client
import re
import ssl
from typing import NamedTuple

from ganglion.core.errors import DataCorrupt, InvalidRequest
from ganglion.core.identity_errors import CaMismatch
from ganglion.entrypoints.hub_client.errors import refusal, reply_error
from ganglion.entrypoints.hub_client.timed_line import TimedLine
from ganglion.wire import paths

_ADDRESS = re.compile(r"https://(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?/?")
_CA_BYTES_MAX = 65_536
_TIMEOUT_S = 10.0
_PORT_DEFAULT = 443


class HubAddress(NamedTuple):
    """Where a hub listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"https://{self.host}:{self.port}"


class OfferedCa(NamedTuple):
    """A CA certificate as a server sent it: unproven until somebody has compared the pin."""

    pem: bytes
    pin: str


def parse_address(text: str) -> HubAddress:
    """Parse "https://HOST:PORT". Raises: InvalidRequest."""
    match = _ADDRESS.fullmatch(text.strip())
    port = int(match["port"] or _PORT_DEFAULT) if match else 0
    if match is None or not 0 < port <= 65535:  # noqa: PLR2004 - the highest TCP port
        raise InvalidRequest(f"{text[:80]!r} is not the address of a hub; write https://HOST:PORT")
    return HubAddress(match["host"], port)


def fetch_ca(url: str, ca_pin: str) -> bytes:
    """Return the PEM of the hub's CA, once its key was found to have the pin.

    Raises: CaMismatch: it has another. HubUnreachable, InvalidRequest.
    """
    offered = offered_ca(url)
    if not hmac.compare_digest(offered.pin.encode(), ca_pin.strip().lower().encode()):
        raise CaMismatch(f"{parse_address(url)} has a CA with the pin {offered.pin}, expected was {ca_pin}")
    return offered.pem


def offered_ca(url: str) -> OfferedCa:
    """Ask a server for its CA, without believing it. Raises: HubUnreachable, InvalidRequest, CaMismatch."""
    address = parse_address(url)
    host = address.host.strip("[]")
    # Not urllib3, which warns of every unverified connection: here that is the point.
    try:
        with TimedLine(host, address.port, seconds=_TIMEOUT_S, context=_unverified()).opened() as line:
            line.request("GET", paths.CA)
            reply = line.getresponse()
            pem = reply.read(_CA_BYTES_MAX)
    except UnicodeError as error:
        raise InvalidRequest(f"{address.host[:80]!r} cannot be the name of a machine") from error
    except (OSError, http.client.HTTPException) as error:
        raise refusal(address, error) from error
    if reply.status != http.HTTPStatus.OK:
        raise reply_error(address, reply.status, reply.headers.get("Content-Type", ""), pem)
    return OfferedCa(pem, _pin_of(pem))


def _pin_of(pem: bytes) -> str:
    from ganglion.adapters.certificates import ca_pin_of  # noqa: PLC0415 - 60 ms that only joining and login should pay

    try:
        return ca_pin_of(pem)
    except DataCorrupt as error:
        raise CaMismatch("the server did not send a CA certificate; is a hub at this address?") from error


def context_for(ca_pem: bytes) -> ssl.SSLContext:
    """Return a client context that trusts this CA alone, and checks the host name.

    Raises: CaMismatch: not a certificate.
    """
    # Not `create_default_context`, which trusts the system's authorities when it is given an empty file.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=ca_pem.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise CaMismatch("the stored CA certificate is damaged; log in again") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the pin is compared with what arrives, before it is believed
    return context
