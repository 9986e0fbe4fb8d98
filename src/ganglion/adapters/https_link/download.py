"""Bring a signed package to disk: by Range, over any number of interruptions, never more than was signed."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import urllib3
from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import TargetFile

from ganglion.adapters.https_link.brake import Brake
from ganglion.adapters.https_link.replies import to_its_end
from ganglion.adapters.https_link.session import LinkSettings
from ganglion.core.errors import DiskUnusable, HubUnreachable, Rejected, Withdrawn
from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.disk import sync_directory
from ganglion.ports.clock import Clock

_PARTIAL_CONTENT = 206
_DOUBLINGS_MAX = 5
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Line(Protocol):
    """The part of a session that a download needs."""

    @property
    def settings(self) -> LinkSettings:
        """Return deadlines and limits."""
        ...

    @property
    def clock(self) -> Clock:
        """Return the clock that durations are measured by."""
        ...

    def open(self, method: str, path: str, *, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """Return a reply, unread. Raises: Unavailable, and whatever error the other side states."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The bytes that were signed, and whether they are still wanted: asked before every piece."""

    path: str
    size_bytes: int
    hashes: Mapping[str, str]
    """Signed digests by algorithm, hexadecimal. Every one of them must hold."""
    is_wanted: Callable[[], bool] = lambda: True
    bytes_per_s_max: int = 0
    """How fast the bytes may come; 0: as fast as the line is."""


class Patience:
    """How long each package may bring next to nothing before the line is left: doubled each time that it was.

    A line that is stuck is tried anew soon. One that is slow because a fleet shares it must not be filled by those who
    connect again.
    """

    def __init__(self) -> None:
        self._times_left: dict[str, int] = {}

    def window_s(self, path: str, *, first_s: float) -> float:
        """Return over which time the rate is measured now."""
        return first_s * 2.0 ** min(self._times_left.get(path, 0), _DOUBLINGS_MAX)

    def note_left(self, path: str) -> None:
        """The line was left once more while it brought this."""
        self._times_left[path] = self._times_left.get(path, 0) + 1

    def forget(self, path: str) -> None:
        """It is here."""
        self._times_left.pop(path, None)


def download(line: Line, wanted: Wanted, destination: Path, *, patience: Patience | None = None) -> None:
    """Complete `destination`. The part beside it survives interruptions, restarts and reboots.

    `patience` is what earlier calls have learned of the line. Raises: HubUnreachable: call again to resume.
    ArtifactUntrusted: the bytes have another hash; the part is gone.
    DiskUnusable: the part is freed. Withdrawn: nobody wants it any more.
    """
    if destination.exists() and _is_right(destination, wanted):
        return
    part = destination.with_suffix(".part")
    try:
        patience = patience or Patience()
        was_resumed = _complete(line, wanted, part, patience)
        patience.forget(wanted.path)
        _check(part, wanted, was_resumed=was_resumed)
        part.replace(destination)
        sync_directory(destination.parent)
    except ArtifactUntrusted:
        part.unlink(missing_ok=True)
        raise
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DiskUnusable(f"{destination.parent}: {error.strerror or error}") from error


def _check(part: Path, wanted: Wanted, *, was_resumed: bool) -> None:
    doubt = part.with_suffix(".doubt")
    if _is_right(part, wanted):
        doubt.unlink(missing_ok=True)
        return
    if was_resumed and not doubt.exists():
        # What lay here from before may be to blame: the next attempt begins anew, once.
        doubt.touch()
        part.unlink()
        raise HubUnreachable(f"{wanted.path}: what was resumed had other bytes; it begins anew")
    doubt.unlink(missing_ok=True)
    raise ArtifactUntrusted(f"{wanted.path}: the bytes received are not the signed ones")


def _complete(line: Line, wanted: Wanted, part: Path, patience: Patience) -> bool:
    """Bring what is missing. True when a part was there already."""
    held = part.stat().st_size if part.exists() else 0
    if held > wanted.size_bytes:
        part.unlink()
        held = 0
    if held == wanted.size_bytes:
        return True
    response = _open_at(line, wanted.path, held)
    begins_at = _offset_of(response, wanted.size_bytes) if response.status == _PARTIAL_CONTENT else 0
    if begins_at not in (0, held):
        response.close()
        raise HubUnreachable(f"{wanted.path}: asked for bytes from {held}, was sent bytes from {begins_at}")
    pace = _pace(line, wanted, patience)
    with part.open("r+b" if begins_at else "wb") as file:
        file.seek(begins_at)
        try:
            _write(line, response, file, wanted, room_bytes=wanted.size_bytes - begins_at, pace=pace)
        except _TooSlow as error:
            patience.note_left(wanted.path)
            raise HubUnreachable(str(error)) from error
        finally:
            # What arrived before an interruption is kept, also when the power goes next.
            file.flush()
            os.fsync(file.fileno())
    if part.stat().st_size != wanted.size_bytes:
        raise HubUnreachable(f"{wanted.path}: {part.stat().st_size} of {wanted.size_bytes} bytes arrived")
    return begins_at > 0


def _open_at(line: Line, path: str, offset: int) -> urllib3.BaseHTTPResponse:
    headers = {"Range": f"bytes={offset}-", "Accept-Encoding": "identity"} if offset else {}
    return line.open("GET", path, headers=headers)


def _offset_of(response: urllib3.BaseHTTPResponse, size_bytes: int) -> int:
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None or match[2] not in ("*", str(size_bytes)):
        response.close()
        raise Rejected("the reply to a Range request does not say which bytes it holds, or of another size")
    return int(match[1])


def _pace(line: Line, wanted: Wanted, patience: Patience) -> "_Pace":
    limit, settings = wanted.bytes_per_s_max, line.settings
    slowest = min(settings.rate_bytes_min, limit / 2) if limit else settings.rate_bytes_min
    window_s = patience.window_s(wanted.path, first_s=settings.rate_window_s)
    return _Pace(line.clock, rate_bytes_min=slowest, window_s=window_s)


def _write(
    line: Line, response: urllib3.BaseHTTPResponse, file: BinaryIO, wanted: Wanted, *, room_bytes: int, pace: "_Pace"
) -> None:
    """Write what arrives; what arrived before an interruption stays, and nothing beyond the signed length is kept."""
    brake = Brake(line.clock, wanted.bytes_per_s_max, line.settings.pause)
    piece_bytes = brake.piece_bytes(line.settings.chunk_bytes)
    with to_its_end(response):
        # read1 hands over what has arrived; read would drop up to a whole chunk when the link breaks.
        while chunk := response.read1(piece_bytes, decode_content=False):
            if len(chunk) > room_bytes:
                raise ArtifactUntrusted(f"{wanted.path}: more bytes than were signed")
            file.write(chunk)
            room_bytes -= len(chunk)
            pace.check(len(chunk))
            if not wanted.is_wanted():
                raise Withdrawn(f"{wanted.path} is not wanted any more")
            brake.took(len(chunk))


class _TooSlow(Exception):
    """Next to nothing came."""


class _Pace:
    """A sender that keeps a line busy without bringing anything is left."""

    def __init__(self, clock: Clock, *, rate_bytes_min: float, window_s: float) -> None:
        self._clock, self._bytes_min, self._window_s = clock, rate_bytes_min * window_s, window_s
        self._since_s, self._came_bytes = clock.monotonic_s(), 0

    def check(self, came_bytes: int) -> None:
        """Count what came. Raises: _TooSlow: in a whole window less than the minimum came."""
        self._came_bytes += came_bytes
        now_s = self._clock.monotonic_s()
        if now_s - self._since_s < self._window_s:
            return
        if self._came_bytes < self._bytes_min:
            raise _TooSlow(f"only {self._came_bytes} bytes came in {now_s - self._since_s:.0f} s: the line is too slow")
        self._since_s, self._came_bytes = now_s, 0


def _is_right(file: Path, wanted: Wanted) -> bool:
    target = TargetFile(wanted.size_bytes, dict(wanted.hashes), wanted.path)
    try:
        with file.open("rb") as stream:
            target.verify_length_and_hashes(stream)
    except LengthOrHashMismatchError:
        return False
    return True
