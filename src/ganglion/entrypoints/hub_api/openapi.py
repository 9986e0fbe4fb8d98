"""The OpenAPI document: what FastAPI knows of people's routes, plus the wire messages of nodes."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import TypeAlias, cast

import msgspec
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from ganglion.entrypoints.hub_api.bodies import SCHEMA_REF
from ganglion.wire import codec, desired, identity, paths, records, shells
from ganglion.wire.problems import PROBLEM_TYPE, Problem

VERSION = version("ganglion")
PATH = f"{paths.API}/openapi.json"

router = APIRouter(include_in_schema=False)

_Tree: TypeAlias = "dict[str, _Tree]"
"""The part of a JSON document that consists of objects: all that is walked here."""
_MESSAGES = (
    identity.JoinRequest,
    identity.JoinReply,
    identity.Challenge,
    identity.AccessRequest,
    identity.AccessReply,
    identity.RekeyRequest,
    desired.DesiredState,
    desired.NodeReport,
    records.Batch,
    records.Ack,
    records.ContentHeld,
    shells.ShellOutput,
    shells.ShellRoom,
    shells.ShellInput,
    shells.ShellRecording,
    Problem,
)


@router.get(PATH)
async def document(request: Request) -> Response:
    """Return the OpenAPI document of this hub."""
    app: FastAPI = request.app
    return Response(msgspec.json.encode(describe(app)), media_type=codec.JSON_TYPE)


def describe(app: FastAPI) -> _Tree:
    """Return the OpenAPI document of `app`."""
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        _complete(cast("_Tree", app.openapi_schema))
    return cast("_Tree", app.openapi_schema)


def _complete(tree: _Tree) -> None:
    """Add the wire messages, and say that every error is a problem document: FastAPI would promise its own."""
    schemas = tree.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _, of_messages = msgspec.json.schema_components(_MESSAGES, ref_template=SCHEMA_REF)
    schemas.update(cast("_Tree", of_messages))
    for operation in _operations(tree):
        responses = operation.setdefault("responses", {})
        responses.pop("422", None)
        responses["default"] = cast("_Tree", _PROBLEM)


def _operations(tree: _Tree) -> Iterator[_Tree]:
    for methods in tree["paths"].values():
        yield from methods.values()


_PROBLEM = {
    "description": "Anything that went wrong, as a problem document (RFC 9457); `code` is stable.",
    "content": {PROBLEM_TYPE: {"schema": {"$ref": SCHEMA_REF.format(name="Problem")}}},
}
