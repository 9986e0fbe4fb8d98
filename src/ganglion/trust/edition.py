"""One edition of the hub's TUF repository, as it lies in files.

The timestamp leads to a snapshot, the snapshot to the version of everything else: what no timestamp
leads to is not part of any edition.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, T, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from ganglion.core.errors import DataCorrupt

TIMESTAMP_FILE = "timestamp.json"

Read: TypeAlias = Callable[[str], bytes | None]
"""Returns a metadata file's content by name, or None."""


@dataclass(frozen=True, slots=True)
class MetadataFile:
    """One file to write."""

    name: str
    data: bytes

    def described(self, version: int) -> MetaFile:
        """Return the entry that pins this file: version, length and hash."""
        return MetaFile.from_data(version, self.data, ["sha256"])


@dataclass(frozen=True, slots=True)
class Edition:
    """The repository as its timestamp describes it, and a way to the model roles that it lists."""

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]
    read: Read

    def model_roles(self) -> Iterator[str]:
        """Yield the delegated roles, one per model."""
        delegations = self.targets.signed.delegations
        return iter(delegations.roles or {} if delegations else {})

    def model(self, role: str) -> Metadata[Targets]:
        """Return the packages of one model. Raises: DataCorrupt."""
        return _load(Targets, self.read, role, _listed(self.snapshot, role))


def load(read: Read) -> Edition:
    """Read the current edition. Raises: DataCorrupt: a file is missing or damaged."""
    timestamp = _load(Timestamp, read, Timestamp.type, None)
    snapshot = _load(Snapshot, read, Snapshot.type, timestamp.signed.snapshot_meta.version)
    targets = _load(Targets, read, Targets.type, _listed(snapshot, Targets.type))
    root = _load(Root, read, Root.type, newest_root_version(read))
    return Edition(root=root, timestamp=timestamp, snapshot=snapshot, targets=targets, read=read)


def newest_root_version(read: Read, *, known: int = 0) -> int:
    """Return the version of the newest root, searching upwards from one that is `known`; 0 when there is none."""
    version = known
    while read(file_name(Root.type, version + 1)) is not None:
        version += 1
    return version


def versioned(role: str, metadata: Metadata[T]) -> MetadataFile:
    """Return the file of signed metadata, with its version in the name."""
    return MetadataFile(name=file_name(role, metadata.signed.version), data=metadata.to_bytes())


def file_name(role: str, version: int | None) -> str:
    """Return the name of a metadata file; only the timestamp's has no version."""
    return f"{role}.json" if version is None else f"{version}.{role}.json"


def _listed(snapshot: Metadata[Snapshot], role: str) -> int:
    entry = snapshot.signed.meta.get(f"{role}.json")
    if entry is None:
        raise DataCorrupt(f"the snapshot does not list {role}: restore the TUF metadata from a backup")
    return entry.version


def _load(kind: type[T], read: Read, role: str, version: int | None) -> Metadata[T]:
    name = file_name(role, version)
    data = read(name)
    if data is None:
        raise DataCorrupt(f"the metadata file {name} is missing: restore the TUF metadata from a backup")
    try:
        metadata = Metadata[T].from_bytes(data)
    except DeserializationError as error:
        raise DataCorrupt(f"the metadata file {name} is damaged: restore the TUF metadata from a backup") from error
    if not isinstance(metadata.signed, kind) or version not in {None, metadata.signed.version}:
        raise DataCorrupt(f"the metadata file {name} is another one: restore the TUF metadata from a backup")
    return metadata
