"""How the demo speaks: chapters, live progress on a terminal, and one line for each thing that is proved."""

import os
import sys
from dataclasses import dataclass, field
from typing import TextIO

from ganglion.entrypoints.demo.scoreboard import Promise
from ganglion.entrypoints.settings.tree import wants_colour

_COLUMNS = 80
"""Of a terminal that does not tell its width."""


@dataclass(slots=True)
class Console:
    """Writes to standard output. `lines` holds what the present chapter said, for the report."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    lines: list[str] = field(default_factory=list)
    _progress_shown: bool = False

    def chapter(self, number: int, title: str) -> None:
        """Begin a chapter."""
        self.lines = []
        self._write(f"\n{self._bold(f'{number}. {title}')}\n")

    def say(self, line: str) -> None:
        """Tell something that happened."""
        self.lines.append(line)
        self._write(f"   {line}\n")

    def progress(self, line: str) -> None:
        """Show a passing state in place; not on a pipe, where it would only be noise."""
        if self.out.isatty():
            # Of a line that wraps, the terminal would erase the last row only.
            columns = os.get_terminal_size(self.out.fileno()).columns or _COLUMNS
            self._write(f"   … {line}"[: columns - 1])
            self._progress_shown = True

    def verdict(self, promise: Promise) -> None:
        """Tell whether a promise held."""
        mark = self._colour("✔ held", 32) if promise.held else self._colour("✘ BROKEN", 31)
        self.lines.append(f"{'held' if promise.held else 'BROKEN'}: {promise.text} ({promise.figures})")
        self._write(f"   {mark}: {promise.text} — {promise.figures}\n")

    def table(self, rows: list[tuple[str, str]]) -> None:
        """Print aligned pairs."""
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            self._write(f"   {name.ljust(width)}  {value}\n")

    def _write(self, text: str) -> None:
        if self._progress_shown:
            self.out.write("\r\x1b[2K")
            self._progress_shown = False
        self.out.write(text)
        self.out.flush()

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if wants_colour(self.out) else text

    def _colour(self, text: str, number: int) -> str:
        return f"\x1b[{number}m{text}\x1b[0m" if wants_colour(self.out) else text
