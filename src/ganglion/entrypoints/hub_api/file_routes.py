"""Reference files: people declare them, nodes bring them."""

from functools import partial
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ganglion.core.errors import InvalidRequest
from ganglion.core.ids import parse_digest, parse_name
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.access import HubPart, Node, Operator, Viewer
from ganglion.entrypoints.hub_api.bodies import gives_file, takes_file
from ganglion.entrypoints.hub_api.file_reply import BINARY_TYPE, file_reply
from ganglion.entrypoints.hub_api.release_routes import received
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.trust.roles import Caller
from ganglion.wire import paths
from ganglion.wire.file_resources import FileView

router = APIRouter(tags=["fleet"])
Scope = Literal["fleet", "group", "site", "node"]
Target = Annotated[str, Query(max_length=100, description="Name of the group, site or node.")]


@router.post(paths.FILES + "/{file}", status_code=201, openapi_extra=takes_file(BINARY_TYPE, "The file."))
async def put_file(
    hub: HubPart, caller: Operator, request: Request, *, file: str, scope: Scope = "fleet", target: Target = ""
) -> FileView:
    """Let nodes have a file by this name: those of the fleet, a group, a site, or one."""
    await to_thread.run_sync(partial(_check_scope, hub, caller, scope, target))
    async with received(hub, request) as content:
        put = partial(hub.reference_files.put, scope, target, file, content, actor=caller.actor)
        return await to_thread.run_sync(put)


@router.post(paths.FILES + "/{file}/remove", status_code=204)
def remove_file(hub: HubPart, caller: Operator, file: str, scope: Scope = "fleet", target: Target = "") -> Response:
    """Let nodes have it no more."""
    _check_scope(hub, caller, scope, target)
    hub.reference_files.remove(scope, target, file, actor=caller.actor)
    return Response(status_code=204)


@router.get(paths.FILES)
def list_files(hub: HubPart, caller: Viewer) -> list[FileView]:
    """List every file that was declared, and for whom."""
    caller.check_whole_fleet()
    return hub.reference_files.files()


@router.get(paths.NODES + "/{name}/files")
def list_node_files(hub: HubPart, caller: Viewer, name: str) -> list[FileView]:
    """List the files that a node should have, and what it says of them."""
    scopes.check_node(hub, caller, parse_name(name, what="node"))
    return hub.reference_files.files_of(name)


@router.get(paths.NODE_FILES + "/{sha256}", responses=gives_file(BINARY_TYPE, "The file."), tags=["nodes' own calls"])
async def fetch_node_file(hub: HubPart, node: Node, request: Request, sha256: str) -> Response:
    """Return a file that this node should have; Range resumes a part."""
    digest = parse_digest(sha256)
    path = await to_thread.run_sync(partial(hub.reference_files.content, node.node_id, digest))
    return await file_reply(request, path, digest)


def _check_scope(hub: Hub, caller: Caller, scope: Scope, target: str) -> None:
    """Raises: Forbidden: the role is for others. InvalidRequest, InvalidName."""
    if (scope == "fleet") != (not target):
        raise InvalidRequest("target names the group, site or node; the fleet has none")
    match scope:
        case "fleet":
            caller.check_whole_fleet()
        case "group":
            caller.check_group(parse_name(target, what="group"))
        case "site":
            caller.check_site(parse_name(target, what="site"))
        case "node":
            scopes.check_node(hub, caller, parse_name(target, what="node"))
