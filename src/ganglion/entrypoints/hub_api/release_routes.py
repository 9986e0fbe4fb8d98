"""Releases: packages come in as a stream, and go out as files."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from ganglion.core.errors import DiskUnusable
from ganglion.core.ids import parse_digest, parse_name
from ganglion.entrypoints.hub_api.access import HubPart, Publisher, Viewer
from ganglion.entrypoints.hub_api.bodies import gives_file, takes_file
from ganglion.entrypoints.hub_api.file_reply import BINARY_TYPE, file_reply
from ganglion.entrypoints.hub_api.open_file import open_file
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.wire import paths
from ganglion.wire.resources import ReleaseView

router = APIRouter(tags=["releases"])
_WRITE_BYTES = 1_048_576


@router.post(paths.RELEASES, status_code=201, openapi_extra=takes_file(BINARY_TYPE, "A single-file model package."))
async def create_release(hub: HubPart, caller: Publisher, request: Request) -> ReleaseView:
    """Check a package, keep it, and sign it for its model."""
    async with received(hub, request) as file:
        return await to_thread.run_sync(partial(hub.releases.release, file, by=caller))


@router.get(paths.RELEASES)
def list_releases(hub: HubPart, _caller: Viewer, model: str | None = None) -> list[ReleaseView]:
    """List releases, newest first."""
    return hub.releases.list(model)


@router.get(paths.RELEASES + "/{model}/{version}/{variant}/package", responses=gives_file(BINARY_TYPE, "The package."))
async def fetch_package(
    hub: HubPart, _caller: Viewer, request: Request, *, model: str, version: str, variant: str
) -> Response:
    """Return a released package; Range resumes a part."""
    names = (parse_name(model, what="model"), parse_name(version, what="version"), parse_name(variant, what="variant"))
    path = await to_thread.run_sync(hub.releases.package_path, *names)
    return await file_reply(request, path, parse_digest(path.name))


@asynccontextmanager
async def received(hub: Hub, request: Request) -> AsyncIterator[Path]:
    """Write the body to a file of its own, which is gone afterwards, however this ends. Raises: DiskUnusable."""
    # Its own directory: errors name the file, and should not name it by a number that nobody has seen.
    directory = hub.uploads / hub.new_id()
    file = directory / "the uploaded file"
    try:
        await anyio.Path(directory).mkdir()
        await _write(request, file)
        yield file
    except OSError as error:
        raise DiskUnusable(f"the package could not be written: {error.strerror}") from error
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(partial(shutil.rmtree, directory, ignore_errors=True))


async def _write(request: Request, path: Path) -> None:
    async with open_file(path, "xb") as file:
        waiting = bytearray()
        async for part in request.stream():
            waiting += part
            if len(waiting) >= _WRITE_BYTES:
                await file.write(waiting)
                waiting.clear()
        await file.write(waiting)
