"""Brings a frozen data set from the hub. Everything is named by its digest, and believed only if it has it."""

import tempfile
from pathlib import Path

import msgspec

from ganglion.core import npy
from ganglion.core.errors import Conflict, DiskUnusable, InvalidRequest
from ganglion.core.ids import parse_digest
from ganglion.core.steps import DATATYPES, Tensor
from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.entrypoints.hub_client.connection import HubConnection
from ganglion.wire import paths
from ganglion.wire.resources import DatasetManifest, DatasetTensor, DatasetView


def fetch(hub: HubConnection, view: DatasetView) -> tuple[DatasetManifest, dict[str, Tensor]]:
    """Return the manifest and the inputs of a data set version. Raises: ArtifactUntrusted, NotFound."""
    digest = parse_digest(view.sha256)
    manifest = _manifest(hub.content(paths.artifact(digest), digest))
    arrays = {name: _tensor(hub, name, tensor) for name, tensor in manifest.inputs.items()}
    for name, array in arrays.items():
        if not array.shape or array.shape[0] != len(manifest.labels):
            raise ArtifactUntrusted(f"the input {name!r} has the shape {array.shape}, not {len(manifest.labels)} rows")
    return manifest, arrays


def save(hub: HubConnection, view: DatasetView, directory: Path) -> DatasetManifest:
    """Write manifest.json and <digest>.npy per input into a new directory, which appears whole or not at all.

    Raises: Conflict: the directory is there already. ArtifactUntrusted, NotFound, DiskUnusable.
    """
    if directory.exists():
        raise Conflict(f"{directory} is there already; name another directory")
    try:
        with tempfile.TemporaryDirectory(prefix=".dataset-", dir=directory.parent) as unfinished:
            manifest = _save_members(hub, view, Path(unfinished))
            Path(unfinished).rename(directory)
            Path(unfinished).mkdir()  # what the end of this block removes
    except OSError as error:
        raise DiskUnusable(f"{directory} cannot be written: {error.strerror}") from error
    return manifest


def _save_members(hub: HubConnection, view: DatasetView, directory: Path) -> DatasetManifest:
    digest = parse_digest(view.sha256)
    file = directory / "manifest.json"
    hub.download(paths.artifact(digest), file, digest)
    manifest = _manifest(file.read_bytes())
    for tensor in manifest.inputs.values():
        digest = parse_digest(tensor.sha256)
        hub.download(paths.artifact(digest), directory / f"{digest}.npy", digest)
    directory.chmod(0o755)
    return manifest


def _manifest(data: bytes) -> DatasetManifest:
    try:
        return msgspec.json.decode(data, type=DatasetManifest)
    except msgspec.DecodeError as error:
        raise ArtifactUntrusted(f"the data set's manifest cannot be read: {error}") from error


def _tensor(hub: HubConnection, name: str, tensor: DatasetTensor) -> Tensor:
    digest = parse_digest(tensor.sha256)
    try:
        array = npy.decode(hub.content(paths.artifact(digest), digest), what=f"the input {name!r}")
    except InvalidRequest as error:
        raise ArtifactUntrusted(error.message) from error
    found, listed = (DATATYPES[array.dtype], list(array.shape)), (tensor.datatype, tensor.shape)
    if found != listed:
        raise ArtifactUntrusted(f"the input {name!r} is {found[0]} {found[1]}, listed is {listed[0]} {listed[1]}")
    return array
