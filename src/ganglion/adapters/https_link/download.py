"""Bring a signed package to disk: by Range, over any number of interruptions, never more than was signed."""

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO

import urllib3

from ganglion.adapters.https_link.session import Session, reason_of
from ganglion.core.errors import ArtifactUntrusted, DiskUnusable, HubUnreachable, Rejected

_PARTIAL_CONTENT = 206
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


def download(session: Session, path: str, destination: Path, *, size_bytes: int, sha256: str) -> None:
    """Complete `destination`. The part beside it survives interruptions, restarts and reboots.

    Raises: HubUnreachable: call again to resume. ArtifactUntrusted: the bytes have another hash; the part is gone.
    DiskUnusable: the part is freed.
    """
    if destination.exists() and _digest_of(destination) == sha256:
        return
    part = destination.with_suffix(".part")
    try:
        _complete(session, path, part, size_bytes)
        if _digest_of(part) != sha256:
            part.unlink()
            raise ArtifactUntrusted(f"{path}: the bytes received are not the signed ones")
        part.replace(destination)
        _sync_directory(destination.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DiskUnusable(f"{destination.parent}: {error.strerror or error}") from error


def _complete(session: Session, path: str, part: Path, size_bytes: int) -> None:
    held = part.stat().st_size if part.exists() else 0
    if held > size_bytes:
        part.unlink()
        held = 0
    if held == size_bytes:
        return
    response = _open_at(session, path, held)
    begins_at = _offset_of(response, size_bytes) if response.status == _PARTIAL_CONTENT else 0
    if begins_at not in (0, held):
        response.close()
        raise HubUnreachable(f"{path}: asked for bytes from {held}, was sent bytes from {begins_at}")
    with part.open("r+b" if begins_at else "wb") as file:
        file.seek(begins_at)
        _write(session, response, file, room_bytes=size_bytes - begins_at)
        file.flush()
        os.fsync(file.fileno())
    if part.stat().st_size != size_bytes:
        raise HubUnreachable(f"{path}: {part.stat().st_size} of {size_bytes} bytes arrived")


def _open_at(session: Session, path: str, offset: int) -> urllib3.BaseHTTPResponse:
    headers = {"Range": f"bytes={offset}-", "Accept-Encoding": "identity"} if offset else {}
    return session.open("GET", path, headers=headers)


def _offset_of(response: urllib3.BaseHTTPResponse, size_bytes: int) -> int:
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None or match[2] not in ("*", str(size_bytes)):
        response.close()
        raise Rejected("the reply to a Range request does not say which bytes it holds, or of another size")
    return int(match[1])


def _write(session: Session, response: urllib3.BaseHTTPResponse, file: BinaryIO, *, room_bytes: int) -> None:
    """Write what arrives; what arrived before an interruption stays, and nothing beyond the signed length is kept."""
    try:
        # read1 hands over what has arrived; read would drop up to a whole chunk when the link breaks.
        while chunk := response.read1(session.settings.chunk_bytes):
            if len(chunk) > room_bytes:
                response.close()
                raise ArtifactUntrusted("more bytes than were signed")
            file.write(chunk)
            room_bytes -= len(chunk)
    except urllib3.exceptions.HTTPError as error:
        file.flush()
        raise HubUnreachable(f"the download broke off: {reason_of(error)}") from error
    finally:
        response.release_conn()


def _digest_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
