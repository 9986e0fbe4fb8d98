"""Sessions at the hub: for a person, by the envelope, one a node, joined by nobody, and told in the audit chain."""

from collections.abc import Callable

import pytest

from ganglion.core.errors import Conflict, GanglionError, InvalidRequest, NotFound, Overloaded
from ganglion.core.identity_errors import Forbidden
from ganglion.hub.domain.shells.limits import ShellRelayLimits
from ganglion.hub.services.nodes import settings_documents
from ganglion.hub.services.shells.shells import Shells, keys_of
from ganglion.trust import shell
from ganglion.trust.roles import Caller, Role
from ganglion.wire.node_resources import CommandRequest
from ganglion.wire.shell_resources import ShellRequest
from ganglion.wire.shells import PERSON_SILENT_S, ShellOutput, ShellRecording, ShellTyped
from unit.hub.services.shell_world import ADA, ANN, BO, REQUEST, World


@pytest.fixture
def world() -> World:
    return World()


def test_an_order_for_a_session_names_its_time_and_reason_and_is_good_for_two_minutes(world: World) -> None:
    shell_id = world.asked()

    with world.control.read() as tx:
        (given,) = settings_documents.commands(tx)
    assert (given.command.id, given.command.name) == (shell_id, "shell")
    assert given.command.expires_at_s == world.now_s + shell.ORDER_LIFE_S
    assert shell.wish_in(given.command.arguments).reason == "camera is stuck"
    assert (given.command.person, given.command.role) == ("ada", "admin")
    assert world.deeds() == ["shell.asked"]


@pytest.mark.parametrize(
    ("caller", "request_", "kind"),
    [
        (Caller(name="ci", role=Role.ADMIN, kind="token"), REQUEST, Forbidden),
        (ANN, REQUEST, InvalidRequest),
        (Caller(name="vi", role=Role.VIEWER), REQUEST, InvalidRequest),
        (ADA, ShellRequest(601, "too long"), InvalidRequest),
        (ADA, ShellRequest(300, ""), InvalidRequest),
        (ADA, ShellRequest(300, "x", columns=0), InvalidRequest),
    ],
)
def test_who_may_not_have_a_session_gets_none(
    world: World, caller: Caller, request_: ShellRequest, kind: type[GanglionError]
) -> None:
    with pytest.raises(kind):
        world.shells.ask("gate-1", request_, caller)

    assert world.shells.sessions("gate-1") == []


def test_without_an_envelope_there_is_no_session(world: World) -> None:
    world.envelope = None

    with pytest.raises(InvalidRequest, match="no envelope"):
        world.asked()


def test_a_session_is_no_action_that_can_be_asked_for_otherwise(world: World) -> None:
    request = CommandRequest("shell", arguments=list(shell.arguments_of(shell.ShellWish(seconds=60, reason="x"))))

    with pytest.raises(InvalidRequest, match="ganglion node shell"):
        world.settings.command("gate-1", request, actor="ada", role="admin")


def test_a_node_that_is_not_there_can_not_be_asked(world: World) -> None:
    with pytest.raises(NotFound):
        world.asked("nowhere")


def test_what_is_typed_and_shown_passes_between_person_and_node(world: World) -> None:
    shell_id = world.opened()

    world.shells.take_output("id-gate-1", shell_id, ShellOutput(0, b"$ "))
    shown = world.shells.shown("gate-1", shell_id, ADA, after=0, known="offered")

    assert shown is not None
    assert shown.data == b"$ "
    assert world.deeds() == ["shell.asked", "shell.opened"]
    assert {keys_of(shell_id).typed, keys_of(shell_id).shown} <= set(world.woken)


def test_nothing_new_is_nothing(world: World) -> None:
    shell_id = world.opened()

    assert world.shells.shown("gate-1", shell_id, ADA, after=0, known="open") is None
    assert world.shells.input_of("id-gate-1", shell_id, after=1) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda shells, shell_id: shells.shown("gate-1", shell_id, BO, after=0, known=""),
        lambda shells, shell_id: shells.type("gate-1", shell_id, BO, ShellTyped(2, b"x")),
        lambda shells, shell_id: shells.type(
            "gate-1", shell_id, Caller(name="ada", role=Role.ADMIN, kind="token"), ShellTyped(2, b"x")
        ),
        lambda shells, shell_id: shells.type("gate-1", shell_id, Caller(name="ada", role=Role.OPERATOR), ShellTyped(2)),
        lambda shells, shell_id: shells.close("gate-1", shell_id, ANN),
    ],
)
def test_nobody_else_joins_a_session(world: World, call: Callable[[Shells, str], object]) -> None:
    shell_id = world.opened()

    with pytest.raises(Forbidden, match="one of ada"):
        call(world.shells, shell_id)


@pytest.mark.parametrize(
    "call",
    [
        lambda shells, shell_id: shells.input_of("id-gate-2", shell_id, after=0),
        lambda shells, shell_id: shells.take_output("id-gate-2", shell_id, ShellOutput(0, b"x")),
        lambda shells, shell_id: shells.take_recording("id-gate-2", shell_id, ShellRecording("left", 1.0, b"")),
        lambda shells, shell_id: shells.shown("gate-2", shell_id, ADA, after=0, known=""),
        lambda shells, shell_id: shells.recording("gate-2", shell_id, ADA),
        lambda shells, shell_id: shells.close("gate-2", shell_id, ADA),
        lambda shells, _: shells.input_of("id-gate-1", "made-up", after=0),
    ],
)
def test_a_session_of_one_node_is_none_of_anothers(world: World, call: Callable[[Shells, str], object]) -> None:
    shell_id = world.opened()

    with pytest.raises(NotFound):
        call(world.shells, shell_id)


def test_a_node_has_one_session_at_a_time(world: World) -> None:
    world.opened()

    with pytest.raises(Conflict):
        world.asked(by=BO)
    world.asked("gate-2", by=BO)


def test_a_hub_has_so_many_sessions_and_no_more() -> None:
    world = World(ShellRelayLimits(sessions_max=2))
    world.asked("gate-1")
    world.asked("gate-2")

    with pytest.raises(Overloaded):
        world.asked("gate-3")


def test_an_administrator_can_end_anybodys_session(world: World) -> None:
    shell_id = world.opened()

    world.shells.close("gate-1", shell_id, BO)

    told = world.shells.input_of("id-gate-1", shell_id, after=1)
    assert told is not None
    assert told.has_left
    assert "shell.left" in world.deeds()


def test_a_person_who_is_not_heard_of_has_left(world: World) -> None:
    shell_id = world.opened()
    world.clock.advance(PERSON_SILENT_S + 1)

    told = world.shells.input_of("id-gate-1", shell_id, after=1)

    assert told is not None
    assert told.has_left


def test_a_session_for_which_nobody_waits_any_more_makes_room_for_another(world: World) -> None:
    world.asked()
    world.clock.advance(PERSON_SILENT_S + 1)

    world.asked(by=BO)


def test_a_node_that_is_not_heard_of_loses_its_session(world: World) -> None:
    shell_id = world.opened()
    world.clock.advance(30.0)
    world.shells.shown("gate-1", shell_id, ADA, after=0, known="open")
    world.clock.advance(31.0)

    shown = world.shells.shown("gate-1", shell_id, ADA, after=0, known="open")

    assert shown is not None
    assert (shown.stand, shown.closed_by) == ("closed", "link_lost")
    with pytest.raises(NotFound):
        world.shells.input_of("id-gate-1", shell_id, after=1)


def test_the_end_of_a_session_is_said_after_everything_that_was_shown(world: World) -> None:
    shell_id = world.opened()
    world.shells.take_output("id-gate-1", shell_id, ShellOutput(0, b"bye"))
    world.shells.take_output("id-gate-1", shell_id, ShellOutput(3, closed_by="exited", recording_sha256="a" * 64))

    first = world.shells.shown("gate-1", shell_id, ADA, after=0, known="open")
    second = world.shells.shown("gate-1", shell_id, ADA, after=3, known="open")

    assert first is not None
    assert (first.data, first.closed_by) == (b"bye", "")
    assert second is not None
    assert (second.stand, second.closed_by) == ("closed", "exited")
    assert world.shells.type("gate-1", shell_id, ADA, ShellTyped(2, b"late"))
    assert world.deeds()[-1] == "shell.closed"


def test_a_reason_that_there_is_none_is_not_repeated(world: World) -> None:
    shell_id = world.opened()

    with pytest.raises(InvalidRequest):
        world.shells.take_output("id-gate-1", shell_id, ShellOutput(0, closed_by="\x1b[2Jboo"))

    assert world.state(shell_id) == "open"


def test_what_a_node_refused_is_closed_as_refused_when_the_person_gives_up(world: World) -> None:
    shell_id = world.asked()
    with world.control.write() as tx:
        settings_documents.note_answers(tx, "id-gate-1", {shell_id: "shells are off on this machine"})

    world.shells.close("gate-1", shell_id, ADA)

    assert world.shells.sessions("gate-1")[0].closed_by == "refused"
