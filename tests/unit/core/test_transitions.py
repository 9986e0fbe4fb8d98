from enum import StrEnum

import pytest

from ganglion.core.transitions import IllegalTransition, Transitions


class State(StrEnum):
    IDLE = "idle"
    BUSY = "busy"
    DONE = "done"


class Event(StrEnum):
    STARTED = "started"
    ENDED = "ended"


TABLE = Transitions(
    {(State.IDLE, Event.STARTED): State.BUSY, (State.BUSY, Event.ENDED): State.DONE}, final=frozenset({State.DONE})
)


def test_the_table_says_the_next_state() -> None:
    assert TABLE.next(State.IDLE, Event.STARTED) is State.BUSY


def test_an_event_that_the_state_does_not_know_is_an_error() -> None:
    with pytest.raises(IllegalTransition, match="ended is not allowed in idle"):
        TABLE.next(State.IDLE, Event.ENDED)


def test_the_known_events_of_a_state_can_be_asked() -> None:
    assert TABLE.allows(State.IDLE, Event.STARTED)
    assert not TABLE.allows(State.DONE, Event.STARTED)
    assert list(TABLE.events(State.BUSY)) == [Event.ENDED]


def test_a_table_with_a_dead_end_cannot_be_made() -> None:
    with pytest.raises(AssertionError, match="way out"):
        Transitions({(State.IDLE, Event.STARTED): State.BUSY}, final=frozenset())


def test_a_table_that_leaves_a_final_state_cannot_be_made() -> None:
    with pytest.raises(AssertionError, match="no way out"):
        Transitions({(State.DONE, Event.STARTED): State.DONE}, final=frozenset({State.DONE}))
