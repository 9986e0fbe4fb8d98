"""Recordings at the hub: the one that was told of, once, for whom they are for, and not for ever."""

import pytest

from ganglion.core.errors import Conflict, GanglionError, InvalidRequest, NotFound, TooLarge
from ganglion.core.identity_errors import Forbidden
from ganglion.hub.domain.shells.limits import ShellRelayLimits
from ganglion.trust.roles import Caller, Role
from ganglion.wire.shells import ShellOutput, ShellRecording
from unit.hub.services.shell_world import ADA, ANN, BO, World, a_recording


@pytest.fixture
def world() -> World:
    return World()


def test_a_recording_is_kept_once_and_who_looked_is_written_down(world: World) -> None:
    shell_id = world.opened()
    world.shells.take_output("id-gate-1", shell_id, ShellOutput(0, closed_by="left"))
    record = ShellRecording("left", 12.0, a_recording())

    world.shells.take_recording("id-gate-1", shell_id, record)
    world.shells.take_recording("id-gate-1", shell_id, record)

    assert world.shells.recording("gate-1", shell_id, BO) == a_recording()
    assert world.deeds() == ["shell.asked", "shell.opened", "shell.closed", "shell.recorded", "shell.replayed"]
    (view,) = world.shells.sessions("gate-1")
    assert view.recording_bytes == len(a_recording())


def test_a_recording_is_for_whoever_had_the_session_and_for_administrators(world: World) -> None:
    shell_id = world.opened()
    world.shells.take_recording("id-gate-1", shell_id, ShellRecording("left", 12.0, a_recording()))

    for caller in (ANN, Caller(name="ada", role=Role.OPERATOR, kind="token")):
        with pytest.raises(Forbidden):
            world.shells.recording("gate-1", shell_id, caller)

    assert world.shells.recording("gate-1", shell_id, ADA) == world.shells.recording("gate-1", shell_id, BO)


def test_the_recording_of_a_session_of_which_nobody_told_the_end_ends_it(world: World) -> None:
    shell_id = world.opened()

    world.shells.take_recording("id-gate-1", shell_id, ShellRecording("interrupted", 12.0, a_recording()))

    shown = world.shells.shown("gate-1", shell_id, ADA, after=0, known="open")
    assert shown is not None
    assert (shown.stand, shown.closed_by) == ("closed", "interrupted")
    (view,) = world.shells.sessions("gate-1")
    assert (view.closed_by, view.recording_bytes) == ("interrupted", len(a_recording()))
    world.asked(by=BO)


def test_another_recording_than_was_told_of_is_refused(world: World) -> None:
    shell_id = world.opened()
    world.shells.take_output("id-gate-1", shell_id, ShellOutput(0, closed_by="left", recording_sha256="a" * 64))

    with pytest.raises(Conflict):
        world.shells.take_recording("id-gate-1", shell_id, ShellRecording("left", 1.0, a_recording()))

    assert world.casts == {}


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (ShellRecording("left", 1.0, b"no recording"), InvalidRequest),
        (ShellRecording("boo", 1.0, a_recording()), InvalidRequest),
        (ShellRecording("left", 1.0, a_recording("x" * 5000)), TooLarge),
    ],
)
def test_what_is_no_recording_is_not_kept(record: ShellRecording, kind: type[GanglionError]) -> None:
    world = World(ShellRelayLimits(recording_bytes_max=1000))
    shell_id = world.opened()

    with pytest.raises(kind):
        world.shells.take_recording("id-gate-1", shell_id, record)

    assert world.casts == {}


def test_a_hub_that_was_started_again_knows_who_had_which_session_and_takes_its_recording(world: World) -> None:
    shell_id = world.opened()

    world.shells = world.started()

    assert world.state(shell_id) == "lost"
    with pytest.raises(NotFound):
        world.shells.input_of("id-gate-1", shell_id, after=1)
    world.shells.take_recording("id-gate-1", shell_id, ShellRecording("forgotten", 3.0, a_recording()))
    assert world.state(shell_id) == "closed"


def test_the_oldest_sessions_and_their_recordings_are_forgotten(world: World) -> None:
    world.shells = world.started(ShellRelayLimits(recordings_max=2))
    for _ in range(3):
        shell_id = world.opened()
        world.shells.take_output("id-gate-1", shell_id, ShellOutput(0, closed_by="left"))
        world.shells.take_recording("id-gate-1", shell_id, ShellRecording("left", 1.0, a_recording()))
        world.clock.advance(1.0)

    assert len(world.shells.sessions("gate-1")) == len(world.casts) == 2
