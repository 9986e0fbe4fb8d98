"""Regions of POSIX shared memory that clients on this machine registered: tensors without a copy through a socket.

Regions are read and written through their file, never mapped: whoever made a region may cut it short at any time,
and a process that has it mapped dies of that. A call to the kernel returns less, and that can be told.
"""

import os
import stat
from pathlib import Path

import msgspec

from ganglion.core.errors import Conflict, InvalidRequest, NotFound

_PLACE = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory; the names are checked below
_KEY_LEN_MAX = 200
_NAME_LEN_MAX = 200


class RegionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What clients may register. When full: refuse."""

    regions_max: int = 256
    """Registered regions."""


class Region(msgspec.Struct, frozen=True):
    """A part of a shared memory object."""

    name: str
    key: str
    offset: int
    size_bytes: int
    file: int
    """The open descriptor."""


class SharedRegions:
    """The registered regions of a serving process. For one thread."""

    def __init__(self, limits: RegionLimits | None = None) -> None:
        self._limits = limits or RegionLimits()
        self._regions: dict[str, Region] = {}

    def register(self, name: str, key: str, *, offset: int, size_bytes: int) -> None:
        """Make bytes of the object `key` known as `name`.

        Raises: Conflict: the name is taken, or too many are. NotFound: no such object. InvalidRequest.
        """
        if not 0 < len(name) <= _NAME_LEN_MAX:
            raise InvalidRequest(f"a region's name has 1 to {_NAME_LEN_MAX} characters")
        if name in self._regions:
            raise Conflict(f"the region {name!r} is registered already: unregister it first")
        if len(self._regions) >= self._limits.regions_max:
            raise Conflict(f"{self._limits.regions_max} regions are registered, more are not allowed")
        file = _open(key)
        try:
            _check_span(file, name, offset, size_bytes)
        except BaseException:
            os.close(file)
            raise
        self._regions[name] = Region(name, key, offset, size_bytes, file)

    def unregister(self, name: str) -> None:
        """Forget a region; one that is not registered is forgotten already."""
        region = self._regions.pop(name, None)
        if region is not None:
            os.close(region.file)

    def unregister_all(self) -> None:
        """Forget every region."""
        for name in list(self._regions):
            self.unregister(name)

    def status(self, name: str = "") -> list[Region]:
        """Return one region, or all of them. Raises: NotFound."""
        return [self._region(name)] if name else list(self._regions.values())

    def read(self, region: str, offset: int, size_bytes: int) -> bytes:
        """Return bytes of a region. Raises: NotFound, InvalidRequest: they are not all in it."""
        known = self._within(region, offset, size_bytes)
        try:
            data = os.pread(known.file, size_bytes, known.offset + offset)
        except OSError as error:
            raise InvalidRequest(f"the region {region!r} cannot be read: {error.strerror}") from error
        if len(data) != size_bytes:
            raise InvalidRequest(f"the region {region!r} was cut short: {len(data)} of {size_bytes} bytes are there")
        return data

    def write(self, region: str, offset: int, data: bytes, *, room: int) -> None:
        """Put bytes into a region. Raises: NotFound, InvalidRequest: there is no room for them."""
        if len(data) > room:
            raise InvalidRequest(f"the output has {len(data)} bytes, shared_memory_byte_size is {room}")
        known = self._within(region, offset, len(data))
        try:
            written = os.pwrite(known.file, data, known.offset + offset)
        except OSError as error:
            raise InvalidRequest(f"the region {region!r} cannot be written: {error.strerror}") from error
        if written != len(data):
            raise InvalidRequest(f"the region {region!r} took {written} of {len(data)} bytes")

    def _region(self, name: str) -> Region:
        region = self._regions.get(name)
        if region is None:
            raise NotFound(f"there is no shared memory region {name[:80]!r}: register it first")
        return region

    def _within(self, name: str, offset: int, size_bytes: int) -> Region:
        region = self._region(name)
        if offset < 0 or size_bytes < 0 or offset + size_bytes > region.size_bytes:
            raise InvalidRequest(
                f"the region {name!r} has {region.size_bytes} bytes, {size_bytes} from {offset} on are not in it"
            )
        return region


def _open(key: str) -> int:
    """Open a shared memory object by its POSIX name. Raises: NotFound, InvalidRequest."""
    name = key.removeprefix("/")
    if not name or "/" in name or name in {".", ".."} or "\0" in name or len(name) > _KEY_LEN_MAX:
        raise InvalidRequest(f"{key[:80]!r} is no name of a shared memory object: it is '/' and a name without one")
    if not _PLACE.is_dir():
        raise InvalidRequest("system shared memory is not available on this machine")
    try:
        file = os.open(_PLACE / name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise NotFound(f"there is no shared memory object {key!r}") from error
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"the shared memory object {key!r} cannot be opened: {error}") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise InvalidRequest(f"{key!r} is no shared memory object")
    return file


def _check_span(file: int, name: str, offset: int, size_bytes: int) -> None:
    there = os.fstat(file).st_size
    if offset < 0 or size_bytes <= 0 or offset + size_bytes > there:
        raise InvalidRequest(
            f"the region {name!r} would be {size_bytes} bytes from {offset} on, the object has {there} bytes"
        )
