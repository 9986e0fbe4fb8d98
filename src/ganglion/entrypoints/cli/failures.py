"""How a command ends when it fails: one line that says what happened, one that says what to do, and an exit code.

Exit codes stand in `wire.problems`; 130 means interrupted. With `-o json` or `-o jsonl` the error is a JSON object.
"""

import itertools
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.entrypoints.cli.output import note

EXIT_INTERRUPTED = 130
DEBUG = "--debug"
_OUTPUT = ("-o", "--output")
_JSON = ("json", "jsonl")


@dataclass(frozen=True, slots=True)
class FailureStyle:
    """How this invocation wants its errors. Read from the raw arguments: parsing them may be what failed."""

    as_json: bool = False
    with_traceback: bool = False

    @classmethod
    def of(cls, arguments: Sequence[str]) -> "FailureStyle":
        """Look for `-o json`, in each way to write it, and for `--debug`."""
        pairs = itertools.pairwise([*arguments, ""])
        spelt = {f"{option}{joint}{name}" for option in _OUTPUT for joint in ("", "=") for name in _JSON}
        as_json = any(word in spelt or (word in _OUTPUT and after in _JSON) for word, after in pairs)
        return cls(as_json=as_json, with_traceback=DEBUG in arguments)


def report(error: Exception, style: FailureStyle) -> int:
    """Print `error` to stderr and return the exit code."""
    from ganglion.wire.problems import exit_code_of

    if style.with_traceback:
        traceback.print_exception(error)
    known = error if isinstance(error, GanglionError) else _unexpected(error)
    if style.as_json:
        _print_json(known)
    else:
        _print_text(known)
    return exit_code_of(known)


def _print_text(error: GanglionError) -> None:
    from ganglion.entrypoints.settings.tree import wants_colour

    label = "\x1b[31merror:\x1b[0m" if wants_colour(sys.stderr) else "error:"
    sys.stderr.write(f"{label} ")
    note(error.message)
    # What is wrong with a request, its own message says best.
    if type(error) not in {GanglionError, InvalidRequest}:
        note(f"  {error.remedy}")


def _print_json(error: GanglionError) -> None:
    import msgspec

    from ganglion.wire.problems import problem_of

    note(msgspec.json.encode({"error": problem_of(error)}).decode())


def _unexpected(error: Exception) -> GanglionError:
    reason = f"{type(error).__name__}: {error}".rstrip(": ")
    return GanglionError(f"{reason} (unexpected; run the command again with {DEBUG} for the traceback)")
