"""Keys and certificates on disk. Keys are for the hub's user alone, and every file is replaced in one step."""

import os
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ganglion.core.errors import DataCorrupt
from ganglion.disk import sync_directory

_KEY_MODE = 0o600


def new_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Make a private key and keep it in `path`. Raises: OSError."""
    key = ec.generate_private_key(ec.SECP256R1())
    replace(path, pem_of_key(key), mode=_KEY_MODE)
    return key


def pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM, for files that only their owner can read."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read a private key. Raises: DataCorrupt, OSError."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DataCorrupt(f"{path} holds no readable private key: restore it from a backup") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise DataCorrupt(f"{path} holds a key of another kind: restore it from a backup")
    return key


def load_certificate(path: Path) -> x509.Certificate:
    """Read a certificate. Raises: DataCorrupt, OSError."""
    return parse_certificate(path.read_bytes(), str(path))


def parse_certificate(pem: bytes, what: str) -> x509.Certificate:
    """Return the certificate in `pem`; `what` names it in errors. Raises: DataCorrupt."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise DataCorrupt(f"{what} is no readable certificate: restore it from a backup") from error


def replace(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file that is whole or not there, whatever happens meanwhile. Raises: OSError."""
    draft = path.with_name(f"{path.name}.new")
    # A draft of an earlier attempt may have other permissions, which opening it would keep.
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)
