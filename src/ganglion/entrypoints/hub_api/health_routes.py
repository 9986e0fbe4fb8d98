"""Is the hub alive, is it ready, and how is it doing."""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from ganglion.core.errors import Unavailable
from ganglion.entrypoints.hub_api.access import HubPart, Viewer
from ganglion.entrypoints.hub_api.bodies import gives_file

router = APIRouter(tags=["health"])
_METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8"


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """Answer as long as the process serves requests."""
    return "ok\n"


@router.get("/readyz", response_class=PlainTextResponse)
async def readyz(hub: HubPart) -> str:
    """Answer 200 while the hub takes work, 503 while it starts or stops."""
    if hub.phase.name != "ready":
        raise Unavailable(f"the hub is {hub.phase.name}")
    return "ready\n"


@router.get("/metrics", responses=gives_file(_METRICS_TYPE, "Prometheus' text format."))
def metrics(hub: HubPart, caller: Viewer) -> Response:
    """Return figures for Prometheus; give it an account's token as its bearer token."""
    caller.check_whole_fleet()
    return Response(hub.metrics.text(), media_type=_METRICS_TYPE)
