"""A certificate that the operator brings: from a company's authority, or for a proxy in front of the hub."""

import ssl
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from ganglion.adapters.certificates import TlsFiles, ca_pin_of
from ganglion.core.errors import DataCorrupt, InvalidSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFiles:
    """PEM files of the operator. Without a certificate the hub shows its own, and only the authority is another."""

    ca: Path
    """Of the authority by which nodes recognise whatever they connect to."""
    certificate: Path | None = None
    """The hub's, then those between it and the authority."""
    key: Path | None = None


def open_own(own: OwnFiles, hub: TlsFiles, *, now_s: float) -> TlsFiles:
    """Return the files with which the hub serves, beginning with its own ones. Raises: InvalidSettings."""
    pem = _read(own.ca)
    try:
        tls = replace(hub, ca_path=own.ca, ca_pin=ca_pin_of(pem))
    except DataCorrupt as error:
        raise InvalidSettings(f"{own.ca}: {error.message}") from error
    if own.certificate is None or own.key is None:
        return tls
    _check_chain(own.certificate, pem, now=datetime.fromtimestamp(now_s, tz=UTC))
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(own.certificate, own.key, password="")
    except (ssl.SSLError, OSError) as error:
        raise InvalidSettings(f"{own.certificate} and {own.key} are no certificate and its key: {error}") from error
    return replace(tls, cert_path=own.certificate, key_path=own.key)


def _check_chain(file: Path, ca_pem: bytes, *, now: datetime) -> None:
    try:
        chain = [*x509.load_pem_x509_certificates(_read(file)), x509.load_pem_x509_certificate(ca_pem)]
        for shown, issuer in pairwise(chain):
            shown.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise InvalidSettings(f"{file} does not lead to the authority in the settings: {error}") from error
    if not chain[0].not_valid_before_utc <= now < chain[0].not_valid_after_utc:
        raise InvalidSettings(f"{file} is valid until {chain[0].not_valid_after_utc:%Y-%m-%d}, and not now")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidSettings(f"{file} cannot be read: {error.strerror}") from error
