"""Can what a hub names be meant at all? Names, numbers and lengths, before anything of it is compared or kept.

What a node takes in it stores, reports and asks with: a name of a megabyte would stand in each later request, which no
honest hub could read any more, long after the one that sent it is gone.
"""

from typing import Final

import msgspec

from ganglion.core.errors import InvalidName
from ganglion.core.ids import parse_digest, parse_name
from ganglion.trust.actions import ARGUMENT_MAX, ARGUMENTS_MAX
from ganglion.wire.desired import Assignment, DesiredState, NodeCommand

SHOWN_MAX: Final = 64
"""How much is shown of a name that cannot be meant."""
_NUMBER_MAX: Final = 1 << 53
_COUNT_MAX: Final = 1_000_000
_WORD_MAX: Final = 128
_ARGUMENT_MAX: Final = 64 + 1 + ARGUMENT_MAX
"""A key, a sign, a value."""
_KEY_DIGITS_MAX: Final = 64
_STATEMENT_BYTES_MAX: Final = 16_384


def size_bytes_of(desired: DesiredState) -> int | None:
    """Return how many bytes a state takes when it is stored; None: it holds a number that cannot be stored."""
    try:
        return len(msgspec.msgpack.encode(desired))
    except OverflowError:
        return None


def why_no_state(desired: DesiredState) -> str:
    """Return why what orders states among each other cannot be meant; empty when it can."""
    words = (("incarnation", desired.incarnation), ("rekey_of", desired.rekey_of))
    numbers = (
        ("revision", desired.revision),
        ("root_version_min", desired.root_version_min),
        ("envelope_version", desired.envelope_version),
    )
    return _why_no_words(words) or _why_no_numbers(numbers)


def why_no_wish(wish: Assignment) -> str:
    """Return why an assignment cannot be meant; empty when it can. What it asks for is looked at elsewhere."""
    try:
        for what in ("model", "version", "variant"):
            parse_name(getattr(wish, what), what=what)
        parse_digest(wish.sha256)
    except InvalidName as error:
        return error.message
    words = (("arch", wish.arch), ("runtime", wish.runtime), ("rollout_id", wish.rollout_id))
    return _why_no_words(words) or _why_no_statement(wish.statement, wish.statement_key)


def why_no_command(command: NodeCommand) -> str:
    """Return why a command cannot be meant; empty when it can. Whether it is allowed is looked at elsewhere."""
    if not command.id:
        return "it has no id"
    words = (("id", command.id), ("name", command.name), ("person", command.person), ("role", command.role))
    longest = max(map(len, command.arguments), default=0)
    if len(command.arguments) > ARGUMENTS_MAX or longest > _ARGUMENT_MAX:
        return f"it has {len(command.arguments)} arguments, the longest of {longest} characters"
    if not 0 <= command.count <= _COUNT_MAX:
        return f"its count lies outside of 0 to {_COUNT_MAX}"
    return _why_no_words(words) or _why_no_statement(command.statement, command.statement_key)


def _why_no_words(words: tuple[tuple[str, str], ...]) -> str:
    for what, text in words:
        if len(text) > _WORD_MAX or not text.isprintable():
            return f"{what} of {len(text)} characters, {text[:SHOWN_MAX]!r}, cannot be meant"
    return ""


def _why_no_numbers(numbers: tuple[tuple[str, int], ...]) -> str:
    for what, number in numbers:
        if not 0 <= number <= _NUMBER_MAX:
            return f"{what} is no number that could be counted up to"
    return ""


def _why_no_statement(statement: bytes, key: str) -> str:
    if len(statement) > _STATEMENT_BYTES_MAX or len(key) > _KEY_DIGITS_MAX:
        return f"its signed statement has {len(statement)} bytes, at most {_STATEMENT_BYTES_MAX} are read"
    return ""
