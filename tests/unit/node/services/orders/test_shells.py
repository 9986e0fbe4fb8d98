"""Sessions on a node: off unless both say yes, one at a time, recorded first, and over when they are over."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from ganglion.core import asciicast
from ganglion.core.errors import (
    GanglionError,
    InvalidName,
    InvalidRequest,
    NotFound,
)
from ganglion.node.domain.shells.limits import ShellLimits
from ganglion.ports.shell import Closing
from ganglion.testing.memory_shell import MemoryStarter
from unit.node.shell_bench import ACTION, Machine


@contextmanager
def refused(why: str, kind: type[GanglionError] = InvalidRequest) -> Iterator[None]:
    with pytest.raises(kind, match=why):
        yield


def test_a_shell_is_off_unless_the_machine_itself_says_otherwise() -> None:
    machine = Machine(limits=ShellLimits())

    with refused("off on this machine"):
        machine.shells.check(machine.order(), ACTION)


def test_an_order_is_refused_where_no_envelope_names_a_shell() -> None:
    with refused("no envelope"):
        Machine().shells.check(Machine().order(), None)


def test_a_machine_without_terminals_says_so() -> None:
    machine = Machine(starter=MemoryStarter(why="no terminal can be made"))

    with refused("no terminal can be made"):
        machine.shells.check(machine.order(), ACTION)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"role": "viewer"}, "role"),
        ({"person": "token:ci"}, "for a person"),
        ({"arguments": ()}, "says seconds"),
        ({"expires_at_s": 1e12}, "good for 120 s"),
    ],
)
def test_an_order_out_of_bounds_is_refused(changes: dict[str, object], why: str) -> None:
    machine = Machine()

    with refused(why):
        machine.shells.check(msgspec.structs.replace(machine.order(), **changes), ACTION)


@pytest.mark.parametrize("id_", ["../../etc/passwd", "", ".x", "a/b"])
def test_a_session_whose_id_could_lead_elsewhere_is_refused(id_: str) -> None:
    machine = Machine()

    with refused("session", InvalidName):
        machine.shells.check(machine.order(id_=id_), ACTION)


def test_a_longer_session_than_the_envelope_allows_is_refused() -> None:
    machine = Machine()

    with refused("allows 600 s"):
        machine.shells.check(machine.order(seconds=601), ACTION)


def test_a_person_types_and_sees_and_all_of_it_is_recorded() -> None:
    machine = Machine()
    machine.line.type(columns=90, rows=20)
    machine.line.type(b"ls\r")
    machine.starter.process.shows = [b"$ ", b"file\r\n"]
    process = machine.starter.process

    def leave() -> bool:
        machine.line.has_left = process.typed == b"ls\r" and machine.line.shown == b"$ file\r\n"
        return machine.line.has_left

    machine.hold(leave, lambda: machine.line.recordings, order=machine.order())

    (call,) = machine.starter.calls
    assert (call.command, call.seconds) == (("/bin/sh", "-i"), 300)
    assert process.sizes == [(90, 20)]
    assert process.ends == 1
    assert machine.closed_by == "left"
    _, events = asciicast.read(machine.recordings.content("s1"))
    assert sorted((event.kind, event.text) for event in events) == [
        ("i", "ls\r"), ("o", "$ "), ("o", "file\r\n"), ("r", "90x20"),
    ]  # fmt: skip
    (end,) = machine.line.ended
    assert end.recording_sha256 == machine.told("shell.closed")[0]["recording_sha256"]
    assert machine.line.recordings["s1"].recording == machine.recordings.content("s1")
    assert machine.told("shell.opened")[0] | {"person": "ada", "role": "admin"} == machine.told("shell.opened")[0]


def test_nothing_runs_before_the_person_came() -> None:
    machine = Machine()

    machine.hold(lambda: machine.line.polls > 3, order=machine.order())

    assert machine.starter.calls == []
    assert machine.closed_by == "agent_ended"


def test_the_machine_tells_of_an_open_session_and_takes_it_down_at_its_end() -> None:
    machine = Machine()
    machine.line.type(b"x")

    machine.hold(lambda: machine.starter.calls and machine.board.notice, order=machine.order())

    assert machine.board.notice is None
    assert machine.starter.process.ends == 1


def test_a_second_session_is_refused_while_one_is_open() -> None:
    machine = Machine()
    machine.line.type(b"x")

    def second_is_refused() -> bool:
        if machine.starter.calls:
            with refused("a shell of ada is open already"):
                machine.shells.check(machine.order(id_="s2", person="bo"), ACTION)
        return bool(machine.starter.calls)

    machine.hold(second_is_refused, order=machine.order())


def test_a_hub_without_room_holds_the_program_back() -> None:
    machine = Machine()
    machine.line.room = 4
    machine.line.type(b"x")
    machine.starter.process.shows = [b"abcdef", b"gh"]

    def make_room() -> bool:
        if machine.line.shown == b"abcd":
            assert machine.starter.process.shows == [b"gh"]
            machine.line.room = 100
        return machine.line.shown == b"abcdefgh"

    machine.hold(make_room, order=machine.order())


def test_input_that_the_hub_repeats_or_numbers_wrongly_is_typed_once() -> None:
    machine = Machine()
    machine.line.type(b"a")
    machine.line.type(b"b")
    machine.line.typed += [machine.line.typed[0], msgspec.structs.replace(machine.line.typed[1], number=9)]

    machine.hold(lambda: machine.starter.process.typed == b"ab" and machine.line.polls > 3, order=machine.order())

    assert machine.starter.process.typed == b"ab"


def test_what_an_agent_that_was_cut_off_has_left_is_closed_told_and_handed_over() -> None:
    machine = Machine()
    machine.line.type(b"x")
    machine.hold(lambda: machine.starter.process.typed, order=machine.order())
    left = Closing(id="s1", person="ada", reason="camera is stuck", begun_at_s=1.0)
    machine.recordings.closings["s1"] = left
    machine.events.clear()

    machine.hold(lambda: machine.recordings.closings["s1"].handed_over == "taken")

    assert machine.closed_by == "interrupted"
    assert machine.line.recordings["s1"].closed_by == "interrupted"


def test_a_recording_that_the_hub_refuses_stays_on_the_machine_and_is_not_offered_again() -> None:
    machine = Machine()
    offers: list[int] = []

    def refuse() -> None:
        offers.append(1)
        raise NotFound("no such session")

    machine.recordings.closings["s1"] = Closing(
        id="s1", person="ada", reason="r", begun_at_s=1.0, closed_by="left", sha256="00"
    )
    machine.line.answer = refuse

    machine.hold(lambda: machine.recordings.closings["s1"].handed_over)
    machine.hold(lambda: True)

    assert machine.recordings.closings["s1"].handed_over != "taken"
    assert len(offers) <= 1
