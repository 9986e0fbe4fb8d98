"""The board on which a machine tells of an open session, and on which its people take it down: two small files."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from ganglion.disk import disk_errors
from ganglion.ports.shell import ShellNotice

NOTICE, WISH = "shell.json", "shell.close"


class NoticeFiles:
    """Files in the directory of what runs. Implements `ports.shell.NoticeBoard`."""

    def __init__(self, folder: Path, *, replace: Callable[[Path, bytes], None]) -> None:
        """`replace` puts bytes at a path, whole."""
        self._folder, self._replace = folder, replace

    def show(self, notice: ShellNotice) -> None:
        """See the port."""
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / WISH).unlink(missing_ok=True)
            self._replace(self._folder / NOTICE, msgspec.json.encode(notice))

    def clear(self) -> None:
        """See the port."""
        for name in (NOTICE, WISH):
            with contextlib.suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)

    def is_closing_wanted(self) -> bool:
        """See the port."""
        return (self._folder / WISH).exists()

    def want_closing(self) -> None:
        """Ask the agent to close the session that is open. Raises: DiskUnusable."""
        with disk_errors(self._folder / WISH):
            (self._folder / WISH).touch(mode=0o600)


def notice_in(folder: Path) -> ShellNotice | None:
    """Return what is told of an open session; None: there is none, or it cannot be read.

    What an agent left that was killed is passed over: its number is nobody's, and the session ended with it.
    """
    try:
        notice = msgspec.json.decode((folder / NOTICE).read_bytes(), type=ShellNotice)
        os.kill(notice.pid, 0)
    except PermissionError:
        return notice
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return notice
