"""One process's log as files that are replaced in turn: the oldest goes when the newest is full."""

import logging
import logging.handlers
import os
from io import TextIOWrapper
from pathlib import Path

from ganglion.adapters.kept_logs.regular import opened_file

_FILES = 4
LINE_BYTES_MAX = 16_384
"""What is longer is cut: a traceback of a deep recursion must not push everything else out."""


class LogFile:
    """Appends lines. A disk that takes none costs the line, and never the work that it tells of."""

    def __init__(self, folder: Path, process: str, *, bytes_max: int) -> None:
        """Keep lines of `process` in `folder`, in at most `bytes_max` bytes. Raises: OSError: no folder can be made."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._handler = _Quiet(
            folder / f"{process}.jsonl",
            maxBytes=max(bytes_max // _FILES, LINE_BYTES_MAX),
            backupCount=_FILES - 1,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )

    def write(self, line: str) -> None:
        """Append a line. Safe to use from many threads."""
        shown = line if len(line) <= LINE_BYTES_MAX else line[:LINE_BYTES_MAX]
        self._handler.handle(logging.LogRecord("ganglion", logging.INFO, "", 0, shown, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


class _Quiet(logging.handlers.RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        descriptor = opened_file(Path(self.baseFilename), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        return os.fdopen(descriptor, "a", encoding=self.encoding, errors=self.errors)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class's name
        """Say nothing: standard error has the line."""
