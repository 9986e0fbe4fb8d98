"""What nodes call: join, prove who they are, wait for a desired state, report, hand over records."""

from functools import partial
from typing import Annotated

import anyio
from anyio import to_thread
from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from ganglion.entrypoints.hub_api.access import HubPart, Node, NodeToken
from ganglion.entrypoints.hub_api.bodies import RawBody, gives, gives_file, message_reply, takes
from ganglion.entrypoints.hub_wiring import Hub
from ganglion.wire import codec, paths
from ganglion.wire.messages import (
    AccessReply,
    AccessRequest,
    Ack,
    Batch,
    Challenge,
    DesiredState,
    JoinReply,
    JoinRequest,
    NodeReport,
)

router = APIRouter(tags=["nodes' own calls"])
_PEM_TYPE = "application/x-pem-file"
_NOTHING_NEW: dict[int | str, dict[str, object]] = {204: {"description": "Nothing changed in the meantime."}}


@router.get(paths.CA, response_class=PlainTextResponse, responses=gives_file(_PEM_TYPE, "The certificate, PEM."))
def ca(hub: HubPart) -> Response:
    """Return the hub's certificate authority; a joining node compares it with the pin in its token."""
    return Response(hub.tls.ca_path.read_bytes(), media_type=_PEM_TYPE)


@router.post(paths.JOIN, openapi_extra=takes(JoinRequest), responses=gives(JoinReply, "The node is enrolled."))
def join(hub: HubPart, body: RawBody) -> Response:
    """Spend a join token."""
    return message_reply(hub.enrolment.join(codec.decode_json(body, JoinRequest)))


@router.post(paths.CHALLENGE, responses=gives(Challenge, "Sign this."))
def challenge(hub: HubPart) -> Response:
    """Give out a nonce to be signed."""
    return message_reply(hub.enrolment.challenge())


@router.post(paths.ACCESS, openapi_extra=takes(AccessRequest), responses=gives(AccessReply, "The node is known."))
def access(hub: HubPart, body: RawBody) -> Response:
    """Exchange a signed assertion for an access token."""
    return message_reply(hub.enrolment.access(codec.decode_json(body, AccessRequest)))


@router.get(paths.DESIRED, responses=gives(DesiredState, "A newer state.") | _NOTHING_NEW)
async def desired(
    hub: HubPart,
    token: NodeToken,
    incarnation: Annotated[str, Query(max_length=64)] = "",
    revision: Annotated[int, Query(ge=-1)] = -1,
    wait_s: Annotated[float, Query(ge=0)] = 0.0,
) -> Response:
    """Wait up to `wait_s` for a desired state newer than the one named."""
    state = await _newer_state(hub, token, known=(incarnation, revision), wait_s=wait_s)
    return message_reply(state) if state else Response(status_code=204)


@router.post(paths.REPORT, openapi_extra=takes(NodeReport), status_code=204)
def report(hub: HubPart, node: Node, body: RawBody) -> Response:
    """Take in what is true on the node now."""
    hub.fleet.take_report(node.node_id, codec.decode_json(body, NodeReport))
    return Response(status_code=204)


@router.post(paths.BATCHES, openapi_extra=takes(Batch, codec.BATCH_TYPE), responses=gives(Ack, "Stored."))
def batches(hub: HubPart, node: Node, body: RawBody) -> Response:
    """Store a batch of records; the ack says up to where everything is stored."""
    packed = codec.decompress(body, size_max=hub.settings.records.batch_bytes_max)
    ack = hub.ingest.store(node.node_id, codec.decode_packed(packed, Batch))
    hub.metrics.count_batch()
    return message_reply(ack)


async def _newer_state(hub: Hub, token: str, *, known: tuple[str, int], wait_s: float) -> DesiredState | None:
    """Return the first state newer than `known`, or None when there is none in time or the hub stops."""
    # The token is proven at every look, so that a node revoked while it waits gets no answer.
    look = partial(to_thread.run_sync, _state_of, hub, token)
    node = await to_thread.run_sync(hub.enrolment.authenticate, token)
    with hub.waiters.watch(node.node_id) as changed:
        state = await look()
        if state.incarnation == known[0] and state.revision < known[1]:
            # The node has seen the future of this hub: it was restored from an older copy.
            await to_thread.run_sync(
                partial(hub.restoration.notice, node.node_id, incarnation=known[0], revision=known[1])
            )
            state = await look()
        with anyio.move_on_after(min(wait_s, hub.settings.http.long_poll_s_max)):
            while not _is_newer(state, known) and not hub.waiters.closed:
                await changed.wait()
                changed.clear()
                state = await look()
    return state if _is_newer(state, known) else None


def _state_of(hub: Hub, token: str) -> DesiredState:
    return hub.desired.state_of(hub.enrolment.authenticate(token).node_id)


def _is_newer(state: DesiredState, known: tuple[str, int]) -> bool:
    """Compare revisions within an incarnation; another incarnation is always news."""
    return state.incarnation != known[0] or state.revision > known[1]
