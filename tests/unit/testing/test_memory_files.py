import hashlib

import pytest

from ganglion.core.errors import NotFound
from ganglion.core.ids import Digest
from ganglion.ports.artifacts import ArtifactStore
from ganglion.ports.metadata_files import MetadataFiles, SigningKeys
from ganglion.testing.memory_files import MemoryArtifactStore, MemoryMetadataFiles, MemorySigningKeys


def test_a_file_is_replaced_and_a_missing_one_is_none() -> None:
    files: MetadataFiles = MemoryMetadataFiles()

    files.write("1.root.json", b"old")
    files.write("1.root.json", b"new")

    assert files.read("1.root.json") == b"new"
    assert files.read("2.root.json") is None


def test_a_role_has_one_key_of_32_bytes() -> None:
    keys: SigningKeys = MemorySigningKeys()

    assert keys.private_bytes("root") == keys.private_bytes("root")
    assert keys.private_bytes("root") != keys.private_bytes("targets")
    assert len(keys.private_bytes("root")) == 32


def test_content_is_found_by_its_sha256() -> None:
    store: ArtifactStore = MemoryArtifactStore()

    digest = store.put(b"weights")

    assert digest == hashlib.sha256(b"weights").hexdigest()
    assert store.read(digest) == b"weights"
    assert store.path(digest).name == digest


def test_unknown_content_is_not_found() -> None:
    store = MemoryArtifactStore()

    with pytest.raises(NotFound):
        store.path(Digest("0" * 64))
