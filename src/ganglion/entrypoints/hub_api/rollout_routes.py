"""Rollouts: plan one, start one, look at it, and act on it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

from fastapi import APIRouter

from ganglion.core.identity_errors import Forbidden
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.access import HubPart, Operator, Viewer
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.trust.roles import Caller
from ganglion.wire import paths
from ganglion.wire.rollout_resources import ActionRequest, RolloutPlan, RolloutRequest, RolloutView

router = APIRouter(tags=["rollouts"], route_class=StrictRoute)

NODES_SHOWN_MAX = 200
"""Nodes that a list of a rollout names; how many there are is told beside it."""
NODES_PLANNED_MAX = 1000
Action = Literal["pause", "resume", "abort", "promote", "approve", "skip", "retry"]


@router.post(paths.ROLLOUTS, status_code=201)
def start_rollout(hub: HubPart, caller: Operator, request: RolloutRequest) -> RolloutView:
    """Start to bring a released version to the fleet, or to a part of it, stage by stage."""
    _check_start(hub, caller, request)
    return hub.rollouts.start(request, actor=caller.actor)


@router.post(paths.ROLLOUT_PLAN)
def plan_rollout(hub: HubPart, caller: Operator, request: RolloutRequest) -> RolloutPlan:
    """Say who would get what, and when at the earliest. Nothing is stored."""
    _check_start(hub, caller, request)
    return hub.rollouts.plan(request, most=NODES_PLANNED_MAX)


@router.get(paths.ROLLOUTS)
def list_rollouts(hub: HubPart, caller: Viewer) -> list[RolloutView]:
    """List rollouts, newest first."""
    return scopes.visible_rollouts(hub, caller, hub.rollouts.list(most=_shown_to(caller)))


@router.get(paths.ROLLOUTS + "/{rollout_id}")
def show_rollout(hub: HubPart, caller: Viewer, rollout_id: str) -> RolloutView:
    """Show one rollout with its stages and its history, and after an abort the way back of each node.

    To those who may see the whole fleet it also tells how often each version was right, by labels of random samples.
    """
    found = scopes.visible_rollouts(hub, caller, [hub.rollouts.get(rollout_id, most=_shown_to(caller))])
    if not found:
        raise Forbidden(f"the role of {caller.actor} is for none of the nodes that this rollout reaches")
    if caller.scope.sites:
        return found[0]
    judged = hub.curation.judged(found[0].model, since_s=found[0].created_at_s)
    return replace(found[0], judged=judged)


@router.post(paths.ROLLOUTS + "/{rollout_id}/{action}")
def act_on_rollout(
    hub: HubPart, caller: Operator, rollout_id: str, action: Action, request: ActionRequest
) -> RolloutView:
    """Pause, resume, abort; promote past the present stage; approve a stage; skip silent nodes; retry failed ones."""
    scopes.check_rollout(hub, caller, hub.rollouts.get(rollout_id, most=_shown_to(caller)))
    if action == "approve" and caller.kind != "account":
        raise Forbidden("an approval is the word of a person, and a token speaks for a program")
    return _act(hub, action, request.stage)(rollout_id, actor=caller.actor, reason=request.reason)


def _shown_to(caller: Caller) -> int | None:
    return scopes.shown_to(caller, NODES_SHOWN_MAX)


def _act(hub: Hub, action: Action, stage: int | None) -> Callable[..., RolloutView]:
    """Return what carries an action out. With the stage that is meant a repeated call does nothing twice."""
    acts: dict[Action, Callable[..., RolloutView]] = {
        "pause": hub.rollouts.pause,
        "resume": hub.rollouts.resume,
        "abort": hub.rollouts.abort,
        "promote": partial(hub.rollouts.promote, stage=stage),
        "approve": partial(hub.rollouts.approve, stage=stage),
        "skip": hub.rollouts.skip,
        "retry": hub.rollouts.retry,
    }
    return acts[action]


def _check_start(hub: Hub, caller: Caller, request: RolloutRequest) -> None:
    if not request.to and request.select is None:
        # It decides what nodes start with that join later, on any site.
        caller.check_whole_fleet()
    scopes.check_reach(hub, caller, request.model, hub.rollouts.reached(request) if caller.scope.sites else ())
