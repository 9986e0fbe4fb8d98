"""What a client wants of the outputs: which, and in which form. Shared by every edge that speaks the protocol."""

import functools

import msgspec

from ganglion.core.errors import InvalidRequest


class Span(msgspec.Struct, frozen=True, gc=False):
    """A part of a registered region of shared memory."""

    region: str
    offset: int
    size_bytes: int


class Wish(msgspec.Struct, frozen=True, gc=False):
    """The form of one output: in JSON, unless one of these says otherwise."""

    is_binary: bool = False
    classes: int = 0
    """So many of the best classes, as text, in place of the scores; 0 means the scores."""
    span: Span | None = None
    """Write it there, and answer with its shape only."""


class OutputChoice(msgspec.Struct, frozen=True, gc=False, eq=False):
    """Which outputs a client wants. No wishes: all of them, in the default form. Compared by identity: see `choose`."""

    wishes: tuple[tuple[str, Wish], ...]
    default: Wish
    names: tuple[str, ...]
    """Of the outputs that were asked for."""


@functools.lru_cache(maxsize=512)
def choose(wishes: tuple[tuple[str, Wish], ...], default: Wish) -> OutputChoice:
    """Return the choice of these wishes; equal ones are one object, so that what was prepared for it is found again.

    Raises: InvalidRequest: an output stands twice.
    """
    names = tuple([name for name, _ in wishes])
    if len(set(names)) != len(names):
        raise InvalidRequest(f"outputs are named twice: {list(names)}")
    return OutputChoice(wishes, default, names)
