"""The line between agent and serving: one command, one reply, over a Unix socket of this user only.

A frame is the length of a msgpack message, four bytes, big-endian, and the message.
"""

import hashlib
import os
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
import anyio.abc
import msgspec
import structlog
from anyio.streams.buffered import BufferedByteReceiveStream

from ganglion.core.errors import DiskUnusable, GanglionError, InvalidRequest
from ganglion.core.serving_errors import ServingUnreachable
from ganglion.ports.serving_control import Command, Refused, Reply

log = structlog.get_logger()

Answer: TypeAlias = Callable[[Command], Awaitable[Reply]]

_PATH_LENGTH_MAX = 100
"""Unix sockets have room for little more than this."""
_SHORT_PLACE = Path("/tmp")  # noqa: S108 - the directory made there is private, and its owner is checked
_LENGTH = struct.Struct(">I")
_COMMANDS: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_REPLIES: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
_LOST = (OSError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)


class ControlLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What either side of the control socket accepts."""

    message_bytes_max: int = 8_000_000
    """Largest command or reply."""
    connections_max: int = 16
    """Connections that are answered at a time; others wait."""
    idle_s: float = 60.0
    """How long a connection may be silent between commands."""


def socket_path(data_dir: Path) -> Path:
    """Return where the serving process of this data directory listens.

    A path that is too long for a socket is replaced by one in a private directory among the temporary files, or,
    when these lie too deep themselves, in the system's own place for them.
    """
    path = data_dir.absolute() / "run" / "serving.sock"
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    private = Path(f"ganglion-{os.getuid()}-{digest}", "serving.sock")
    candidates = (path, Path(tempfile.gettempdir()) / private, _SHORT_PLACE / private)
    return next(place for place in candidates if len(os.fsencode(place)) <= _PATH_LENGTH_MAX)


@asynccontextmanager
async def serve_control(path: Path, answer: Answer, limits: ControlLimits | None = None) -> AsyncIterator[None]:
    """Answer commands on `path` while the context is open. Raises: DiskUnusable: no socket can be made there."""
    limits = limits or ControlLimits()
    room = anyio.CapacityLimiter(limits.connections_max)
    try:
        _prepare(path)
        listener = await anyio.create_unix_listener(path, mode=0o600)
    except OSError as error:
        raise DiskUnusable(f"no control socket can be made at {path}: {error}") from error
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, partial(_converse, answer=answer, limits=limits, room=room))
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
            _remove(path)
            with suppress(OSError):  # it holds other files, or was made by somebody else
                path.parent.rmdir()


class ControlClient:
    """Implements `ports.serving_control.ServingControl`; a new connection for each command."""

    def __init__(self, path: Path, limits: ControlLimits | None = None) -> None:
        self._path, self._limits = path, limits or ControlLimits()

    async def call(self, command: Command, *, timeout_s: float) -> Reply:
        """Carry out one command. Raises: ServingUnreachable."""
        try:
            with anyio.fail_after(timeout_s):
                return await self._exchange(command)
        except TimeoutError as error:
            raise ServingUnreachable(f"the serving process did not answer within {timeout_s:g} s") from error
        except _LOST as error:
            raise ServingUnreachable(f"the serving process does not answer at {self._path}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError, InvalidRequest) as error:
            raise ServingUnreachable(f"the serving process gave no reply that this release knows: {error}") from error

    async def _exchange(self, command: Command) -> Reply:
        _check_owner(self._path)
        async with await anyio.connect_unix(self._path) as stream:
            await _send(stream, msgspec.msgpack.encode(command))
            return _REPLIES.decode(await _receive(BufferedByteReceiveStream(stream), self._limits))


async def _converse(
    stream: anyio.abc.SocketStream, *, answer: Answer, limits: ControlLimits, room: anyio.CapacityLimiter
) -> None:
    """Answer the commands of one connection until it ends, is silent, or says something that is no command."""
    received = BufferedByteReceiveStream(stream)
    async with room, stream:
        try:
            while await _answer_one(received, stream, answer, limits):
                pass
        except (TimeoutError, *_LOST):
            return


async def _answer_one(
    received: BufferedByteReceiveStream, stream: anyio.abc.SocketStream, answer: Answer, limits: ControlLimits
) -> bool:
    """Answer one command. False: what came cannot be read on from."""
    try:
        with anyio.fail_after(limits.idle_s):
            message = await _receive(received, limits)
    except InvalidRequest as error:
        message = b""
        reply: Reply = Refused(code=error.code, message=error.message)
    else:
        reply = await _reply_to(message, answer)
    with anyio.fail_after(limits.idle_s):
        await _send(stream, msgspec.msgpack.encode(reply))
    return bool(message)


async def _reply_to(message: bytes, answer: Answer) -> Reply:
    try:
        return await answer(_COMMANDS.decode(message))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Refused(code=InvalidRequest.code, message=f"not a command that this release knows: {error}")
    except Exception as error:
        log.exception("command.failed")
        return Refused(code=GanglionError.code, message=f"{type(error).__name__}: {error}")


async def _send(stream: anyio.abc.SocketStream, message: bytes) -> None:
    await stream.send(_LENGTH.pack(len(message)) + message)


async def _receive(stream: BufferedByteReceiveStream, limits: ControlLimits) -> bytes:
    (length,) = _LENGTH.unpack(await stream.receive_exactly(_LENGTH.size))
    if length > limits.message_bytes_max:
        raise InvalidRequest(f"a message of {length} bytes; at most {limits.message_bytes_max} are read")
    return await stream.receive_exactly(length)


def _prepare(path: Path) -> None:
    """Make a directory that only this user can enter, and remove the socket of a process that was killed."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_owner(path.parent)
    _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _check_owner(path: Path) -> None:
    """Raises: PermissionError: somebody else put this here, as anybody can among the temporary files."""
    if path.lstat().st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to another user")
