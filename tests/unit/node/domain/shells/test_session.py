"""An interactive session has a way out of every state, whatever happens, and every deadline closes it."""

from dataclasses import replace

import pytest

from ganglion.node.domain.shells.session import OFFER_S, TABLE, ShellEvent, ShellSession, ShellState
from ganglion.wire.shells import WHY_CLOSED

CLOSINGS = [event for event in ShellEvent if event not in {ShellEvent.ALLOWED, ShellEvent.CAME}]


def a_session(*events: ShellEvent, at_s: float = 100.0) -> ShellSession:
    """Return a session of ten minutes that was asked for at `at_s`, after these events."""
    session = ShellSession(id="s1", asked_at_s=at_s, ends_at_s=at_s + 600.0, idle_s=120.0, link_lost_s=30.0)
    for event in events:
        session = session.after(event, now_s=at_s)
    return session


OFFERED = (ShellEvent.ALLOWED,)
OPEN = (ShellEvent.ALLOWED, ShellEvent.CAME)


def test_a_session_is_asked_for_offered_and_opened() -> None:
    states = [a_session(*OPEN[:count]).state for count in range(3)]

    assert states == [ShellState.ASKED, ShellState.OFFERED, ShellState.OPEN]


def test_no_program_runs_before_the_person_came() -> None:
    assert not TABLE.allows(ShellState.ASKED, ShellEvent.CAME)
    assert a_session(ShellEvent.CAME).state is ShellState.ASKED


@pytest.mark.parametrize("event", CLOSINGS)
def test_whatever_closes_a_session_is_remembered_and_final(event: ShellEvent) -> None:
    closed = [a_session(*before, event) for before in ((), OFFERED, OPEN)]
    found = [session for session in closed if session.state is ShellState.CLOSED]

    assert found
    assert {session.closed_by for session in found} == {event}
    assert all(session.after(other, now_s=999.0) == session for session in found for other in ShellEvent)


@pytest.mark.parametrize("state", [state for state in ShellState if state is not ShellState.CLOSED])
def test_the_end_of_the_agent_closes_a_session_in_every_state(state: ShellState) -> None:
    assert TABLE.next(state, ShellEvent.AGENT_ENDED) is ShellState.CLOSED


@pytest.mark.parametrize(
    "event", [ShellEvent.TIME_UP, ShellEvent.LINK_LOST, ShellEvent.WITHDRAWN, ShellEvent.CLOSED_HERE, ShellEvent.LEFT]
)
@pytest.mark.parametrize("before", [OFFERED, OPEN], ids=["offered", "open"])
def test_what_must_end_a_session_ends_it_before_and_after_it_was_opened(
    before: tuple[ShellEvent, ...], event: ShellEvent
) -> None:
    assert a_session(*before, event).closed_by is event


def test_every_reason_has_words() -> None:
    assert set(WHY_CLOSED) == {event.value for event in CLOSINGS}


@pytest.mark.parametrize(
    ("events", "later_s", "due"),
    [
        (OPEN, 29.0, None),
        (OPEN, 30.0, ShellEvent.LINK_LOST),
        (OFFERED, 29.0, None),
        (OFFERED, 30.0, ShellEvent.LINK_LOST),
        ((), 1e9, None),
        ((*OPEN, ShellEvent.LEFT), 1e9, None),
    ],
)
def test_a_hub_that_is_not_heard_of_ends_a_session(
    events: tuple[ShellEvent, ...], later_s: float, due: ShellEvent | None
) -> None:
    assert a_session(*events).due(now_s=100.0 + later_s) is due


@pytest.mark.parametrize(
    ("events", "later_s", "due"),
    [
        (OFFERED, OFFER_S - 1, None),
        (OFFERED, OFFER_S, ShellEvent.NOBODY_CAME),
        (OPEN, 119.0, None),
        (OPEN, 120.0, ShellEvent.IDLE),
        (OPEN, 600.0, ShellEvent.TIME_UP),
        (OFFERED, 600.0, ShellEvent.TIME_UP),
    ],
)
def test_silence_and_time_end_a_session_of_which_the_hub_speaks(
    events: tuple[ShellEvent, ...], later_s: float, due: ShellEvent | None
) -> None:
    now_s = 100.0 + later_s

    assert a_session(*events).heard(now_s=now_s).due(now_s=now_s) is due


def test_typing_puts_off_idleness_and_never_the_end() -> None:
    session = replace(a_session(*OPEN), heard_at_s=1e6)

    assert session.typed(now_s=690.0).due(now_s=699.0) is None
    assert session.typed(now_s=700.0).due(now_s=700.0) is ShellEvent.TIME_UP
