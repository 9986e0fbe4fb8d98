"""What a client may believe: in which order, and by which rules, it takes TUF metadata.

Pure: bytes and the time come in, verified metadata is kept, a broken rule is an exception of python-tuf. Fetching,
storing and deadlines are for others. What was stored by an earlier look is taken as `stored`: it proves nothing about
today, but nothing older than it is taken any more.
Source: TUF specification 1.0.34, section 5.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeAlias

from tuf.api.exceptions import BadVersionNumberError, ExpiredMetadataError, RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, T, TargetFile, Targets, Timestamp

_DELEGATIONS_MAX = 32
"""Roles that are looked into for one target."""

Delegation: TypeAlias = tuple[str, str]
"""A role, and the role that delegates to it."""


class TrustedSet:
    """Metadata that was verified from a trusted root on. Take root, timestamp, snapshot, then targets."""

    def __init__(self, root: bytes, now: datetime) -> None:
        """Begin with a root that is trusted already. Raises: RepositoryError."""
        self._now = now
        metadata = _parse(Root, root)
        _verify(metadata.signed, Root.type, metadata)
        self.root: Root = metadata.signed
        self._timestamp: Timestamp | None = None
        self._snapshot: Snapshot | None = None
        self._targets: dict[Delegation, Targets] = {}

    @property
    def snapshot_meta(self) -> MetaFile:
        """Return what the timestamp says of the snapshot."""
        assert self._timestamp is not None, "the timestamp comes first"
        return self._timestamp.snapshot_meta

    def targets_meta(self, role: str) -> MetaFile:
        """Return what the snapshot says of a targets role. Raises: RepositoryError: nothing."""
        assert self._snapshot is not None, "the snapshot comes first"
        found = self._snapshot.meta.get(f"{role}.json")
        if found is None:
            raise RepositoryError(f"the snapshot does not list the role {role}")
        return found

    def take_root(self, data: bytes) -> None:
        """Take the next version of the root, signed by this one and by itself. Raises: RepositoryError."""
        metadata = _parse(Root, data)
        _verify(self.root, Root.type, metadata)
        _verify(metadata.signed, Root.type, metadata)
        if metadata.signed.version != self.root.version + 1:
            raise BadVersionNumberError(f"root {self.root.version + 1} was asked for, {metadata.signed.version} came")
        self.root = metadata.signed

    def take_stored_timestamp(self, data: bytes) -> None:
        """Take the timestamp of an earlier look as the oldest that may come. Raises: RepositoryError."""
        self._timestamp = self._signed_by_root(Timestamp, data)

    def take_timestamp(self, data: bytes) -> bool:
        """Take a timestamp; False when it is the version that is held already. Raises: RepositoryError."""
        self._check_life(self.root, Root.type)
        offered, held = self._signed_by_root(Timestamp, data), self._timestamp
        is_new = held is None or offered.version > held.version
        if held is not None:
            _check_not_older(Timestamp.type, offered.version, held.version)
            if is_new:
                _check_not_older(Snapshot.type, offered.snapshot_meta.version, held.snapshot_meta.version)
        present = offered if held is None or is_new else held
        self._check_life(present, Timestamp.type)
        self._timestamp = present
        return is_new

    def take_stored_snapshot(self, data: bytes) -> bool:
        """Take the snapshot of an earlier look; True when it is the present one too. Raises: RepositoryError."""
        self._snapshot = self._signed_by_root(Snapshot, data)
        return self._snapshot.version == self.snapshot_meta.version and not self._snapshot.is_expired(self._now)

    def take_snapshot(self, data: bytes) -> None:
        """Take the snapshot that the timestamp names. Raises: RepositoryError."""
        self.snapshot_meta.verify_length_and_hashes(data)
        offered, held = self._signed_by_root(Snapshot, data), self._snapshot
        for name, meta in held.meta.items() if held else ():
            if name not in offered.meta:
                raise RepositoryError(f"the new snapshot does not list {name} any more")
            _check_not_older(name, offered.meta[name].version, meta.version)
        if offered.version != self.snapshot_meta.version:
            raise BadVersionNumberError(f"snapshot {self.snapshot_meta.version} was named, {offered.version} came")
        self._check_life(offered, Snapshot.type)
        self._snapshot = offered

    def take_targets(self, data: bytes, role: str, delegator: str) -> Targets:
        """Take a targets role as the snapshot lists it, signed as `delegator` demands. Raises: RepositoryError."""
        meta = self.targets_meta(role)
        meta.verify_length_and_hashes(data)
        metadata = _parse(Targets, data)
        _verify(self._delegator(delegator), role, metadata)
        if metadata.signed.version != meta.version:
            raise BadVersionNumberError(f"{role} {meta.version} was listed, {metadata.signed.version} came")
        self._check_life(metadata.signed, role)
        self._targets[(role, delegator)] = metadata.signed
        return metadata.signed

    def targets(self, role: str, delegator: str) -> Targets | None:
        """Return a targets role that was verified against this very delegator, and is still good, or None."""
        held = self._targets.get((role, delegator))
        return None if held is None or held.is_expired(self._now) else held

    def check_life(self, now: datetime) -> None:
        """Look at the top-level roles again, at another time. Raises: ExpiredMetadataError."""
        self._now = now
        for signed in (self.root, self._timestamp, self._snapshot, self._targets.get((Targets.type, Root.type))):
            if signed is not None:
                self._check_life(signed, signed.type)

    def _delegator(self, name: str) -> Root | Targets:
        if name == Root.type:
            return self.root
        return next(signed for (role, _), signed in reversed(self._targets.items()) if role == name)

    def _signed_by_root(self, kind: type[T], data: bytes) -> T:
        metadata = _parse(kind, data)
        _verify(self.root, kind.type, metadata)
        return metadata.signed

    def _check_life(self, signed: Root | Timestamp | Snapshot | Targets, role: str) -> None:
        if signed.is_expired(self._now):
            raise ExpiredMetadataError(f"{role} {signed.version} expired on {signed.expires:%Y-%m-%d}")


class TargetSearch:
    """Walks the delegations for one target, the most trusted first: iterate, and tell what each role holds."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._waiting: list[Delegation] = [(Targets.type, Root.type)]
        self._seen: set[str] = set()

    def __iter__(self) -> Iterator[Delegation]:
        """Yield the roles to look into; call `look` with each before the next one is asked for."""
        while self._waiting and len(self._seen) <= _DELEGATIONS_MAX:
            role, delegator = self._waiting.pop()
            if role not in self._seen:
                self._seen.add(role)
                yield role, delegator

    def look(self, role: str, targets: Targets) -> TargetFile | None:
        """Return the target if the role signs it; if not, the roles that it delegates the path to come next."""
        found = targets.targets.get(self._path)
        if found is None and targets.delegations is not None:
            self._follow(role, targets.delegations.get_roles_for_target(self._path))
        return found

    def _follow(self, delegator: str, roles: Iterator[tuple[str, bool]]) -> None:
        following: list[Delegation] = []
        for role, is_terminating in roles:
            following.append((role, delegator))
            if is_terminating:
                self._waiting.clear()
                break
        self._waiting.extend(reversed(following))


def _parse(kind: type[T], data: bytes) -> Metadata[T]:
    metadata = Metadata[T].from_bytes(data)
    if metadata.signed.type != kind.type:
        raise RepositoryError(f"{kind.type} was asked for, {metadata.signed.type} came")
    return metadata


def _verify(delegator: Root | Targets, role: str, metadata: Metadata[T]) -> None:
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except ValueError as error:
        raise UnsignedMetadataError(f"nobody delegates to the role {role}") from error


def _check_not_older(name: str, offered: int, held: int) -> None:
    if offered < held:
        raise BadVersionNumberError(f"{name} {offered} came after {held}")
