"""Reference files of this machine: brought when the hub's signed list names them, removed when it does not any more.

Level-triggered: the stored desired state and the directory are compared, whatever happened in between. A file is put in
place in one step, after its hash was checked as a whole; each start of the agent checks those that are there.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from ganglion.core.errors import (
    DiskUnusable,
    GanglionError,
    InvalidName,
    Rejected,
    TooLarge,
    Untrusted,
    Withdrawn,
)
from ganglion.core.ids import parse_digest, parse_name
from ganglion.node.domain.file_limits import FileLimits
from ganglion.node.services.places import Places
from ganglion.ports.file_link import FileLink
from ganglion.trust import files as signed_files
from ganglion.trust.files import FilesStatement, ListedFile, SignedFiles
from ganglion.wire.desired import DesiredState, ReferenceFile

log = structlog.get_logger()

APPLIED, WAITING, FAILED = "applied", "waiting", "failed"
_READ_BYTES = 1_048_576
_REASON_MAX = 200


LIMITS = FileLimits()


class ReferenceFiles:
    """Keeps the directory as the newest desired state wants it."""

    def __init__(
        self,
        *,
        link: FileLink,
        desired: Callable[[], DesiredState | None],
        places: Places,
        node_id: str,
        limits: FileLimits = LIMITS,
    ) -> None:
        """`desired` returns the newest state that was taken in."""
        self._link, self._desired, self._places, self._node_id = link, desired, places, node_id
        self._limits = limits
        self._told: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        """Digests by name of files that were read as a whole by this process."""
        self._bad: dict[str, str] = {}
        """Digests of files whose bytes were others, and what is told of them."""
        self._seen: DesiredState | None = None
        self._refused: DesiredState | None = None
        self._wake = anyio.Event()
        self.changed: Callable[[], None] = lambda: None
        """Called when there is something new to report."""

    @property
    def told(self) -> Mapping[str, str]:
        """Return what is to be reported: applied, waiting, or failed and why, by name."""
        return self._told

    def look(self) -> None:
        """Compare soon: the desired state may be another."""
        self._wake.set()

    async def run(self) -> None:
        """Keep the directory in order until cancelled."""
        while True:
            self._wake = anyio.Event()
            before = self._told
            # Abandoned when the agent stops: what is under way is resumed.
            is_done = await anyio.to_thread.run_sync(self.align, abandon_on_cancel=True)
            if self._told != before:
                self.changed()
            with anyio.move_on_after(None if is_done else self._limits.retry_s):
                await self._wake.wait()

    def align(self) -> bool:
        """Compare and act once. False: it should be tried again."""
        desired = self._desired()
        if desired is None or desired is self._refused:
            return True
        try:
            self._told = self._align(desired)
        except (GanglionError, OSError) as error:
            state = _state_after(error)
            log.warning("files.delayed", state=state)
            self._told = {_shown(each.name): state for each in desired.files}
            if state.startswith(FAILED):
                # The same word again would be refused again.
                self._refused = desired
        return not any(state.startswith(WAITING) for state in self._told.values())

    def _align(self, desired: DesiredState) -> dict[str, str]:
        wanted = {each.name: each for each in desired.files}
        missing = [each for each in desired.files if not self._is_here(each)]
        extra = [path for path in _entries(self._places.files) if path.name not in wanted]
        if missing or extra:
            # Nothing is brought, and nothing removed, on an unsigned word.
            self._check(desired)
            self._remove(extra)
        self._forget_parts({each.sha256 for each in missing})
        states = {each.name: APPLIED for each in desired.files}
        if desired is not self._seen:
            # What could not be had may be there now; without news it is not asked for again.
            self._bad, self._seen = {}, desired
        brought = {each.name: self._bad.get(each.sha256) or self._brought(each, desired) for each in missing}
        return states | brought

    def _check(self, desired: DesiredState) -> None:
        """Raises: ArtifactUntrusted, InvalidName, TooLarge, and what the link raises."""
        limits, files = self._limits, desired.files
        for each in files:
            parse_name(each.name, what="file")
            parse_digest(each.sha256)
            if not 0 <= each.size_bytes <= limits.file_bytes_max:
                raise TooLarge(f"{each.name} has {each.size_bytes:,} bytes, at most {limits.file_bytes_max:,} are kept")
        if len({each.name for each in files}) != len(files) or len(files) > limits.files_max:
            raise InvalidName(f"the list has {len(files)} files, at most {limits.files_max}, each name once")
        total = sum(each.size_bytes for each in files)
        if total > limits.total_bytes_max:
            raise TooLarge(f"all files together have {total:,} bytes, at most {limits.total_bytes_max:,} are kept")
        keys = self._link.trusted_word(root_version_min=desired.root_version_min).order_keys
        if keys:
            signed = SignedFiles(desired.files_statement, desired.files_key, desired.files_signature)
            signed_files.verify(keys, signed, self._statement(desired))

    def _statement(self, desired: DesiredState) -> FilesStatement:
        listed = tuple(
            ListedFile(name=each.name, sha256=each.sha256, size_bytes=each.size_bytes) for each in desired.files
        )
        return FilesStatement(
            node_id=self._node_id, incarnation=desired.incarnation, revision=desired.revision, files=listed
        )

    def _brought(self, file: ReferenceFile, desired: DesiredState) -> str:
        """Bring one file; return how it stands. One that cannot be had keeps no other."""
        try:
            self._bring(file, is_wanted=lambda: self._desired() is desired)
        except (GanglionError, OSError) as error:
            state = _state_after(error)
            log.warning("file.delayed", file=file.name, state=state)
            if state.startswith(FAILED):
                self._bad[file.sha256] = state
            return state
        log.info("file.applied", file=file.name, sha256=file.sha256[:16])
        return APPLIED

    def _bring(self, file: ReferenceFile, *, is_wanted: Callable[[], bool]) -> None:
        places = self._places
        for directory in (places.files, places.file_parts):
            directory.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(places.files).free
        if free < file.size_bytes + self._limits.disk_free_bytes_min:
            raise DiskUnusable(f"{file.name} needs {file.size_bytes:,} bytes, {free:,} are free")
        part = places.file_parts / f"{file.sha256}.whole"
        self._link.download_file(file, part, is_wanted=is_wanted)
        place = places.files / file.name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        part.replace(place)
        _sync(places.files)
        self._whole[file.name] = file.sha256

    def _is_here(self, file: ReferenceFile) -> bool:
        """Say whether the file is in its place and whole. Each content is read once by a process."""
        try:
            parse_name(file.name, what="file")
        except InvalidName:
            return False
        path = self._places.files / file.name
        if path.is_symlink() or not path.is_file() or path.stat().st_size != file.size_bytes:
            return False
        if self._whole.get(file.name) != file.sha256:
            self._whole[file.name] = _digest(path)
        return self._whole[file.name] == file.sha256

    def _remove(self, extra: list[Path]) -> None:
        for path in extra:
            self._whole.pop(path.name, None)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            log.info("file.removed", file=path.name)

    def _forget_parts(self, awaited: set[str]) -> None:
        for part in _entries(self._places.file_parts):
            if part.name.split(".")[0] not in awaited:
                part.unlink(missing_ok=True)


def _state_after(error: GanglionError | OSError) -> str:
    """Return how a file stands after an error: what cannot get better by itself has failed."""
    reason = error.message if isinstance(error, GanglionError) else f"the disk: {error.strerror}"
    lasts = isinstance(error, Rejected | Untrusted) and not isinstance(error, Withdrawn)
    return f"{FAILED if lasts else WAITING}: {reason}"[:_REASON_MAX]


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _shown(name: str) -> str:
    return name[:64]
