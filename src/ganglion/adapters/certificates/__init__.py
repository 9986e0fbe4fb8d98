"""An authority of one's own, and the certificate that its server shows: of a hub, or of a node's serving port.

Nodes pin the public key of the hub's authority, so it stays the same for the life of the hub; the certificates
around it are made again in time. Files are replaced in one step each, keys before the certificates
that need them: what a power cut leaves is put right at the next start.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from ganglion.adapters.certificates import files, issue
from ganglion.adapters.certificates.issue import Issuer, pin_of
from ganglion.core.errors import DataCorrupt, DiskUnusable, InvalidRequest, InvalidSettings

_ALWAYS = ("localhost", "127.0.0.1", "::1")
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)(\*\.)?(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*")
_CA_LEFT_MIN = timedelta(days=365)
_SERVER_LEFT_MIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where a server finds its certificate and key, and how nodes recognise the authority."""

    ca_path: Path
    cert_path: Path
    key_path: Path
    ca_pin: str


@dataclass(frozen=True, slots=True)
class IssuedClient:
    """A client's new key and certificate. The PEM holds the key, the certificate, and that of the authority."""

    pem: bytes
    sha256: str
    """Of the certificate (DER), hexadecimal."""
    expires_at_s: float


def open_authority(directory: Path, *, hostnames: Sequence[str], now_s: float, whose: str = "Ganglion hub") -> TlsFiles:
    """Return the TLS files of a server that is reached by `hostnames` (names or addresses) and as localhost.

    What is missing is made; what expires soon, or names other hosts, is made again. Call it at each start
    and daily: a server that runs for longer than its certificate lives must load the new one.
    Raises: InvalidSettings: a hostname cannot stand in a certificate. DataCorrupt, DiskUnusable.
    """
    names = _alternative_names(hostnames)
    tls = TlsFiles(
        ca_path=directory / "ca.pem",
        cert_path=directory / "server.pem",
        key_path=directory / "server.key",
        ca_pin="",
    )
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        issuer = _open_issuer(directory, now_s, whose)
        _renew_server(tls, names, issuer)
    except OSError as error:
        raise DiskUnusable(f"{directory}: {error.strerror or error}") from error
    return replace(tls, ca_pin=pin_of(issuer.key.public_key()))


def issue_client(directory: Path, name: str, *, life_s: float, now_s: float, whose: str) -> IssuedClient:
    """Make a key and a certificate for a client, from the authority of `directory`, which is made if it is missing.

    Raises: DataCorrupt, DiskUnusable. InvalidRequest: the certificate would outlive its authority.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        issuer = _open_issuer(directory, now_s, whose)
    except OSError as error:
        raise DiskUnusable(f"{directory}: {error.strerror or error}") from error
    left = issuer.certificate.not_valid_after_utc - issuer.now
    if not 1 <= life_s <= left.total_seconds():
        raise InvalidRequest(f"a certificate can live for 1 s to {left.days} days: then its authority ends")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = issue.client_certificate(key.public_key(), name, issuer, life=timedelta(seconds=life_s))
    return IssuedClient(
        pem=files.pem_of_key(key) + issue.pem_of(certificate) + issue.pem_of(issuer.certificate),
        sha256=issue.sha256_of(certificate),
        expires_at_s=certificate.not_valid_after_utc.timestamp(),
    )


def expires_at_s(file: Path) -> float:
    """Return when the first certificate of a PEM file expires (s since 1970). Raises: DataCorrupt, DiskUnusable."""
    try:
        return files.load_certificate(file).not_valid_after_utc.timestamp()
    except OSError as error:
        raise DiskUnusable(f"{file} cannot be read: {error.strerror or error}") from error


def ca_pin_of(pem: bytes) -> str:
    """Return the pin of an authority: SHA-256 of its public key (DER SubjectPublicKeyInfo), hexadecimal.

    Raises: DataCorrupt: not a PEM certificate, or one for a key of an unknown kind.
    """
    certificate = files.parse_certificate(pem, "the CA certificate")
    try:
        return pin_of(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise DataCorrupt(f"the CA certificate is for a key that cannot be read: {error}") from error


def _open_issuer(directory: Path, now_s: float, whose: str) -> Issuer:
    """Open the authority. Its certificate is renewed with the same key, so with the same pin."""
    ca_path, key_path = directory / "ca.pem", directory / "ca.key"
    now = datetime.fromtimestamp(int(now_s), tz=UTC)
    key = _authority_key(ca_path, key_path)
    if ca_path.exists():
        certificate = files.load_certificate(ca_path)
        if not issue.belongs(certificate, key):
            raise DataCorrupt(f"{ca_path} and {key_path} do not belong together: restore both from one backup")
        if issue.is_good(certificate, now, left_min=_CA_LEFT_MIN):
            return Issuer(certificate, key, now, whose)
    certificate = issue.authority_certificate(key, now, whose)
    files.replace(ca_path, issue.pem_of(certificate), mode=0o644)
    return Issuer(certificate, key, now, whose)


def _authority_key(ca_path: Path, key_path: Path) -> EllipticCurvePrivateKey:
    if key_path.exists():
        return files.load_key(key_path)
    if ca_path.exists():
        raise DataCorrupt(f"{key_path} is missing, and no node trusts this hub without it: restore it from a backup")
    return files.new_key(key_path)


def _renew_server(tls: TlsFiles, names: list[x509.GeneralName], issuer: Issuer) -> None:
    if tls.cert_path.exists() and tls.key_path.exists():
        certificate, key = files.load_certificate(tls.cert_path), files.load_key(tls.key_path)
        current = issue.belongs(certificate, key) and issue.is_good(certificate, issuer.now, left_min=_SERVER_LEFT_MIN)
        if current and issue.is_issued(certificate, issuer, names):
            return
    key = files.new_key(tls.key_path)
    certificate = issue.server_certificate(key.public_key(), names, issuer)
    files.replace(tls.cert_path, issue.pem_of(certificate), mode=0o644)


def _alternative_names(hostnames: Sequence[str]) -> list[x509.GeneralName]:
    return [_alternative_name(text) for text in dict.fromkeys((*_ALWAYS, *hostnames))]


def _alternative_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        if _DNS_NAME.fullmatch(text):
            return x509.DNSName(text)
    raise InvalidSettings(f"{text[:80]!r} is neither a host name nor an address that a certificate can hold")
