"""Which state a request of a sequence goes on from, and how many states are kept.

A sequence is a row of requests to a stateful model that build on each other, named by the client. It begins with a
request that says so: a name that is unknown without it was forgotten, and an answer from a fresh state would be
wrong without anybody noticing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from ganglion.core.errors import InvalidRequest, Overloaded

T = TypeVar("T")


class SequenceLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much state of clients a model keeps."""

    open_max: int = 64
    """Sequences of one model version at a time; each costs the memory of its state."""

    idle_s_max: float = 60.0
    """A sequence that was silent for longer makes room when another one begins."""

    id_len_max: int = 128
    """Characters of a sequence's name."""


class SequencePlace(msgspec.Struct, frozen=True):
    """A request's place in a sequence: the first one, the last one, both, or one between."""

    sequence: str
    is_first: bool = False
    is_last: bool = False


@dataclass(slots=True)
class _Open(Generic[T]):
    state: T
    used_s: float


class Sequences(Generic[T]):
    """The open sequences of one model version. `begin` makes a fresh state. Belongs to one thread."""

    def __init__(self, begin: Callable[[], T], limits: SequenceLimits) -> None:
        self._begin, self._limits = begin, limits
        self._open: dict[str, _Open[T]] = {}
        """In the order of last use, so that the first one is the longest idle."""

    def __len__(self) -> int:
        return len(self._open)

    def take(self, place: SequencePlace, *, now_s: float) -> T:
        """Return the state to go on from. A first request begins anew, even where the name is open.

        Raises: InvalidRequest: nobody began this sequence, or it was forgotten. Overloaded: too many are open.
        """
        name = place.sequence
        if not name or len(name) > self._limits.id_len_max:
            raise InvalidRequest(f"a sequence's id has 1 to {self._limits.id_len_max} characters")
        found = self._open.pop(name, None)
        if place.is_first:
            self._make_room(now_s)
            found = _Open(self._begin(), now_s)
        if found is None:
            raise InvalidRequest(f"sequence {name!r} is not open: its first request must say that it is the first")
        found.used_s = now_s
        self._open[name] = found
        return found.state

    def end(self, place: SequencePlace, state: T) -> None:
        """Forget a sequence after its last answer; not before, for a request that is not carried out may come again."""
        found = self._open.get(place.sequence)
        # Under the same name another one may have begun meanwhile.
        if place.is_last and found is not None and found.state is state:
            del self._open[place.sequence]

    def _make_room(self, now_s: float) -> None:
        if len(self._open) < self._limits.open_max:
            return
        name, oldest = next(iter(self._open.items()))
        if now_s - oldest.used_s <= self._limits.idle_s_max:
            raise Overloaded(f"{self._limits.open_max} sequences are open, more are not kept: end one, or wait")
        del self._open[name]
