"""A place where a package may be tried before the process that serves loads it."""

from pathlib import Path
from typing import Protocol

import msgspec

from ganglion.core.golden import GoldenResult


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How a version behaved."""

    proof: GoldenResult
    """Whether the golden inputs gave the expected outputs."""
    load_ms: float
    """From the file to an engine that is ready."""
    golden_ms: float
    """All golden inputs together, once the engine was warm."""
    memory_bytes_peak: int
    """What it took beyond the engine itself."""


class Sandbox(Protocol):
    """Tries versions."""

    def try_out(self, directory: Path) -> Trial:
        """Pass an unpacked package through the gate, load its model, answer its golden inputs: where it harms nobody.

        Raises: InvalidPackage: the gate refused it, or it had to be ended; the message says why.
        TargetMismatch, MissingExtra, GoldenMissing. Overloaded: this machine has no room for a trial now.
        """
        ...
