"""What nodes reported: results, events, and what their inputs are like."""

from typing import Annotated

from fastapi import APIRouter, Query

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.access import HubPart, Viewer
from ganglion.entrypoints.hub_api.limits import bounded
from ganglion.hub.services.records import input_shifts
from ganglion.wire import paths
from ganglion.wire.resources import EventView, InputShiftView, ResultView

router = APIRouter(tags=["telemetry"])
_SEQ_MAX = 2**63 - 1
"""Databases hold 64 bits with a sign."""


@router.get(paths.RESULTS)
def list_results(
    hub: HubPart,
    caller: Viewer,
    *,
    node: str,
    after_epoch: str = "",
    after_seq: Annotated[int, Query(ge=0, le=_SEQ_MAX)] = 0,
    limit: Annotated[int, Query(ge=1)] = 100,
) -> list[ResultView]:
    """List a node's stored results in the order of (epoch, seq), beginning after the pair given."""
    scopes.check_node(hub, caller, node)
    return hub.telemetry.results(
        parse_name(node, what="node"), after=(after_epoch, after_seq), limit=bounded(limit, hub.settings.http.rows_max)
    )


@router.get(paths.EVENTS)
def list_events(
    hub: HubPart,
    caller: Viewer,
    node: str | None = None,
    rollout: str | None = None,
    limit: Annotated[int, Query(ge=1)] = 100,
) -> list[EventView]:
    """List events, newest first."""
    found = hub.telemetry.events(node_name=node, rollout_id=rollout, limit=bounded(limit, hub.settings.http.rows_max))
    return scopes.of_visible_nodes(hub, caller, found)


@router.get(paths.INPUT_SHIFTS)
def list_input_shifts(
    hub: HubPart,
    caller: Viewer,
    *,
    node: str,
    model: str,
    hours: Annotated[int, Query(ge=1, le=input_shifts.HOURS_MAX)] = 24,
) -> list[InputShiftView]:
    """Compare a node's inputs of the last hours with the held-out rows of its version; what moved most comes first."""
    scopes.check_node(hub, caller, node)
    world = hub.world
    return input_shifts.of_node(
        world.control,
        world.telemetry,
        world.clock,
        node=parse_name(node, what="node"),
        model=parse_name(model, what="model"),
        hours=hours,
    )
