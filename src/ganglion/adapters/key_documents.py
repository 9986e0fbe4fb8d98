"""Signing keys of people: the private half in a PKCS#8 file under a passphrase, the public half beside it as JSON.

The public file has the name of the private one with `.pub` after it. It is no secret, and travels to ceremonies.
"""

import os
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from ganglion.core.errors import Conflict, DiskUnusable, InvalidRequest
from ganglion.core.trust_errors import KeyUnreadable
from ganglion.trust.ceremony.inventory import KEY_NAME_FIELD

PASSPHRASE_LENGTH_MIN = 8
_PUBLIC = ".pub"
_FILE_BYTES_MAX = 65_536
_ED25519 = "ed25519"


def make_key(file: Path, name: str, passphrase: str) -> SSlibKey:
    """Write a new key pair and return its public half.

    Raises: Conflict: there is a file of this name. InvalidRequest: the passphrase is too short. DiskUnusable.
    """
    public_file = public_file_of(file)
    for each in (file, public_file):
        if each.exists():
            raise Conflict(f"{each} is there already; a key is never written over")
    if len(passphrase) < PASSPHRASE_LENGTH_MIN:
        raise InvalidRequest(f"a passphrase has at least {PASSPHRASE_LENGTH_MIN} characters")
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode()))
    public = SSlibKey.from_crypto(private.public_key())
    public.unrecognized_fields[KEY_NAME_FIELD] = name
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DiskUnusable(f"{file.parent} cannot be made: {error.strerror}") from error
    # The public half last: a key that can be listed in a root can also sign.
    _write_new(file, pem, mode=0o600)
    _write_new(public_file, encode_public(public), mode=0o644)
    return public


def public_file_of(file: Path) -> Path:
    """Return where the public half of a private key's file lies."""
    return file.with_name(file.name + _PUBLIC)


def encode_public(key: SSlibKey) -> bytes:
    """Return the content of a public key's file."""
    document = {"keyid": key.keyid, **key.to_dict()}
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2) + b"\n"


def read_public(file: Path) -> SSlibKey:
    """Return a public key. Raises: KeyUnreadable: the file is not one, or its id does not belong to it."""
    try:
        document = msgspec.json.decode(_read(file), type=dict[str, object])
        keyid = str(document.pop("keyid"))
        key = SSlibKey.from_dict(keyid, document)
    except (msgspec.DecodeError, KeyError, ValueError, TypeError) as error:
        raise KeyUnreadable(f"{file} is not a public key's file (they end in {_PUBLIC})") from error
    if key.keytype != _ED25519 or key.scheme != _ED25519:
        raise KeyUnreadable(f"{file} is a key for {key.scheme}, only {_ED25519} is used here")
    if key_from_raw(key.keyval["public"]).keyid != keyid:
        raise KeyUnreadable(f"{file}: the key id does not belong to the key")
    return key


def key_from_raw(public: str, name: str = "") -> SSlibKey:
    """Return the key with this raw public half, hexadecimal. Raises: KeyUnreadable."""
    try:
        key = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)))
    except ValueError as error:
        raise KeyUnreadable("this is not a raw Ed25519 key: 64 hexadecimal digits") from error
    if name:
        key.unrecognized_fields[KEY_NAME_FIELD] = name
    return key


def read_signer(file: Path, passphrase: str) -> CryptoSigner:
    """Open a private key. Raises: KeyUnreadable: damaged, no Ed25519 key, or another passphrase."""
    try:
        private = load_pem_private_key(_read(file), passphrase.encode() or None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnreadable(f"{file} does not open with this passphrase, or is not a private key") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyUnreadable(f"{file} is no {_ED25519} key")
    return CryptoSigner(private)


def _write_new(file: Path, data: bytes, *, mode: int) -> None:
    """Write a file that must not be there yet, durably."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        with os.fdopen(descriptor, "wb") as target:
            target.write(data)
            target.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise DiskUnusable(f"{file} cannot be written: {error.strerror}") from error


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            return source.read(_FILE_BYTES_MAX)
    except OSError as error:
        raise KeyUnreadable(f"{file} cannot be read: {error.strerror}") from error
