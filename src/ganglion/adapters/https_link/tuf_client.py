"""Find out which bytes are signed: fetch metadata, let `trust.trusted_set` judge it, and store what it took.

Files are stored one by one, as they are accepted, each replaced in one step. So a power cut leaves older metadata that
was verified, and a file that cannot be read is one that is fetched again.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Protocol, TypeVar
from urllib.parse import quote

import msgspec
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from ganglion.core.errors import NotFound
from ganglion.ports.clock import Clock
from ganglion.ports.metadata_files import MetadataFiles
from ganglion.trust.trusted_set import TargetSearch, TrustedSet

T = TypeVar("T")

_ROOT_FILE = "root.json"


class TufLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a refresh of the signed metadata may cost."""

    deadline_s: float = 60.0
    """The whole refresh, however many files it takes. A line that needs longer makes no progress: it is given up."""
    root_bytes_max: int = 512_000
    """Largest root.json that is read."""
    root_steps_max: int = 256
    """New roots in one refresh; the next refresh goes on from there."""
    timestamp_bytes_max: int = 16_384
    """Largest timestamp.json that is read."""
    snapshot_bytes_max: int = 2_000_000
    """Largest snapshot.json that is read."""
    targets_bytes_max: int = 5_000_000
    """Largest list of models, or of one model's packages, that is read."""


class MetadataSource(Protocol):
    """Where metadata comes from. Nothing that it says is believed."""

    def fetch(self, name: str, *, bytes_max: int, ends_at_s: float) -> bytes:
        """Return a file. Raises: NotFound, TooLarge, Unavailable."""
        ...


class TufClient:
    """One client with its memory in `files`. Not for several threads at once."""

    def __init__(
        self,
        *,
        source: MetadataSource,
        files: MetadataFiles,
        clock: Clock,
        bootstrap: bytes | None = None,
        limits: TufLimits | None = None,
    ) -> None:
        """Trust `bootstrap` unless a newer root is stored; without one, the stored root."""
        self._source, self._files, self._clock = source, files, clock
        self._bootstrap, self._limits = bootstrap, limits or TufLimits()
        self._held: tuple[bytes, TrustedSet] | None = None
        self._ends_at_s = 0.0

    def refresh(self, now: datetime) -> TrustedSet:
        """Bring everything up to the top-level targets to the newest state, and return it.

        When no root and no timestamp is newer, nothing else is read or fetched.
        Raises: RepositoryError: it cannot be trusted. Unavailable, TooLarge, DiskUnusable.
        """
        self._ends_at_s = self._clock.monotonic_s() + self._limits.deadline_s
        trusted = self._with_roots(now)
        fetched = self._fetch("timestamp.json", self._limits.timestamp_bytes_max)
        if self._held is not None and self._held[0] == fetched and self._held[1].root.version == trusted.root.version:
            held = self._held[1]
            held.check_life(now)
            return held
        self._held = None
        self._load_timestamp(trusted, fetched)
        self._load_snapshot(trusted)
        self._load_targets(trusted, Targets.type, Root.type)
        self._held = (fetched, trusted)
        return trusted

    def find(self, path: str, trusted: TrustedSet) -> TargetFile | None:
        """Return the signed target of that path, or None when no role that may sign it does.

        Raises: RepositoryError, Unavailable, TooLarge, DiskUnusable.
        """
        search = TargetSearch(path)
        for role, delegator in search:
            found = search.look(role, self._load_targets(trusted, role, delegator))
            if found is not None:
                return found
        return None

    def delegated(self, role: str, trusted: TrustedSet) -> Targets | None:
        """Return the metadata of a role that the top-level targets delegate to themselves, or None when they do not.

        Raises: RepositoryError, Unavailable, TooLarge, DiskUnusable.
        """
        top = self._load_targets(trusted, Targets.type, Root.type)
        known = top.delegations.roles if top.delegations else None
        return self._load_targets(trusted, role, Targets.type) if known and role in known else None

    def _with_roots(self, now: datetime) -> TrustedSet:
        trusted = self._first_root(now)
        last = trusted.root.version + self._limits.root_steps_max
        while trusted.root.version < last:
            try:
                data = self._fetch(f"{trusted.root.version + 1}.{_ROOT_FILE}", self._limits.root_bytes_max)
            except NotFound:
                break
            trusted.take_root(data)
            self._files.write(_ROOT_FILE, data)
        return trusted

    def _first_root(self, now: datetime) -> TrustedSet:
        stored = self._files.read(_ROOT_FILE)
        if self._bootstrap is None:
            return TrustedSet(stored or b"", now)
        given = TrustedSet(self._bootstrap, now)
        if stored is not None:
            # A damaged root is made good by walking again from the one that the node was given when it joined.
            with suppress(RepositoryError):
                kept = TrustedSet(stored, now)
                return kept if kept.root.version >= given.root.version else given
        self._files.write(_ROOT_FILE, self._bootstrap)
        return given

    def _load_timestamp(self, trusted: TrustedSet, fetched: bytes) -> None:
        self._with_stored(Timestamp.type, trusted.take_stored_timestamp)
        if trusted.take_timestamp(fetched):
            self._files.write(_file_of(Timestamp.type), fetched)

    def _load_snapshot(self, trusted: TrustedSet) -> None:
        if self._with_stored(Snapshot.type, trusted.take_stored_snapshot):
            return
        meta = trusted.snapshot_meta
        name = _remote_name(Snapshot.type, meta.version, trusted)
        data = self._fetch(name, _allowed(meta, self._limits.snapshot_bytes_max))
        trusted.take_snapshot(data)
        self._files.write(_file_of(Snapshot.type), data)

    def _load_targets(self, trusted: TrustedSet, role: str, delegator: str) -> Targets:
        held = trusted.targets(role, delegator)
        if held is not None:
            return held
        meta = trusted.targets_meta(role)
        stored = self._with_stored(role, lambda data: trusted.take_targets(data, role, delegator))
        if stored is not None:
            return stored
        name = _remote_name(role, meta.version, trusted)
        data = self._fetch(name, _allowed(meta, self._limits.targets_bytes_max))
        targets = trusted.take_targets(data, role, delegator)
        self._files.write(_file_of(role), data)
        return targets

    def _with_stored(self, role: str, take: Callable[[bytes], T]) -> T | None:
        """Take what an earlier look has stored; what is damaged, or signed with a key of old, counts as nothing."""
        data = self._files.read(_file_of(role))
        if data is not None:
            with suppress(RepositoryError):
                return take(data)
        return None

    def _fetch(self, name: str, bytes_max: int) -> bytes:
        return self._source.fetch(name, bytes_max=bytes_max, ends_at_s=self._ends_at_s)


def _allowed(meta: MetaFile, bytes_max: int) -> int:
    """A signed length is a promise of who holds an online key: it narrows the limit, and never widens it."""
    return min(meta.length or bytes_max, bytes_max)


def _file_of(role: str) -> str:
    name = f"{quote(role, '')}.json"
    # What begins with a dot is not for others to name, in any directory.
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _remote_name(role: str, version: int, trusted: TrustedSet) -> str:
    name = f"{quote(role, '')}.json"
    return f"{version}.{name}" if trusted.root.consistent_snapshot else name
