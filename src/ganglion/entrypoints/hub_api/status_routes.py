"""How the hub itself is doing."""

from fastapi import APIRouter

from ganglion.entrypoints.hub_api.access import HubPart, Viewer
from ganglion.wire import paths
from ganglion.wire.node_resources import HubStatus

router = APIRouter(tags=["health"])


@router.get(paths.STATUS)
def hub_status(hub: HubPart, _caller: Viewer) -> HubStatus:
    """Show what the hub keeps, how much room it has, and how many wait for it."""
    return hub.figures.status()
