"""Metadata files, signing keys and artifacts in memory. Nothing touches a disk unless a test gives one."""

import hashlib
from pathlib import Path

from ganglion.core.errors import NotFound
from ganglion.core.ids import Digest
from ganglion.wire import paths


class MemoryMetadataFiles:
    """Small named files. `files` is open to tests that read or tamper."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None."""
        return self.files.get(name)

    def write(self, name: str, data: bytes) -> None:
        """Replace a file."""
        self.files[name] = data


class MemorySigningKeys:
    """Ed25519 private keys that follow from the role's name and a seed; never use them outside tests."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.names: set[str] = set()
        """The keys that were made, and not removed."""

    def private_bytes(self, role: str) -> bytes:
        """Return the role's 32 bytes: the same ones at every call."""
        self.names.add(role)
        return hashlib.sha256(f"{self._seed}:{role}".encode()).digest()

    def held_bytes(self, role: str) -> bytes | None:
        """Return the role's bytes if they were made."""
        return self.private_bytes(role) if role in self.names else None

    def remove(self, role: str) -> None:
        """Forget a key."""
        self.names.discard(role)


class MemoryArtifactStore:
    """Content by digest. `path` points at a real file only when the store was given a `directory`."""

    def __init__(self, directory: Path | None = None) -> None:
        self.contents: dict[Digest, bytes] = {}
        self._directory = directory

    def put(self, data: bytes) -> Digest:
        """Keep `data` and return its digest."""
        digest = Digest(hashlib.sha256(data).hexdigest())
        self.contents[digest] = data
        return digest

    def put_file(self, path: Path) -> Digest:
        """Keep the content of the file."""
        return self.put(path.read_bytes())

    def path(self, digest: Digest) -> Path:
        """Return where the content lies. Raises: NotFound."""
        data = self.read(digest)
        if self._directory is None:
            return Path("memory") / paths.artifact_name(digest)
        file = self._directory / paths.artifact_name(digest)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    def read(self, digest: Digest) -> bytes:
        """Return the content. Raises: NotFound."""
        try:
            return self.contents[digest]
        except KeyError:
            raise NotFound(f"no artifact has the digest {digest}") from None
