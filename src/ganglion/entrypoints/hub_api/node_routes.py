"""What nodes call: join, prove who they are, wait for a desired state, report, hand over records."""

import asyncio
from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import PlainTextResponse, Response

from ganglion.entrypoints.hub_api.access import HubPart, Node, NodeToken
from ganglion.entrypoints.hub_api.bodies import RawBody, gives, gives_file, message_reply, takes, takes_file
from ganglion.entrypoints.hub_api.long_polls import WAITS, Poll
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.wire import codec, paths
from ganglion.wire.desired import DesiredState, NodeReport
from ganglion.wire.identity import AccessReply, AccessRequest, Challenge, JoinReply, JoinRequest, RekeyRequest
from ganglion.wire.records import Ack, Batch, ContentHeld

router = APIRouter(tags=["nodes' own calls"])
_SIZE_MAX = 1 << 53
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
def challenge(hub: HubPart, _body: RawBody) -> Response:
    """Give out a nonce to be signed."""
    # What was sent is read, though it says nothing: the connection would be closed over it, before the next call.
    return message_reply(hub.enrolment.challenge())


@router.post(paths.ACCESS, openapi_extra=takes(AccessRequest), responses=gives(AccessReply, "The node is known."))
def access(hub: HubPart, body: RawBody) -> Response:
    """Exchange a signed assertion for an access token."""
    return message_reply(hub.enrolment.access(codec.decode_json(body, AccessRequest)))


@router.post(paths.REKEY, openapi_extra=takes(RekeyRequest), status_code=204)
def rekey(hub: HubPart, node: Node, body: RawBody) -> Response:
    """Announce the key that the node will use from now on; the present one is good until then."""
    hub.enrolment.announce_key(node, codec.decode_json(body, RekeyRequest))
    return Response(status_code=204)


@router.get(paths.DESIRED, responses=gives(DesiredState, "A newer state.") | _NOTHING_NEW)
async def desired(
    request: Request,
    hub: HubPart,
    token: NodeToken,
    *,
    incarnation: Annotated[str, Query(max_length=64)] = "",
    revision: Annotated[int, Query(ge=-1)] = -1,
    wait_s: Annotated[float, Query(ge=0)] = 0.0,
) -> Response:
    """Wait up to `wait_s` for a desired state newer than the one named."""
    asked_s = asyncio.get_running_loop().time()
    node = await to_thread.run_sync(hub.enrolment.authenticate, token, limiter=hub.waiters.threads)
    poll = Poll(hub, token, node.node_id, (incarnation, revision))
    try:
        state = await poll.first_look()
        if state is None and poll.may_wait(wait_s, asked_s=asked_s):
            # What is returned here is not sent: the middleware answers when there is something to say.
            setattr(request.state, WAITS, poll)
    finally:
        if not hasattr(request.state, WAITS):
            poll.leave()
    return message_reply(state) if state else Response(status_code=204)


@router.post(paths.REPORT, openapi_extra=takes(NodeReport), status_code=204)
def report(hub: HubPart, node: Node, body: RawBody) -> Response:
    """Take in what is true on the node now."""
    hub.fleet.take_report(node.node_id, codec.decode_json(body, NodeReport))
    return Response(status_code=204)


@router.get(f"{paths.NODE_SAMPLES}/{{sha256}}", responses=gives(ContentHeld, "So much of it is here."))
def content_held(hub: HubPart, node: Node, sha256: str) -> Response:
    """Say how much the hub has of the inputs of a large sample."""
    return message_reply(hub.contents.held(node.node_id, sha256))


@router.put(
    f"{paths.NODE_SAMPLES}/{{sha256}}",
    openapi_extra=takes_file(codec.CONTENT_TYPE, "The bytes from `offset` on, not necessarily all."),
    responses=gives(ContentHeld, "So much of it is here now; go on from there."),
)
def put_content(
    hub: HubPart,
    node: Node,
    body: RawBody,
    sha256: str,
    *,
    offset: Annotated[int, Query(ge=0, le=_SIZE_MAX)],
    size_bytes: Annotated[int, Query(ge=1, le=_SIZE_MAX)],
) -> Response:
    """Take a piece of the inputs of a large sample. With the last one the digest is checked."""
    return message_reply(hub.contents.take(node.node_id, sha256, body, offset=offset, size_bytes=size_bytes))


@router.post(paths.BATCHES, openapi_extra=takes(Batch, codec.BATCH_TYPE), responses=gives(Ack, "Stored."))
async def batches(hub: HubPart, token: NodeToken, body: RawBody) -> Response:
    """Store a batch of records; the ack says up to where everything is stored. 429 says when to come again."""
    return message_reply(await hub.gate.pass_through(token, partial(_store, hub, token, body)))


def _store(hub: Hub, token: str, body: bytes) -> Ack:
    node = hub.enrolment.authenticate(token)
    packed = codec.decompress(body, size_max=hub.settings.records.batch_bytes_max)
    ack = hub.ingest.store(node.node_id, codec.decode_packed(packed, Batch))
    hub.metrics.count_batch()
    return ack
