import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
import pytest

from ganglion.adapters.control_socket import ControlClient, ControlLimits, serve_control, socket_path
from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import DiskUnusable
from ganglion.core.serving_errors import ServingUnreachable
from ganglion.ports.serving_control import (
    Collect,
    Command,
    Done,
    Load,
    ModelServing,
    Proof,
    Prove,
    Refused,
    Reply,
    ServingStatus,
    Status,
    Switch,
    Unload,
)
from ganglion.wire.desired import CollectionSettings

LIMITS = ControlLimits(message_bytes_max=10_000, idle_s=5.0)
COMMANDS: list[Command] = [
    Load("m", "1", "/p"),
    Prove("m", "1"),
    Switch("m", "1", compare_with="0", compare_share=0.5),
    Unload("m", "1"),
    Collect(CollectionSettings(random_share=0.5)),
    Status(),
]


def status_with_counts() -> ServingStatus:
    behaviour = Behaviour()
    behaviour.count_answer(120, ["left"], [0.9])
    return ServingStatus(instance="i", models={"m": ModelServing("1", ("1", "2"), {"1": behaviour})})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return socket_path(tmp_path)


def serve_and(
    path: Path, work: Callable[[], Awaitable[None]], answer: Callable[[Command], Awaitable[Reply]] | None = None
) -> None:
    """Run `work` against a control server; all of it within seconds."""

    async def done(command: Command) -> Reply:
        return Done()

    async def run() -> None:
        with anyio.fail_after(20):
            async with serve_control(path, answer or done, LIMITS):
                await work()

    anyio.run(run)


def test_every_command_arrives_as_it_was_sent(path: Path) -> None:
    seen: list[Command] = []

    async def answer(command: Command) -> Reply:
        seen.append(command)
        return Done()

    async def work() -> None:
        for command in COMMANDS:
            assert await ControlClient(path).call(command, timeout_s=5) == Done()

    serve_and(path, work, answer)

    assert seen == COMMANDS


@pytest.mark.parametrize("reply", [Done(), Refused("conflict", "no"), Proof(False, 0.5, "off"), status_with_counts()])
def test_every_reply_arrives_as_it_was_given(path: Path, reply: Reply) -> None:
    replies: list[Reply] = []

    async def answer(command: Command) -> Reply:
        return reply

    async def work() -> None:
        replies.append(await ControlClient(path).call(Status(), timeout_s=5))

    serve_and(path, work, answer)

    assert replies == [reply]


def test_nobody_listening_is_unreachable(path: Path) -> None:
    with pytest.raises(ServingUnreachable, match="does not answer"):
        anyio.run(lambda: ControlClient(path).call(Status(), timeout_s=5))


def test_a_slow_command_is_given_up_in_time(path: Path) -> None:
    async def answer(command: Command) -> Reply:
        await anyio.sleep_forever()
        return Done()

    async def work() -> None:
        with pytest.raises(ServingUnreachable, match="within"):
            await ControlClient(path).call(Status(), timeout_s=0.05)

    serve_and(path, work, answer)


def test_a_command_that_is_under_way_does_not_hold_up_another(path: Path) -> None:
    async def answer(command: Command) -> Reply:
        if isinstance(command, Load):
            await anyio.sleep_forever()
        return Done()

    async def work() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(swallow_unreachable, Load("m", "1", "/p"))
            assert await ControlClient(path).call(Status(), timeout_s=5) == Done()
            tasks.cancel_scope.cancel()

    async def swallow_unreachable(command: Command) -> None:
        await ControlClient(path).call(command, timeout_s=60)

    serve_and(path, work, answer)


def test_a_command_that_fails_unexpectedly_is_refused_and_the_next_one_answered(path: Path) -> None:
    async def answer(command: Command) -> Reply:
        if isinstance(command, Unload):
            raise ZeroDivisionError
        return Done()

    async def work() -> None:
        reply = await ControlClient(path).call(Unload("m", "1"), timeout_s=5)
        assert isinstance(reply, Refused)
        assert reply.code == "internal"
        assert await ControlClient(path).call(Status(), timeout_s=5) == Done()

    serve_and(path, work, answer)


def framed(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


@pytest.mark.parametrize(
    "sent",
    [
        framed(b"\xc1 not msgpack"),
        framed(msgspec.msgpack.encode({"do": "explode"})),
        framed(msgspec.msgpack.encode({"do": "load", "model": 3})),
        framed(b""),
        struct.pack(">I", 10_001),
        struct.pack(">I", 2**32 - 1),
    ],
)
def test_what_is_no_command_is_refused_and_hurts_nobody(path: Path, sent: bytes) -> None:
    replies: list[Reply] = []

    async def work() -> None:
        async with await anyio.connect_unix(path) as stream:
            await stream.send(sent)
            received = await stream.receive()
        replies.append(msgspec.msgpack.decode(received[4:], type=Reply))
        assert await ControlClient(path).call(Status(), timeout_s=5) == Done()

    serve_and(path, work)

    (reply,) = replies
    assert isinstance(reply, Refused)
    assert reply.code == "request_invalid"


def test_a_client_that_goes_away_in_the_middle_hurts_nobody(path: Path) -> None:
    async def work() -> None:
        for part in (b"", b"\x00", framed(b"abc")[:-1]):
            async with await anyio.connect_unix(path) as stream:
                await stream.send(part or b"\x00")
        assert await ControlClient(path).call(Status(), timeout_s=5) == Done()

    serve_and(path, work)


def test_a_reply_that_is_no_reply_is_unreachable(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        async def ask() -> None:
            with pytest.raises(ServingUnreachable, match="no reply that this release knows"):
                await ControlClient(path).call(Status(), timeout_s=5)

        async def serve() -> None:
            stream, _ = await anyio.to_thread.run_sync(listener.accept)
            with stream:
                stream.sendall(framed(msgspec.msgpack.encode({"reply": "dance"})))

        async def both() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve)
                await ask()

        anyio.run(both)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_only_this_user_can_open_the_socket(path: Path) -> None:
    async def work() -> None:
        assert mode_of(path) == 0o600
        assert mode_of(path.parent) == 0o700

    serve_and(path, work)


def test_the_socket_of_a_killed_process_is_replaced_and_ours_removed(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True)
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(path))

    async def work() -> None:
        assert await ControlClient(path).call(Status(), timeout_s=5) == Done()

    serve_and(path, work)

    assert not path.exists()


def test_a_place_where_no_socket_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where a directory should be")

    async def work() -> None:
        raise AssertionError("it does not listen")

    with pytest.raises(DiskUnusable, match="control socket"):
        serve_and(socket_path(tmp_path), work)


def test_a_long_data_directory_gets_a_short_private_path(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)

    path = socket_path(deep)

    assert len(os.fsencode(path)) <= 100
    assert path == socket_path(deep)
    assert path != socket_path(tmp_path / ("e" * 120))
    assert str(os.getuid()) in path.parent.name


def test_temporary_files_that_lie_deep_themselves_still_leave_a_short_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("t" * 120)))

    path = socket_path(tmp_path / ("d" * 120))

    assert len(os.fsencode(path)) <= 100
    assert str(os.getuid()) in path.parent.name


def test_a_private_directory_is_gone_with_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "private" / "serving.sock"

    async def work() -> None:
        assert path.exists()

    serve_and(path, work)

    assert not path.parent.exists()
