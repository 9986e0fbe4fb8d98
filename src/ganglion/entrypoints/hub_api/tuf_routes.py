"""TUF metadata and targets, for nodes and for people who check them."""

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from ganglion.core.ids import parse_digest
from ganglion.entrypoints.hub_api.access import HubPart, Reader
from ganglion.entrypoints.hub_api.bodies import gives_file
from ganglion.entrypoints.hub_api.file_reply import BINARY_TYPE, file_reply
from ganglion.wire import codec, paths

router = APIRouter(tags=["trust"])


@router.get(paths.TUF_METADATA + "/{file}", responses=gives_file(codec.JSON_TYPE, "Signed metadata."))
def metadata(hub: HubPart, _reader: Reader, file: str) -> Response:
    """Return one metadata file, for example `timestamp.json` or `3.root.json`."""
    return Response(hub.repository.metadata(file), media_type=codec.JSON_TYPE)


@router.get(paths.TUF_TARGETS + "/{path:path}", responses=gives_file(BINARY_TYPE, "The package."))
async def target(hub: HubPart, _reader: Reader, request: Request, path: str) -> Response:
    """Return a package by its consistent-snapshot name, `models/MODEL/VERSION/SHA256.VARIANT.ganglion`, or a range."""
    file = await to_thread.run_sync(hub.releases.target_path, path)
    return await file_reply(request, file, parse_digest(file.name))
