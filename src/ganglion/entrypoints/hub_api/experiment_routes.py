"""Experiments: declare one, start it, look at it, and end it. They need a role for the whole fleet."""

from typing import Literal

from fastapi import APIRouter

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_api.access import HubPart, Operator, Viewer
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.trust.roles import Caller
from ganglion.wire import paths
from ganglion.wire.experiment_resources import ExperimentAction, ExperimentRequest, ExperimentView

router = APIRouter(tags=["experiments"], route_class=StrictRoute)
Action = Literal["start", "stop", "conclude"]


@router.get(paths.EXPERIMENTS)
def list_experiments(hub: HubPart, caller: Viewer) -> list[ExperimentView]:
    """List experiments by name. What the arms of a running one show is told when it is asked for alone."""
    caller.check_whole_fleet()
    return hub.organisation.experiments.list()


@router.post(paths.EXPERIMENTS, status_code=201)
def create_experiment(hub: HubPart, caller: Operator, request: ExperimentRequest) -> ExperimentView:
    """Declare an experiment, or declare a draft anew. No node is touched before it is started."""
    _check(caller, request.model)
    return hub.organisation.experiments.create(request, actor=caller.actor)


@router.get(paths.EXPERIMENTS + "/{name}")
def show_experiment(hub: HubPart, caller: Viewer, name: str) -> ExperimentView:
    """Show an experiment, and what its arms show by now."""
    caller.check_whole_fleet()
    return hub.organisation.experiments.get(parse_name(name, what="experiment"))


@router.post(paths.EXPERIMENTS + "/{name}/{action}")
def act_on_experiment(
    hub: HubPart, caller: Operator, name: str, action: Action, request: ExperimentAction
) -> ExperimentView:
    """Start it; stop it without a winner; conclude it with one, which is then rolled out stage by stage."""
    experiments = hub.organisation.experiments
    caller.check_whole_fleet()
    _check(caller, experiments.model_of(parse_name(name, what="experiment")))
    match action:
        case "start":
            return experiments.start(name, actor=caller.actor, reason=request.reason)
        case "stop":
            return experiments.stop(name, actor=caller.actor, reason=request.reason)
        case "conclude":
            return experiments.conclude(name, request, actor=caller.actor)


def _check(caller: Caller, model: str) -> None:
    """Raises: Forbidden: the role is for some nodes, or for other models."""
    caller.check_whole_fleet()
    caller.check_model(model)
