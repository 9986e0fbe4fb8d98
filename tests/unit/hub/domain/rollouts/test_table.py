"""The table of a rollout has a word for everything, and no dead end."""

import itertools

import pytest

from ganglion.hub.domain.rollouts.document import RolloutState
from ganglion.hub.domain.rollouts.table import (
    OPEN_STATES,
    REFUSED,
    SAID_AGAIN,
    TRANSITIONS,
    WAITING_STATES,
    RolloutEvent,
)

PAIRS = list(itertools.product(RolloutState, RolloutEvent))


def words_for(state: RolloutState, event: RolloutEvent) -> list[str]:
    found = {
        "step": TRANSITIONS.allows(state, event),
        "said again": (state, event) in SAID_AGAIN,
        "refused": event in REFUSED[state][1],
    }
    return [word for word, is_so in found.items() if is_so]


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_every_state_says_exactly_one_thing_of_every_event(state: RolloutState, event: RolloutEvent) -> None:
    assert len(words_for(state, event)) == 1


def reached_from(start: RolloutState) -> set[RolloutState]:
    seen, waiting = {start}, [start]
    while waiting:
        state = waiting.pop()
        after = {TRANSITIONS.next(state, event) for event in TRANSITIONS.events(state)} - seen
        seen |= after
        waiting.extend(after)
    return seen


@pytest.mark.parametrize("state", OPEN_STATES)
def test_from_every_open_state_a_rollout_can_be_completed_and_aborted(state: RolloutState) -> None:
    assert reached_from(state) >= {RolloutState.COMPLETED, RolloutState.ABORTED}


@pytest.mark.parametrize("state", OPEN_STATES)
def test_every_open_state_can_be_aborted_at_once(state: RolloutState) -> None:
    assert TRANSITIONS.next(state, RolloutEvent.ABORT) is RolloutState.ABORTED


@pytest.mark.parametrize("state", [RolloutState.COMPLETED, RolloutState.ABORTED])
def test_nothing_leaves_an_ended_rollout(state: RolloutState) -> None:
    assert reached_from(state) == {state}


def test_every_state_can_be_reached_from_the_first_one() -> None:
    assert reached_from(RolloutState.SCHEDULED) == set(RolloutState)


def test_nobody_goes_on_out_of_turn() -> None:
    held = (*WAITING_STATES, RolloutState.PAUSED)

    assert not any(TRANSITIONS.allows(state, RolloutEvent.GO_ON) for state in held)
    assert not any(TRANSITIONS.allows(state, RolloutEvent.FINISH) for state in held)
