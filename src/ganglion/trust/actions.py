"""From the name of an action, and what a caller gives it, to the command line that the envelope signed for it.

There is no shell anywhere: each part is one argument, and what a caller gives stands in the place of a whole one.
"""

import re
from collections.abc import Sequence
from typing import Final

from ganglion.core.errors import InvalidRequest
from ganglion.trust.envelope import ArgumentRule, NamedAction

ARGUMENT_MAX: Final = 200
"""Characters of one argument."""
ARGUMENTS_MAX: Final = 32
_ANY = r"[A-Za-z0-9._-]*"


def command_of(action: NamedAction, arguments: Sequence[str]) -> tuple[str, ...]:
    """Return program and arguments; `arguments` are KEY=VALUE, one for each that the action has.

    Raises: InvalidRequest: one is missing, given twice, not known, or not what its rule allows.
    """
    given = _given(action, arguments)
    missing = sorted(action.arguments.keys() - given.keys())
    if missing:
        raise InvalidRequest(f"{action.name}: {missing[0]} is not given; give {missing[0]}=VALUE")
    for name, value in given.items():
        if not _fits(action.arguments[name], value):
            raise InvalidRequest(f"{action.name}: {name} may not be {value[:80]!r}")
    return tuple(given[part[1:-1]] if part[1:-1] in given and part == f"{{{part[1:-1]}}}" else part
                 for part in action.command)  # fmt: skip


def _given(action: NamedAction, arguments: Sequence[str]) -> dict[str, str]:
    if len(arguments) > ARGUMENTS_MAX:
        raise InvalidRequest(f"{action.name}: {len(arguments)} arguments, at most {ARGUMENTS_MAX} are read")
    given: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name in given or name not in action.arguments:
            known = ", ".join(f"{each}=VALUE" for each in action.arguments) or "no arguments"
            raise InvalidRequest(f"{action.name} takes {known}, each once: {argument[:80]!r} is none of it")
        given[name] = value
    return given


def _fits(rule: ArgumentRule, value: str) -> bool:
    if len(value) > ARGUMENT_MAX or not value.isprintable():
        return False
    if rule.values:
        return value in rule.values
    # What begins with a dash is an option to most programs, and `..` leads out of a directory.
    if (value.startswith("-") and not rule.pattern.startswith("-")) or ".." in value:
        return False
    return re.fullmatch(_ANY.join(re.escape(part) for part in rule.pattern.split("*")), value) is not None
