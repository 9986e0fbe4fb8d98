"""Alerts: declare, look at, silence, try out. They need a role for the whole fleet."""

from fastapi import APIRouter
from starlette.responses import Response

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_api.access import HubPart, Operator, Viewer
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.wire import paths
from ganglion.wire.alert_resources import (
    AlertDefinition,
    AlertEntry,
    AlertSilence,
    AlertTarget,
    AlertTestOutcome,
    AlertView,
)

router = APIRouter(tags=["alerts"], route_class=StrictRoute)


@router.get(paths.ALERTS)
def list_alerts(hub: HubPart, caller: Viewer, state: str = "") -> list[AlertView]:
    """List alerts by name, with their subjects; of one state alone with `state`: ok, pending or firing."""
    caller.check_unlimited()
    return hub.alerting.alerts.views(state=state)


@router.get(paths.ALERT_TARGETS)
def list_alert_targets(hub: HubPart, caller: Viewer) -> list[AlertTarget]:
    """List whom the hub tells, and how that goes."""
    caller.check_unlimited()
    return hub.alerting.delivery.targets()


@router.get(paths.ALERTS + "/{name}")
def show_alert(hub: HubPart, caller: Viewer, name: str) -> AlertView:
    """Show an alert, and how it stands with each subject."""
    caller.check_unlimited()
    return hub.alerting.alerts.alert(parse_name(name, what="alert"))


@router.get(paths.ALERTS + "/{name}/history")
def alert_history(hub: HubPart, caller: Viewer, name: str) -> list[AlertEntry]:
    """List when an alert fired, was over, or was silenced, newest first."""
    caller.check_unlimited()
    return hub.alerting.alerts.history(parse_name(name, what="alert"))


@router.post(paths.ALERTS + "/{name}")
def put_alert(hub: HubPart, caller: Operator, name: str, request: AlertDefinition) -> AlertView:
    """Declare an alert, or declare it anew; what it has found already stays with it."""
    caller.check_unlimited()
    return hub.alerting.alerts.put(parse_name(name, what="alert"), request, actor=caller.actor)


@router.post(paths.ALERTS + "/{name}/remove", status_code=204)
def remove_alert(hub: HubPart, caller: Operator, name: str) -> Response:
    """Forget an alert and its history; who was told that it fires is told that it is over."""
    caller.check_unlimited()
    hub.alerting.alerts.remove(parse_name(name, what="alert"), actor=caller.actor)
    return Response(status_code=204)


@router.post(paths.ALERTS + "/{name}/silence")
def silence_alert(hub: HubPart, caller: Operator, name: str, request: AlertSilence) -> AlertView:
    """Tell nobody of an alert for a while. What still fires at the end is told then; 0 seconds end it now."""
    caller.check_unlimited()
    return hub.alerting.alerts.silence(parse_name(name, what="alert"), request, actor=caller.actor)


@router.post(paths.ALERTS + "/{name}/test")
def test_alert(hub: HubPart, caller: Operator, name: str) -> list[AlertTestOutcome]:
    """Send a test message to each target at once, and tell what came of it."""
    caller.check_unlimited()
    spec = hub.alerting.alerts.spec(parse_name(name, what="alert"))
    return hub.alerting.delivery.test(name, spec)
