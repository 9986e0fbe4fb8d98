"""A session through a served hub: the node's own line at one end, a person's client at the other."""

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from ganglion.core.asciicast import CastHeader, CastKind, CastWriter
from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.core.identity_errors import Forbidden
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.settings.client import ClientSettings
from ganglion.trust import orders, shell
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.envelope import Envelope, Limits, NamedAction
from ganglion.trust.orders import OrderStatement, SignedOrder
from ganglion.wire import paths
from ganglion.wire.shell_resources import ShellRequest, ShellTyping
from ganglion.wire.shells import PIECE_BYTES_MAX, ShellOutput, ShellRecording
from integration.trust_world import World, trust_world
from unit.trust.ceremonies import signer

SHELL = Envelope(limits=Limits(actions=(NamedAction(name="shell", command=("/bin/sh",), time_s=600.0),)))
REQUEST = ShellRequest(300, "camera is stuck", columns=100, rows=30)
LONG_S = 20.0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with trust_world(tmp_path_factory.mktemp("shell-hub")) as made:
        made.take_keys_off()
        made.publish(
            ceremony.limit(made.start(), SHELL, signer("warden").public_key, made.terms()), "ada", "bo", "warden"
        )
        yield made


@pytest.fixture
def session(world: World) -> Iterator[str]:
    """Return the id of a session that was asked for, and that is over afterwards."""
    shell_id = world.client.ask_shell("gate", REQUEST).id
    yield shell_id
    with suppress(NotFound):
        end = world.link().shell_output(shell_id, ShellOutput(0))
        world.link().shell_output(shell_id, ShellOutput(end, closed_by="left"))


def keys(number: int, data: bytes = b"x") -> ShellTyping:
    return ShellTyping(number=number, data=base64.b64encode(data).decode())


def person(world: World, name: str, role: str) -> HubClient:
    reply = world.hub.post(paths.ACCOUNTS, {"name": name, "role": role}).json
    assert isinstance(reply, dict)
    ca_pem = world.hub.ca_file.read_bytes()
    return HubClient(world.hub.url, ca_pem=ca_pem, token=str(reply["token"]), settings=ClientSettings())


def test_an_order_for_a_shell_is_signed_for_this_node_and_names_the_person(world: World, session: str) -> None:
    (command,) = [each for each in world.told().commands if each.id == session]
    signed = SignedOrder(command.statement, command.statement_key, command.statement_signature)

    statement = OrderStatement(
        node_id=world.node.identity.node_id,
        id=session,
        name=shell.NAME,
        arguments=shell.arguments_of(shell.ShellWish(seconds=300, reason="camera is stuck", columns=100, rows=30)),
        expires_at_s=command.expires_at_s,
        person=world.client.who().name,
        role="admin",
    )
    orders.verify(world.link().trusted_word(root_version_min=1).order_keys, signed, statement)


def test_whoever_waits_is_told_as_soon_as_there_is_something(world: World, session: str) -> None:
    link = world.link()
    with ThreadPoolExecutor(2) as threads:
        heard = threads.submit(link.shell_input, session, after=0, wait_s=LONG_S)
        assert world.client.type_into_shell("gate", session, keys(1, b"ls\r"))
        assert [typed.data for typed in heard.result(LONG_S).typed] == [b"ls\r"]

        link.shell_input(session, after=1, wait_s=0.0)
        seen = threads.submit(_next_shown, world, session)
        link.shell_output(session, ShellOutput(0, b"file\r\n"))
        assert seen.result(LONG_S) == b"file\r\n"


def _next_shown(world: World, session: str) -> bytes:
    known = "asked"
    while True:
        shown = world.client.shell_shown("gate", session, after=0, known=known, wait_s=LONG_S)
        if shown.data:
            return base64.b64decode(shown.data)
        known = shown.state


def test_a_node_that_is_ahead_waits_until_the_person_has_read(world: World, session: str) -> None:
    link, text = world.link(), bytes(range(256)) * 2048
    read = bytearray()

    def send() -> None:
        sent = 0
        while sent < len(text):
            sent = link.shell_output(session, ShellOutput(sent, text[sent : sent + PIECE_BYTES_MAX]))

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    link.shell_input(session, after=0, wait_s=0.0)
    while len(read) < len(text):
        shown = world.client.shell_shown("gate", session, after=len(read), known="offered", wait_s=LONG_S)
        read += base64.b64decode(shown.data)
    sending.join(LONG_S)

    assert bytes(read) == text


def test_another_person_can_neither_look_nor_type_and_no_second_session_begins(world: World, session: str) -> None:
    with person(world, "bo", "admin") as bo:
        with pytest.raises(Forbidden):
            bo.shell_shown("gate", session, after=0, known="", wait_s=0.0)
        with pytest.raises(Forbidden):
            bo.type_into_shell("gate", session, keys(1))
        with pytest.raises(Conflict):
            bo.ask_shell("gate", REQUEST)


def test_no_programs_token_gets_a_shell(world: World) -> None:
    reply = world.hub.post(paths.PROGRAM_TOKENS, {"name": "ci", "role": "operator"}).json
    assert isinstance(reply, dict)

    answer = world.hub.call(
        "POST", paths.shell("gate"), token=str(reply["token"]), body=b'{"seconds": 60, "reason": "x"}',
        headers={"Content-Type": "application/json"},
    )  # fmt: skip

    assert (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize(
    "typing",
    [
        ShellTyping(number=1, data="no base64!"),
        ShellTyping(number=0, data=""),
        ShellTyping(number=-1, data=""),
        ShellTyping(number=1, columns=-5, rows=10),
        ShellTyping(number=7, data=""),
        ShellTyping(number=1, data=base64.b64encode(b"x" * (PIECE_BYTES_MAX + 1)).decode()),
    ],
)
def test_what_cannot_be_typed_is_refused(world: World, session: str, typing: ShellTyping) -> None:
    with pytest.raises(InvalidRequest):
        world.client.type_into_shell("gate", session, typing)


def test_a_session_that_there_is_not_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        world.link().shell_input("made-up", after=0, wait_s=0.0)
    with pytest.raises(NotFound):
        world.client.shell_shown("gate", "made-up", after=0, known="", wait_s=0.0)


def test_a_recording_comes_to_the_hub_lies_there_privately_and_whoever_looks_is_written_down(
    world: World, session: str
) -> None:
    writer = CastWriter(CastHeader(width=80, height=24, timestamp=1))
    recording = writer.first + writer.line(CastKind.SHOWN, b"$ ", at_s=0.5)

    world.link().shell_recording(session, ShellRecording("left", 3.0, recording))

    assert world.client.shell_recording("gate", session) == recording
    links = world.client.audit({"action": "shell.replayed"})
    assert links[-1].facts["session"] == session
    folder = Path(world.directory / "hub" / "shells")
    assert [file.stat().st_mode & 0o077 for file in (folder, folder / f"{session}.cast")] == [0, 0]
