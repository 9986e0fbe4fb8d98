"""Files that bring a join token to a machine: a line of JSON for each node, wiped as it is used.

`ganglion node tokens` writes them; `ganglion node join --from` takes one line, and removes it once the node is
enrolled. A line that a power cut leaves behind is worth nothing: its token was used.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ganglion.core.errors import Conflict, DataCorrupt, DiskUnusable, NotFound, TooLarge
from ganglion.wire.resources import TokenReply, TokenRequest

FILE_NAME = "ganglion-join.jsonl"
"""What is looked for in a directory, for example on a memory stick."""
_BYTES_MAX = 10_000_000


class Provision(msgspec.Struct, frozen=True, kw_only=True):
    """One line. The token carries the pin of the hub's CA."""

    hub: str
    name: str
    token: str
    site: str = ""
    zone: str = ""
    expires_at_s: float = 0.0


class TokenFile:
    """A new file of tokens. It is made before the tokens are: what cannot be written must not be made."""

    def __init__(self, path: Path) -> None:
        """Raises: Conflict: it exists. DiskUnusable."""
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError as error:
            raise Conflict(f"{path} exists already: its tokens may not be used yet") from error
        except OSError as error:
            raise DiskUnusable(f"{path} cannot be made: {error.strerror}") from error

    def write(self, lines: Sequence[Provision]) -> None:
        """Write the tokens, durably. Raises: DiskUnusable."""
        try:
            with os.fdopen(self._descriptor, "wb") as file:
                file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise DiskUnusable(f"{self._path} cannot be written: {error.strerror}") from error

    def discard(self) -> None:
        """Remove the empty file: no tokens were made."""
        os.close(self._descriptor)
        self._path.unlink(missing_ok=True)


def provisions(hub: str, requests: Sequence[TokenRequest], replies: Sequence[TokenReply]) -> list[Provision]:
    """Return the lines for the tokens that a hub made."""
    return [
        Provision(
            hub=hub,
            name=asked.name,
            token=made.token,
            site=asked.site,
            zone=asked.zone,
            expires_at_s=made.expires_at_s,
        )
        for asked, made in zip(requests, replies, strict=True)
    ]


def find(place: Path) -> Path:
    """Return the file that `place` names, or the one in that directory. Raises: NotFound."""
    file = place / FILE_NAME if place.is_dir() else place
    if not file.is_file():
        raise NotFound(f"{file} does not exist: write it with `ganglion node tokens`")
    return file


def take(file: Path, name: str = "") -> Provision:
    """Return the line for `name`, or the first. Raises: NotFound, DataCorrupt, TooLarge, DiskUnusable."""
    lines = _read(file)
    chosen = next((line for line in lines if not name or line.name == name), None)
    if chosen is None:
        raise NotFound(f"{file} has no token for {name!r}" if name else f"{file} holds no token any more")
    return chosen


def wipe(file: Path, used: Provision) -> None:
    """Remove a line; the last one takes the file along. Raises: DataCorrupt, TooLarge, DiskUnusable."""
    left = [line for line in _read(file) if line != used]
    try:
        with file.open("r+b") as opened:
            # In place first: replacing a file leaves the old blocks on the disk as they were.
            opened.write(b" " * file.stat().st_size)
            opened.flush()
            os.fsync(opened.fileno())
            opened.seek(0)
            opened.write(b"".join(msgspec.json.encode(line) + b"\n" for line in left))
            opened.truncate()
            opened.flush()
            os.fsync(opened.fileno())
        if not left:
            file.unlink()
    except OSError as error:
        raise DiskUnusable(f"{file} cannot be wiped: {error.strerror}. Its token is used up") from error


def _read(file: Path) -> list[Provision]:
    try:
        if file.stat().st_size > _BYTES_MAX:
            raise TooLarge(f"{file} is larger than {_BYTES_MAX} bytes")
        return [msgspec.json.decode(line, type=Provision) for line in file.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise DiskUnusable(f"{file} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataCorrupt(f"{file} is not a file of join tokens: {error}") from error
