"""What a supervisor tells the process that serves, in one line of JSON on its standard input."""

import os
import sys
from pathlib import Path

import msgspec

from ganglion.adapters.run_marks import Label
from ganglion.entrypoints.settings.serve import ServeSettings

_CHUNK_BYTES = 65_536


class ServeOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one process needs to serve. The supervisor adds the last four before each start."""

    path: str
    settings: ServeSettings
    journal: str = ""
    with_traceback: bool = False
    quarantined: tuple[str, ...] = ()
    """Labels of versions that are not to be loaded."""
    port: int = 0
    """Where the process before this one listened; 0: this is the first."""
    grpc_port: int = 0
    """Where it listened for gRPC; 0: nowhere, or this is the first."""

    @property
    def labels(self) -> tuple[Label, ...]:
        """Return the quarantined versions."""
        return tuple(Label.parse(text) for text in self.quarantined)

    @property
    def journal_path(self) -> Path | None:
        """Return where records go, if anywhere."""
        return Path(self.journal) if self.journal else None


def read_order() -> ServeOrder | None:
    """Wait for the order on standard input. None: the supervisor ended before it gave one."""
    descriptor, line = sys.stdin.fileno(), b""
    while not line.endswith(b"\n"):
        chunk = os.read(descriptor, _CHUNK_BYTES)
        if not chunk:
            return None
        line += chunk
    return msgspec.json.decode(line, type=ServeOrder)
