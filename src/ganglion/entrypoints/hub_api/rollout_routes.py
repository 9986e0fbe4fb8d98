"""Rollouts: start one, look at it, and act on it."""

from typing import Literal

from fastapi import APIRouter

from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.access import HubPart, Operator, Viewer
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.wire import paths
from ganglion.wire.rollout_resources import ActionRequest, RolloutRequest, RolloutView

router = APIRouter(tags=["rollouts"], route_class=StrictRoute)


@router.post(paths.ROLLOUTS, status_code=201)
def start_rollout(hub: HubPart, caller: Operator, request: RolloutRequest) -> RolloutView:
    """Start to bring a released version to the fleet, stage by stage."""
    scopes.check_start(hub, caller, request.model)
    return hub.rollouts.start(request, actor=caller.actor)


@router.get(paths.ROLLOUTS)
def list_rollouts(hub: HubPart, _caller: Viewer) -> list[RolloutView]:
    """List rollouts, newest first."""
    return hub.rollouts.list()


@router.get(paths.ROLLOUTS + "/{rollout_id}")
def show_rollout(hub: HubPart, _caller: Viewer, rollout_id: str) -> RolloutView:
    """Show one rollout with its stages and its history."""
    return hub.rollouts.get(rollout_id)


@router.post(paths.ROLLOUTS + "/{rollout_id}/{action}")
def act_on_rollout(
    hub: HubPart,
    caller: Operator,
    rollout_id: str,
    action: Literal["pause", "resume", "abort", "promote"],
    request: ActionRequest,
) -> RolloutView:
    """Pause, resume, abort, or promote past the present stage."""
    scopes.check_rollout(hub, caller, hub.rollouts.get(rollout_id))
    if action == "promote":
        # With the stage that is meant to be left, a repeated call skips none.
        return hub.rollouts.promote(rollout_id, actor=caller.actor, reason=request.reason, stage=request.stage)
    acts = {"pause": hub.rollouts.pause, "resume": hub.rollouts.resume, "abort": hub.rollouts.abort}
    return acts[action](rollout_id, actor=caller.actor, reason=request.reason)
