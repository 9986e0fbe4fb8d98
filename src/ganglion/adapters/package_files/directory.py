"""The directory form of a package: the manifest and its members, nothing else."""

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from ganglion.adapters.package_files import durable
from ganglion.core import manifest as manifests
from ganglion.core import npy
from ganglion.core.errors import InvalidPackage, InvalidRequest, NotFound
from ganglion.core.golden import golden_of
from ganglion.core.manifest import MANIFEST_PATH, Manifest, Member
from ganglion.core.steps import Tensor, Tensors
from ganglion.disk import disk_errors

MANIFEST_BYTES_MAX = 4_000_000
GOLDEN_BYTES_MAX = 256_000_000
CHUNK_BYTES = 1 << 20


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest after comparing every member with it.

    Raises: NotFound: there is no package here. InvalidPackage: a member is missing, extra, or not what is listed.
    """
    manifest = peek_manifest(directory)
    with disk_errors(directory):
        _check_names(directory, manifest)
        for name, member in manifest.members.items():
            _check_member(directory / name, name, member)
    return manifest


def peek_manifest(directory: Path) -> Manifest:
    """Return the manifest without looking at any member. Raises: NotFound, InvalidPackage."""
    path = directory / MANIFEST_PATH
    if not path.is_file() or path.is_symlink():
        raise NotFound(f"{directory} is no model package: it has no {MANIFEST_PATH}")
    with disk_errors(directory):
        if path.stat().st_size > MANIFEST_BYTES_MAX:
            raise InvalidPackage(f"{MANIFEST_PATH} is larger than {MANIFEST_BYTES_MAX} bytes")
        return manifests.parse(path.read_bytes())


def read_golden(directory: Path, manifest: Manifest) -> tuple[Tensors, Tensors]:
    """Return the golden inputs and the outputs expected for them. Raises: GoldenMissing, InvalidPackage."""
    golden = golden_of(manifest)
    inputs = {name: _read_tensor(directory, manifest, path) for name, path in golden.inputs.items()}
    outputs = {name: _read_tensor(directory, manifest, path) for name, path in golden.outputs.items()}
    return inputs, outputs


def write_package(directory: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write a package directory, whole or not at all; `files` are the members by path.

    Raises: InvalidPackage: the manifest contradicts itself or `files`. DiskUnusable.
    """
    manifests.check(manifest)
    described = {path: manifests.describe_member(data) for path, data in files.items()}
    if described != manifest.members:
        raise InvalidPackage("the manifest's members are not the files to be written")

    def fill(partial: Path) -> None:
        for path, data in {**files, MANIFEST_PATH: manifests.encode(manifest)}.items():
            write_member(partial / path, [data])

    durable.create_directory(directory, fill)


def write_member(path: Path, chunks: Iterable[bytes]) -> None:
    """Write one file of a package that is being made, durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        stream.writelines(chunks)
        stream.flush()
        os.fsync(stream.fileno())


def _check_names(directory: Path, manifest: Manifest) -> None:
    expected = {MANIFEST_PATH, *manifest.members}
    for folder, folders, files in os.walk(directory):
        for name in (*folders, *files):
            path = Path(folder, name)
            relative = path.relative_to(directory).as_posix()
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                continue
            if not stat.S_ISREG(mode):
                raise InvalidPackage(f"{relative}: links and devices may not be in a package")
            if relative not in expected:
                raise InvalidPackage(f"{relative} is in the package but not in its manifest")


def _check_member(path: Path, name: str, member: Member) -> None:
    if not path.is_file():
        raise InvalidPackage(f"{name} is listed in the manifest but missing")
    if path.stat().st_size != member.size_bytes:
        raise InvalidPackage(f"{name} has {path.stat().st_size} bytes, the manifest says {member.size_bytes}")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, hashlib.sha256).hexdigest()
    if digest != member.sha256:
        raise InvalidPackage(f"{name} is damaged: its SHA-256 is not the manifest's")


def _read_tensor(directory: Path, manifest: Manifest, path: str) -> Tensor:
    if manifest.members[path].size_bytes > GOLDEN_BYTES_MAX:
        raise InvalidPackage(f"{path} is larger than {GOLDEN_BYTES_MAX} bytes")
    with disk_errors(directory):
        data = (directory / path).read_bytes()
    try:
        return npy.decode(data, what=path)
    except InvalidRequest as error:
        raise InvalidPackage(error.message) from error
