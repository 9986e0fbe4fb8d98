"""How the hub itself is doing, and how its fleet is run."""

from typing import Annotated

from fastapi import APIRouter, Query

from ganglion.entrypoints.hub_api.access import HubPart, Viewer
from ganglion.wire import paths
from ganglion.wire.figures_resources import DayFigures, FleetFigures
from ganglion.wire.node_resources import HubStatus

router = APIRouter(tags=["health"])
Days = Annotated[int, Query(ge=1, le=400)]


@router.get(paths.STATUS)
def hub_status(hub: HubPart, _caller: Viewer) -> HubStatus:
    """Show what the hub keeps, how much room it has, and how many wait for it."""
    return hub.figures.status()


@router.get(paths.FIGURES)
def fleet_figures(hub: HubPart, caller: Viewer, days: Days = 30) -> FleetFigures:
    """Show how the fleet was run over the last days: deployment time, success of updates, detection, uptime."""
    caller.check_whole_fleet()
    return hub.organisation.figures.now(days)


@router.get(paths.FIGURE_DAYS)
def figures_by_day(hub: HubPart, caller: Viewer, days: Days = 30) -> list[DayFigures]:
    """List the figures that were kept with each day, oldest first; each is over the thirty days that ended with it."""
    caller.check_whole_fleet()
    return hub.organisation.figures.history(days)
