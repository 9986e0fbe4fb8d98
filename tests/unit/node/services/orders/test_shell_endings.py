"""Whatever ends a session on a node ends its programs, takes its notice down, and is told."""

from collections.abc import Callable

import msgspec
import pytest

from ganglion.core import asciicast
from ganglion.core.errors import (
    DiskUnusable,
    HubUnreachable,
    NotFound,
    Overloaded,
)
from ganglion.node.domain.shells.session import OFFER_S
from ganglion.testing.memory_shell import MemoryRecordings, MemoryStarter
from unit.node.shell_bench import ACTION, Machine, a_machine


def closed_after(machine: Machine, act: Callable[[], None]) -> str:
    """Open a session, do something to it, and return what closed it."""
    machine.line.type(b"x")
    acted: list[bool] = []

    def once() -> bool:
        if machine.starter.process.typed and not acted:
            acted.append(True)
            act()
        return machine.is_over

    machine.hold(once, order=machine.order())
    assert machine.starter.process.ends == 1
    assert machine.board.notice is None
    return machine.closed_by


def test_its_time_ends_a_session_however_busy_it_is() -> None:
    machine = a_machine(idle_s=3600.0, link_lost_s=600.0)

    assert closed_after(machine, lambda: machine.clock.advance(300.0)) == "time_up"


def test_the_machines_own_limit_ends_a_session_that_was_asked_for_longer() -> None:
    machine = a_machine(minutes_max=1, idle_s=3600.0, link_lost_s=600.0)

    assert closed_after(machine, lambda: machine.clock.advance(60.0)) == "time_up"


def test_silence_of_the_person_ends_a_session() -> None:
    machine = a_machine(idle_s=20.0, link_lost_s=600.0)

    assert closed_after(machine, lambda: machine.clock.advance(20.0)) == "idle"


def test_an_envelope_that_is_withdrawn_ends_a_session() -> None:
    machine = Machine()

    assert closed_after(machine, lambda: setattr(machine, "action", None)) == "withdrawn"


@pytest.mark.parametrize(
    "narrower", [{"time_s": 100.0}, {"roles": ()}, {"command": ("/bin/other",)}], ids=["time", "roles", "command"]
)
def test_an_envelope_that_is_narrowed_ends_a_session_that_it_would_not_allow(narrower: dict[str, object]) -> None:
    machine = Machine()
    action = msgspec.structs.replace(ACTION, **narrower)

    assert closed_after(machine, lambda: setattr(machine, "action", action)) == "withdrawn"


def test_somebody_on_the_machine_ends_a_session() -> None:
    machine = Machine()

    assert closed_after(machine, lambda: setattr(machine.board, "is_wanted", True)) == "closed_here"


def test_the_end_of_the_program_ends_a_session() -> None:
    machine = Machine()

    assert closed_after(machine, lambda: setattr(machine.starter.process, "has_exited", True)) == "exited"


def test_a_hub_that_does_not_know_the_session_ends_it() -> None:
    machine = Machine()

    def forget() -> None:
        raise NotFound("there is no such session")

    assert closed_after(machine, lambda: setattr(machine.line, "answer", forget)) == "forgotten"
    assert machine.line.ended == []


def test_a_hub_that_is_away_for_too_long_ends_a_session() -> None:
    machine = a_machine(idle_s=3600.0)

    def be_away() -> None:
        machine.clock.advance(16.0)
        raise HubUnreachable("no answer")

    assert closed_after(machine, lambda: setattr(machine.line, "answer", be_away)) == "link_lost"


def test_a_full_recording_ends_a_session_and_what_is_not_recorded_is_not_shown() -> None:
    machine = Machine(recordings=MemoryRecordings(bytes_max=600))
    process = machine.starter.process

    assert closed_after(machine, lambda: process.shows.extend([b"y" * 100] * 50)) == "recording_full"
    _, events = asciicast.read(machine.recordings.content("s1"))
    recorded = "".join(event.text for event in events if event.kind == "o")
    assert len(machine.recordings.content("s1")) <= 600
    assert recorded.encode().startswith(machine.line.shown)


def test_a_disk_that_takes_no_recording_lets_no_session_begin() -> None:
    machine = Machine(recordings=MemoryRecordings(error=DiskUnusable("full")))
    machine.line.type(b"x")

    machine.hold(lambda: machine.is_over, order=machine.order())

    assert machine.closed_by == "not_recorded"
    assert machine.starter.calls == []


def test_a_disk_that_fills_up_ends_a_session() -> None:
    machine = Machine()

    def fill() -> None:
        machine.recordings.made["s1"].error = DiskUnusable("full")
        machine.line.type(b"more")

    assert closed_after(machine, fill) == "not_recorded"
    assert machine.starter.process.typed == b"x"


def test_a_program_that_cannot_be_started_ends_a_session() -> None:
    machine = Machine(starter=MemoryStarter(error=Overloaded("no process can be made")))
    machine.line.type(b"x")

    machine.hold(lambda: machine.is_over, order=machine.order())

    assert machine.closed_by == "not_started"


def test_a_person_who_does_not_come_is_not_waited_for_long() -> None:
    machine = a_machine(link_lost_s=600.0)

    def pass_time() -> bool:
        machine.clock.advance(OFFER_S)
        return True

    machine.hold(lambda: machine.board.notice, pass_time, lambda: machine.is_over, order=machine.order())

    assert machine.closed_by == "nobody_came"
    assert machine.starter.calls == []
