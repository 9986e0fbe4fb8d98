"""The single-file form: an uncompressed tar archive of which every byte is decided by the members.

A reader that knows the manifest knows each header, each order and the length of the file. So nothing
is parsed but the manifest's size: every header is compared with the one that `pack` would have
written, and a link, a device, a second entry of a name, `..` or trailing bytes cannot be expressed.
"""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeAlias

import msgspec

from ganglion.adapters.package_files import durable
from ganglion.adapters.package_files.contents import map_file
from ganglion.adapters.package_files.directory import CHUNK_BYTES, MANIFEST_BYTES_MAX, read_manifest, write_member
from ganglion.core import manifest as manifests
from ganglion.core.errors import InvalidPackage, NotFound
from ganglion.core.manifest import MANIFEST_PATH, Manifest, Member
from ganglion.disk import disk_errors

_BLOCK = tarfile.BLOCKSIZE
_SIZE_FIELD = slice(124, 136)
_END = bytes(2 * _BLOCK)

Gate: TypeAlias = Callable[[Manifest, Mapping[str, memoryview]], None]
"""Looks at the bytes of all members before anybody uses one. Raises: InvalidPackage."""


class PackageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a model package may be."""

    file_bytes_max: int = 2_000_000_000
    """A larger single-file package is refused before it is read."""


def pack(directory: Path, file: Path) -> None:
    """Write the single-file form of a package directory. The same members give the same bytes, on any day.

    Raises: InvalidPackage: the directory is not what its manifest says. NotFound, DiskUnusable.
    """
    manifest = read_manifest(directory)
    data = manifests.encode(manifest)
    with durable.create_file(file) as partial, partial.open("wb") as stream:
        stream.write(_header(MANIFEST_PATH, len(data)) + data + _padding(len(data)))
        for path, member in sorted(manifest.members.items()):
            stream.write(_header(path, member.size_bytes))
            _copy_member(directory / path, path, member, stream)
            stream.write(_padding(member.size_bytes))
        stream.write(_END)
        stream.flush()
        os.fsync(stream.fileno())


class PackageArchives:
    """Implements `ports.packages.PackageFiles` on tar archives; with a `gate`, no package comes in that it refuses."""

    def __init__(self, limits: PackageLimits | None = None, *, gate: Gate | None = None) -> None:
        self._limits, self._gate = limits or PackageLimits(), gate

    def inspect(self, file: Path) -> Manifest:
        """Check the whole file and return its manifest. Raises: NotFound, InvalidPackage."""
        with self._open(file) as archive:
            starts = archive.check_members()
            if self._gate:
                with map_file(file) as data:
                    members = archive.manifest.members
                    parts = {path: data[at : at + members[path].size_bytes] for path, at in starts.items()}
                    self._gate(archive.manifest, parts)
            return archive.manifest

    def unpack(self, file: Path, directory: Path) -> Manifest:
        """Check and unpack into `directory`, which appears whole or not at all.

        The same package, intact, is left as it is: something may be running from it. Anything else is replaced.
        Raises: NotFound, InvalidPackage, DiskUnusable.
        """
        if _is_intact(directory, manifest := self.inspect(file)):
            return manifest
        with self._open(file) as archive:
            durable.create_directory(directory, archive.unpack_into)
            return archive.manifest

    def check(self, directory: Path) -> Manifest:
        """Check an unpacked package completely and return its manifest. Raises: NotFound, InvalidPackage."""
        return read_manifest(directory)

    @contextmanager
    def _open(self, file: Path) -> Iterator["_Archive"]:
        if not file.is_file():
            raise NotFound(f"there is no package file {file}")
        with disk_errors(file), file.open("rb") as stream:
            size_bytes = os.fstat(stream.fileno()).st_size
            if size_bytes > self._limits.file_bytes_max:
                raise InvalidPackage(f"{file.name} has {size_bytes} bytes; file_bytes_max is the limit")
            yield _Archive(stream, size_bytes, file.name)


class _Archive:
    """One open archive, read from front to back."""

    def __init__(self, stream: BinaryIO, size_bytes: int, name: str) -> None:
        self._stream = stream
        self._name = name
        data = self._read_manifest()
        self.manifest = manifests.parse(data)
        if manifests.encode(self.manifest) != data:
            self._refuse(f"{MANIFEST_PATH} is not in its canonical form")
        if size_bytes != _size_of(len(data), self.manifest.members):
            self._refuse(f"it has {size_bytes} bytes, its manifest says otherwise: it was cut short or added to")

    def check_members(self) -> dict[str, int]:
        """Read and compare every member; return where in the file each begins."""
        starts = {}
        for path, member in self.members():
            starts[path] = self._stream.tell()
            for _ in self.content(path, member):
                pass
        return starts

    def members(self) -> Iterator[tuple[str, Member]]:
        """Yield each member with the stream at its first byte; `content` must be read before the next."""
        for path, member in sorted(self.manifest.members.items()):
            if self._stream.read(_BLOCK) != _header(path, member.size_bytes):
                self._refuse(f"the entry of {path} is not as `ganglion` writes it")
            yield path, member
            if self._stream.read(-member.size_bytes % _BLOCK).strip(b"\0"):
                self._refuse(f"there are bytes between the members, after {path}")
        if self._stream.read() != _END:
            self._refuse("there are bytes after the last member")

    def content(self, path: str, member: Member) -> Iterator[bytes]:
        """Yield a member's bytes. The hash is compared after the last: treat none as good before that."""
        digest, waiting = hashlib.sha256(), member.size_bytes
        while waiting:
            chunk = self._stream.read(min(CHUNK_BYTES, waiting))
            if not chunk:
                self._refuse(f"it ends inside {path}")
            digest.update(chunk)
            waiting -= len(chunk)
            yield chunk
        if digest.hexdigest() != member.sha256:
            self._refuse(f"{path} is damaged: its SHA-256 is not the manifest's")

    def unpack_into(self, directory: Path) -> None:
        """Write every member below `directory`, which is new and empty."""
        write_member(directory / MANIFEST_PATH, [manifests.encode(self.manifest)])
        for path, member in self.members():
            write_member(directory / path, self.content(path, member))

    def _read_manifest(self) -> bytes:
        header = self._stream.read(_BLOCK)
        digits = header[_SIZE_FIELD].rstrip(b"\0 ")
        size_bytes = int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else -1
        if not 0 <= size_bytes <= MANIFEST_BYTES_MAX or header != _header(MANIFEST_PATH, size_bytes):
            self._refuse(f"it does not begin with {MANIFEST_PATH}")
        data = self._stream.read(size_bytes)
        if len(data) != size_bytes:
            self._refuse(f"it ends inside {MANIFEST_PATH}")
        if self._stream.read(-size_bytes % _BLOCK).strip(b"\0"):
            self._refuse(f"there are bytes between the members, after {MANIFEST_PATH}")
        return data

    def _refuse(self, reason: str) -> NoReturn:
        raise InvalidPackage(f"{self._name} is no intact model package: {reason}")


def _is_intact(directory: Path, manifest: Manifest) -> bool:
    try:
        return read_manifest(directory) == manifest
    except (NotFound, InvalidPackage):
        return False


def _copy_member(source: Path, path: str, member: Member, stream: BinaryIO) -> None:
    """Copy and hash again: the file may change between the check and this."""
    digest = hashlib.sha256()
    with source.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            digest.update(chunk)
            stream.write(chunk)
    if digest.hexdigest() != member.sha256:
        raise InvalidPackage(f"{path} changed while it was packed")


def _header(path: str, size_bytes: int) -> bytes:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = size_bytes, 0o644
    try:
        return entry.tobuf(format=tarfile.USTAR_FORMAT, encoding="utf-8", errors="strict")
    except ValueError as error:
        raise InvalidPackage(f"{path[:80]!r} does not fit a tar header: {error}") from error


def _padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % _BLOCK)


def _size_of(manifest_bytes: int, members: Mapping[str, Member]) -> int:
    sizes = [manifest_bytes, *(member.size_bytes for member in members.values())]
    return sum(_BLOCK + size + -size % _BLOCK for size in sizes) + len(_END)
