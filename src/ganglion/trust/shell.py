"""An interactive shell on a node: what an order for one says, and what the envelope must say for it to be obeyed.

The envelope lets a shell be opened by naming an action `shell`: its command is the program, its roles are who may ask,
its `time_s` is the longest session. The node's own settings must let it too; no hub can change those.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ganglion.core.errors import InvalidRequest
from ganglion.trust.actions import ARGUMENT_MAX
from ganglion.trust.envelope import NamedAction
from ganglion.trust.roles import Role

NAME: Final = "shell"
"""The action, and the order. No program can be run by this name."""
ROLES: Final = (Role.OPERATOR, Role.ADMIN)
"""Nobody else gets a shell, whatever an envelope says."""
ORDER_LIFE_S: Final = 120.0
"""How long an order for a shell is good: somebody sits and waits for it."""
SECONDS_MAX: Final = 3600
SIDE_MAX: Final = 1000
"""Columns or rows of a terminal."""
REASON_MAX: Final = 160

_SECONDS, _COLUMNS, _ROWS, _REASON = "seconds", "columns", "rows", "reason"
_DIGITS_MAX: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellWish:
    """What a person asks for."""

    seconds: int
    reason: str
    columns: int = 80
    rows: int = 24


def arguments_of(wish: ShellWish) -> tuple[str, ...]:
    """Return the wish in the form of an order's arguments, which the hub signs. Raises: InvalidRequest."""
    _check(wish)
    return (
        f"{_SECONDS}={wish.seconds}",
        f"{_COLUMNS}={wish.columns}",
        f"{_ROWS}={wish.rows}",
        f"{_REASON}={wish.reason}",
    )


def wish_in(arguments: Sequence[str]) -> ShellWish:
    """Return what an order asks for. Raises: InvalidRequest: not all of it is there, or something else is."""
    given = _pairs(arguments)
    if given.keys() != {_SECONDS, _COLUMNS, _ROWS, _REASON} or len(given) != len(arguments):
        raise InvalidRequest(f"an order for a shell says {_SECONDS}, {_COLUMNS}, {_ROWS} and {_REASON}, each once")
    wish = ShellWish(
        seconds=_number(given[_SECONDS]),
        reason=given[_REASON],
        columns=_number(given[_COLUMNS]),
        rows=_number(given[_ROWS]),
    )
    _check(wish)
    return wish


def check(action: NamedAction | None, wish: ShellWish, *, person: str, role: str) -> None:
    """Make sure that the envelope lets this person have this shell. Raises: InvalidRequest: why not."""
    if action is None:
        raise InvalidRequest("no envelope that holds here names a shell")
    if action.arguments:
        raise InvalidRequest("the envelope names a shell that takes arguments: nobody could give them")
    # A program has a colon before its name, as in `token:NAME`; no account can have one.
    if not person or ":" in person:
        raise InvalidRequest(f"a shell is for a person, and {person[:40]!r} is none")
    if role not in {each.value for each in action.roles} & {each.value for each in ROLES}:
        raise InvalidRequest(f"the envelope does not let the role {role[:20]!r} have a shell")
    if wish.seconds > action.time_s:
        raise InvalidRequest(f"{wish.seconds} s were asked for, and the envelope allows {math.floor(action.time_s)} s")


def is_side(number: int) -> bool:
    """Tell whether a terminal can have so many columns or rows."""
    return 1 <= number <= SIDE_MAX


def _check(wish: ShellWish) -> None:
    if not 1 <= wish.seconds <= SECONDS_MAX:
        raise InvalidRequest(f"a shell lasts 1 to {SECONDS_MAX} s, not {wish.seconds}")
    if not (is_side(wish.columns) and is_side(wish.rows)):
        raise InvalidRequest(f"a terminal has 1 to {SIDE_MAX} columns and rows")
    if not wish.reason.strip() or not wish.reason.isprintable() or len(wish.reason) > REASON_MAX:
        raise InvalidRequest(f"give a reason, of one line and at most {REASON_MAX} characters")


def _pairs(arguments: Sequence[str]) -> Mapping[str, str]:
    if any(len(argument) > ARGUMENT_MAX for argument in arguments):
        raise InvalidRequest(f"an argument has more than {ARGUMENT_MAX} characters")
    return {name: value for name, _, value in (argument.partition("=") for argument in arguments)}


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise InvalidRequest(f"{text[:20]!r} is no whole number")
    return int(text)
