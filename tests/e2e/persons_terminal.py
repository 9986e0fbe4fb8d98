"""A terminal with a person before it, who types, reads and changes its size, while a command runs on it."""

import fcntl
import os
import select
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from ganglion.core.errors import Unavailable
from ganglion.testing.waiting import wait_until

_SOON_S = 60.0


class PersonsTerminal:
    """One command on one terminal."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], columns: int, rows: int) -> None:
        self._command, self._environment, self._size = command, environment, (columns, rows)
        self.text = ""
        """Everything that was shown so far."""

    def __enter__(self) -> Self:
        self._person, self._terminal = os.openpty()
        os.set_blocking(self._person, False)
        self.resize(*self._size)
        self.modes_before = self.modes
        self.process = subprocess.Popen(
            self._command,
            stdin=self._terminal,
            stdout=self._terminal,
            stderr=self._terminal,
            env=dict(self._environment),
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._person)
        os.close(self._terminal)

    @property
    def modes(self) -> list[Any]:
        """How the terminal treats keys now."""
        return termios.tcgetattr(self._terminal)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._person, keys.encode())

    def until(self, words: str) -> None:
        """Read until these words are shown, beginning with what follows the last ones."""

        def is_shown() -> bool:
            self._read()
            return words in self.text[self._seen :]

        try:
            wait_until(is_shown, what=f"{words!r} on the terminal", timeout_s=_SOON_S)
        except Unavailable as error:
            raise AssertionError(f"{error.message}; it shows {self.text!r}") from error
        self._seen += self.text[self._seen :].index(words) + len(words)

    def until_prompt(self) -> None:
        """Read until a shell waits for its first command: what is typed before that is not typed into it."""

        def is_shown() -> bool:
            self._read()
            return self.text.endswith(("# ", "$ "))

        wait_until(is_shown, what="a prompt on the terminal", timeout_s=_SOON_S)
        self._seen = len(self.text)

    def ended(self) -> int:
        """Return the exit code when the command has ended."""

        def code() -> tuple[int] | None:
            self._read()
            found = self.process.poll()
            return None if found is None else (found,)

        (found,) = wait_until(code, what="the end of the command", timeout_s=_SOON_S)
        self._read()
        return found

    _seen = 0

    def _read(self) -> None:
        while select.select([self._person], (), (), 0.0)[0]:
            try:
                self.text += os.read(self._person, 65_536).decode("utf-8", "replace")
            except (BlockingIOError, OSError):
                return
