"""Private keys in files: what opens, what does not, and what is never written over."""

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from ganglion.adapters import key_documents
from ganglion.core.errors import Conflict, DiskUnusable, InvalidRequest
from ganglion.core.trust_errors import KeyUnreadable

PASSPHRASE = "correct horse battery"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "ada"
    key_documents.make_key(file, "ada", PASSPHRASE)
    return file


def test_the_two_halves_belong_together_and_carry_their_name(key: Path) -> None:
    public = key_documents.read_public(key_documents.public_file_of(key))
    signer = key_documents.read_signer(key, PASSPHRASE)

    public.verify_signature(signer.sign(b"words"), b"words")

    assert public.keyid == signer.public_key.keyid
    assert public.unrecognized_fields["ganglion_name"] == "ada"


def test_the_private_half_is_encrypted_and_its_owners_alone(key: Path) -> None:
    assert key.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("passphrase", ["another passphrase", "", "x" * 100_000, "ünïcode"])
def test_another_passphrase_opens_nothing(key: Path, passphrase: str) -> None:
    with pytest.raises(KeyUnreadable, match="passphrase"):
        key_documents.read_signer(key, passphrase)


def test_a_passphrase_may_hold_any_character(tmp_path: Path) -> None:
    key_documents.make_key(tmp_path / "bo", "bo", "päßwörter 鍵 🔑")

    assert key_documents.read_signer(tmp_path / "bo", "päßwörter 鍵 🔑")


def test_a_short_passphrase_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="at least 8"):
        key_documents.make_key(tmp_path / "keys" / "ada", "ada", "1234567")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["ada", "ada.pub"])
def test_no_key_is_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"precious")

    with pytest.raises(Conflict):
        key_documents.make_key(tmp_path / "ada", "ada", PASSPHRASE)

    assert (tmp_path / name).read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(DiskUnusable):
        key_documents.make_key(tmp_path / "file" / "ada", "ada", PASSPHRASE)


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 500, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_what_is_no_private_key_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "noise").write_bytes(data)

    with pytest.raises(KeyUnreadable):
        key_documents.read_signer(tmp_path / "noise", PASSPHRASE)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    protection = BestAvailableEncryption(PASSPHRASE.encode())
    (tmp_path / "ec").write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))

    with pytest.raises(KeyUnreadable, match="ed25519"):
        key_documents.read_signer(tmp_path / "ec", PASSPHRASE)


def changed(key: Path, **fields: object) -> Path:
    file = key_documents.public_file_of(key)
    document = msgspec.json.decode(file.read_bytes())
    file.write_bytes(msgspec.json.encode({**document, **fields}))
    return file


@pytest.mark.parametrize(
    "fields",
    [
        {"keyid": "ab" * 32},
        {"keytype": "rsa"},
        {"scheme": "rsassa-pss-sha256"},
        {"keyval": {"public": "zz"}},
        {"keyval": {"public": "00" * 31}},
        {"keyval": {}},
        {"keyval": 3},
    ],
)
def test_a_public_file_that_does_not_say_one_thing_is_refused(key: Path, fields: dict[str, object]) -> None:
    with pytest.raises(KeyUnreadable):
        key_documents.read_public(changed(key, **fields))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"\xff"])
def test_what_is_no_public_key_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.pub").write_bytes(data)

    with pytest.raises(KeyUnreadable):
        key_documents.read_public(tmp_path / "x.pub")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyUnreadable, match="nowhere"):
        key_documents.read_public(tmp_path / "nowhere")
    with pytest.raises(KeyUnreadable, match="nowhere"):
        key_documents.read_signer(tmp_path / "nowhere", PASSPHRASE)
