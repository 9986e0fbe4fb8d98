"""Transition tables: the shared shape of every state machine in hub and node."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Generic, TypeVar

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


class IllegalTransition(Exception):
    """A programming error: the shell fed an event that the state does not know."""

    def __init__(self, state: StrEnum, event: StrEnum) -> None:
        super().__init__(f"{event.value} is not allowed in {state.value}")
        self.state, self.event = state, event


class Transitions(Generic[S, E]):
    """A checked table of (state, event) -> state."""

    def __init__(self, table: Mapping[tuple[S, E], S], *, final: frozenset[S]) -> None:
        sources = {state for state, _ in table}
        assert not sources & final, "a final state has no way out"
        assert set(table.values()) <= sources | final, "every state has a way out or is final"
        self._table = dict(table)
        self.final = final

    def next(self, state: S, event: E) -> S:
        """Return the state after `event`. Raises: IllegalTransition."""
        try:
            return self._table[state, event]
        except KeyError:
            raise IllegalTransition(state, event) from None

    def allows(self, state: S, event: E) -> bool:
        """Say whether `event` may happen in `state`."""
        return (state, event) in self._table

    def events(self, state: S) -> Iterator[E]:
        """Yield the events that `state` knows, in the order of the table."""
        return (event for source, event in self._table if source is state)
