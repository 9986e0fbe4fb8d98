"""Runs one command line apart from the agent, with limits."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ActionCall:
    """What to run. There is no shell: each part of `command` is one argument."""

    command: tuple[str, ...]
    directory: str
    time_s: float
    output_bytes: int
    """What is kept of standard output and standard error together; after that the program is ended."""


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """What came of it."""

    code: int
    """Exit code; below 0 the number of the signal that ended it."""
    output: bytes
    ended_by: str = ""
    """time or output, when a limit ended it."""


class ActionRunner(Protocol):
    """Blocks until the program has ended, or was ended with everything that it started."""

    def run(self, call: ActionCall) -> ActionOutcome:
        """Run a program. Raises: Overloaded: no process can be made."""
        ...

    def stop(self) -> None:
        """End whatever runs now, and let nothing more begin: the agent ends."""
        ...
