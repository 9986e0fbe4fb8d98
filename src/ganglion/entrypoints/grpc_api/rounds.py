"""Looks at long calls once in a while, as long as there are any: nobody tells them of a change."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class CanCallLater(Protocol):
    """The part of an event loop that calls back."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> object:
        """Call `callback` once, `delay` seconds from now."""
        ...


class Rounds(Generic[T]):
    """Calls `look` with each member, every `every_s` seconds, until it says False. Without members no timer runs."""

    def __init__(self, look: Callable[[T], bool], loop: CanCallLater, *, every_s: float = 1.0) -> None:
        self._look, self._loop, self._every_s = look, loop, every_s
        self._members: dict[T, None] = {}
        self._is_waiting = False

    def add(self, member: T) -> None:
        """Look at a member from the next round on."""
        self._members[member] = None
        self._wait()

    def discard(self, member: T) -> None:
        """Look at it no more."""
        self._members.pop(member, None)

    def _wait(self) -> None:
        if self._members and not self._is_waiting:
            self._is_waiting = True
            self._loop.call_later(self._every_s, self._go_round)

    def _go_round(self) -> None:
        self._is_waiting = False
        for member in list(self._members):
            if not self._look(member):
                self.discard(member)
        self._wait()
