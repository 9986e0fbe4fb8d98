import msgspec
import pytest

from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.trust import files
from ganglion.trust.assignment import public_key_of
from ganglion.trust.files import FilesStatement, ListedFile

KEY, OTHER = b"k" * 32, b"o" * 32
KEYS = (public_key_of(KEY),)
LIST = FilesStatement(
    node_id="n1", incarnation="i", revision=7, files=(ListedFile(name="map", sha256="a" * 64, size_bytes=3),)
)


def test_a_list_that_a_known_key_signed_is_believed() -> None:
    files.verify(KEYS, files.sign(KEY, LIST), LIST)


@pytest.mark.parametrize(
    "changed",
    [
        msgspec.structs.replace(LIST, node_id="n2"),
        msgspec.structs.replace(LIST, revision=8),
        msgspec.structs.replace(LIST, incarnation="j"),
        msgspec.structs.replace(LIST, files=()),
        msgspec.structs.replace(LIST, files=(ListedFile(name="map", sha256="b" * 64, size_bytes=3),)),
        msgspec.structs.replace(LIST, files=(ListedFile(name="cap", sha256="a" * 64, size_bytes=3),)),
        msgspec.structs.replace(LIST, files=(*LIST.files, *LIST.files)),
    ],
)
def test_a_list_of_something_else_passes_for_no_other(changed: FilesStatement) -> None:
    with pytest.raises(ArtifactUntrusted):
        files.verify(KEYS, files.sign(KEY, changed), LIST)


def test_a_stranger_cannot_sign_and_no_bit_can_change() -> None:
    signed = files.sign(KEY, LIST)
    forged = files.SignedFiles(signed.payload, signed.key_id, bytes([signed.signature[0] ^ 1]) + signed.signature[1:])
    renamed = files.SignedFiles(files.sign(OTHER, LIST).payload, KEYS[0], files.sign(OTHER, LIST).signature)

    for attempt in (files.sign(OTHER, LIST), forged, renamed, files.SignedFiles(b"", "", b"")):
        with pytest.raises(ArtifactUntrusted):
            files.verify(KEYS, attempt, LIST)


def test_a_list_longer_than_anybody_means_is_not_read() -> None:
    endless = msgspec.structs.replace(LIST, files=LIST.files * 1000)

    with pytest.raises(ArtifactUntrusted, match="more than"):
        files.verify(KEYS, files.sign(KEY, endless), endless)
