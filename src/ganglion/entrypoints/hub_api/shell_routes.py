"""Interactive sessions: people ask for one and type, the node comes for what was typed and brings what was shown.

Every call is a question that waits for a while. Nobody reaches a node: it asks.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

from anyio import to_thread
from fastapi import APIRouter, Query
from starlette.responses import Response

from ganglion.core.errors import InvalidRequest
from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.access import HubPart, Node, Operator
from ganglion.entrypoints.hub_api.bodies import RawBody, StrictRoute, gives, gives_file, message_reply, takes
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.hub.services.shells.live_shells import Stand
from ganglion.hub.services.shells.shells import Shown, keys_of
from ganglion.trust.roles import Caller
from ganglion.wire import codec, paths
from ganglion.wire.shell_resources import ShellRequest, ShellShown, ShellTaken, ShellTyping, ShellView
from ganglion.wire.shells import ShellInput, ShellOutput, ShellRecording, ShellRoom, ShellTyped

T = TypeVar("T")

router = APIRouter(tags=["fleet"], route_class=StrictRoute)
_NODES = "nodes' own calls"
_WAIT_S_MAX = 25.0
_ROOM_S = 10.0
"""How long a node, or a person, waits for room before the call is answered all the same."""
_CAST_TYPE = "application/x-asciicast"
_COUNT_MAX = 1 << 53
_SIDE_MAX = 100_000
Wait = Annotated[float, Query(ge=0, le=_WAIT_S_MAX)]
Place = Annotated[int, Query(ge=0, le=_COUNT_MAX)]


# --- people -------------------------------------------------------------------------------------------


@router.post(paths.NODES + "/{name}/shells", status_code=201)
def ask_for_shell(hub: HubPart, caller: Operator, name: str, request: ShellRequest) -> ShellView:
    """Ask a node for an interactive session. Its envelope and its own settings must let it."""
    return hub.shells.ask(_seen(hub, caller, name), request, caller)


@router.get(paths.NODES + "/{name}/shells")
def list_shells(hub: HubPart, caller: Operator, name: str) -> list[ShellView]:
    """List the sessions of a node, newest first."""
    return hub.shells.sessions(_seen(hub, caller, name))


@router.get(paths.NODES + "/{name}/shells/{shell_id}/output")
async def shell_output(
    hub: HubPart,
    caller: Operator,
    name: str,
    shell_id: str,
    *,
    after: Place = 0,
    known: Annotated[str, Query(max_length=20)] = "",
    wait_s: Wait = 0.0,
) -> ShellShown:
    """Wait for what the session shows after so many bytes, or until it stands otherwise than `known`."""
    await to_thread.run_sync(partial(_seen, hub, caller, name))
    look = partial(hub.shells.shown, name, shell_id, caller, after=after, known=known)
    shown = await _waited(hub, keys_of(shell_id).shown, look, wait_s)
    return _view(after, shown or Shown(b"", Stand(known) if known in set(Stand) else Stand.ASKED, ""))


@router.post(paths.NODES + "/{name}/shells/{shell_id}/input")
async def shell_input(hub: HubPart, caller: Operator, name: str, shell_id: str, request: ShellTyping) -> ShellTaken:
    """Type, or change the size of the terminal. Waits for room for a while."""
    await to_thread.run_sync(partial(_seen, hub, caller, name))
    put = partial(hub.shells.type, name, shell_id, caller, _typed(request))
    is_taken = await _waited(hub, keys_of(shell_id).taken, lambda: put() or None, _ROOM_S)
    return ShellTaken(bool(is_taken))


@router.post(paths.NODES + "/{name}/shells/{shell_id}/close", status_code=204)
def close_shell(hub: HubPart, caller: Operator, name: str, shell_id: str) -> Response:
    """Let the node end a session."""
    hub.shells.close(_seen(hub, caller, name), shell_id, caller)
    return Response(status_code=204)


@router.get(
    paths.NODES + "/{name}/shells/{shell_id}/recording",
    responses=gives_file(_CAST_TYPE, "Everything that was shown and typed, with times (asciicast v2)."),
)
def shell_recording(hub: HubPart, caller: Operator, name: str, shell_id: str) -> Response:
    """Return the recording of a session that is over. The audit chain tells who looked."""
    return Response(hub.shells.recording(_seen(hub, caller, name), shell_id, caller), media_type=_CAST_TYPE)


# --- nodes --------------------------------------------------------------------------------------------


@router.post(
    paths.NODE_SHELLS + "/{shell_id}/output",
    openapi_extra=takes(ShellOutput),
    responses=gives(ShellRoom, "So much of it is here."),
    tags=[_NODES],
)
async def take_shell_output(hub: HubPart, node: Node, body: RawBody, shell_id: str) -> Response:
    """Take what a session showed. Waits for room for a while; what had none is to be sent again."""
    output = codec.decode_json(body, ShellOutput)
    end = output.offset + len(output.data)

    def take() -> ShellRoom | None:
        room.received = hub.shells.take_output(node.node_id, shell_id, output)
        return ShellRoom(room.received) if room.received >= end else None

    room = _Received()
    taken = await _waited(hub, keys_of(shell_id).room, take, _ROOM_S)
    return message_reply(taken or ShellRoom(room.received))


@router.get(paths.NODE_SHELLS + "/{shell_id}/input", responses=gives(ShellInput, "What the person did."), tags=[_NODES])
async def give_shell_input(
    hub: HubPart, node: Node, shell_id: str, *, after: Place = 0, wait_s: Wait = 0.0
) -> Response:
    """Wait for what the person does next."""
    look = partial(hub.shells.input_of, node.node_id, shell_id, after=after)
    found = await _waited(hub, keys_of(shell_id).typed, look, wait_s)
    return message_reply(found or ShellInput())


@router.post(
    paths.NODE_SHELLS + "/{shell_id}/recording",
    openapi_extra=takes(ShellRecording, codec.BATCH_TYPE),
    status_code=204,
    tags=[_NODES],
)
def take_shell_recording(hub: HubPart, node: Node, body: RawBody, shell_id: str) -> Response:
    """Keep the recording of a session that is over."""
    packed = codec.decompress(body, size_max=2 * hub.settings.shells.recording_bytes_max)
    hub.shells.take_recording(node.node_id, shell_id, codec.decode_packed(packed, ShellRecording))
    return Response(status_code=204)


class _Received:
    """How far the hub has the output, across several looks."""

    received = 0


async def _waited(hub: Hub, key: str, look: Callable[[], T | None], wait_s: float) -> T | None:
    """Return what `look` finds, looking again whenever somebody wakes `key`; None: nothing in time."""
    until_s = asyncio.get_running_loop().time() + wait_s
    # It waits before it looks: what changes in between wakes it.
    waiting = hub.waiters.enter(key)
    try:
        while True:
            found = await to_thread.run_sync(look)
            if found is not None or hub.waiters.closed or not await waiting.wait(until_s):
                return found
            waiting.is_woken = False
    finally:
        hub.waiters.leave(waiting)


def _typed(request: ShellTyping) -> ShellTyped:
    try:
        data = base64.b64decode(request.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"data is no base64: {error}") from error
    sides = (request.columns, request.rows)
    if request.number < 1 or not all(0 <= side <= _SIDE_MAX for side in sides):
        raise InvalidRequest("numbers begin at 1, and a terminal has no such size")
    return ShellTyped(request.number, data, *sides)


def _view(offset: int, shown: Shown) -> ShellShown:
    data = base64.b64encode(shown.data).decode()
    return ShellShown(offset=offset, data=data, state=shown.stand, closed_by=shown.closed_by)


def _seen(hub: Hub, caller: Caller, name: str) -> str:
    """Return the name of a node that the caller may see. Raises: NotFound, Forbidden, InvalidName."""
    scopes.check_node(hub, caller, parse_name(name, what="node"))
    return name
