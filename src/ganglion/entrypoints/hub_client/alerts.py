"""What a hub is asked about alerts."""

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_client.connection import HubConnection
from ganglion.wire import paths
from ganglion.wire.alert_resources import (
    AlertDefinition,
    AlertEntry,
    AlertSilence,
    AlertTarget,
    AlertTestOutcome,
    AlertView,
)


class AlertCalls:
    """One method per route, over a line that the class that mixes this in opens."""

    _hub: HubConnection

    def put_alert(self, name: str, definition: AlertDefinition) -> AlertView:
        """Declare an alert, or declare it anew."""
        return self._hub.post(_path(name), definition, AlertView)

    def alerts(self, *, state: str = "") -> list[AlertView]:
        """List alerts by name; of one state alone, when it is given."""
        return self._hub.get(paths.ALERTS, list[AlertView], {"state": state or None})

    def alert(self, name: str) -> AlertView:
        """Return an alert, and how it stands."""
        return self._hub.get(_path(name), AlertView)

    def alert_history(self, name: str) -> list[AlertEntry]:
        """Return what happened to an alert, newest first."""
        return self._hub.get(_path(name, "history"), list[AlertEntry])

    def remove_alert(self, name: str) -> None:
        """Forget an alert."""
        self._hub.post(_path(name, "remove"), {}, type(None))

    def silence_alert(self, name: str, wish: AlertSilence) -> AlertView:
        """Tell nobody of an alert for a while."""
        return self._hub.post(_path(name, "silence"), wish, AlertView)

    def try_alert(self, name: str) -> list[AlertTestOutcome]:
        """Send each target a test message, and return what came of it."""
        return self._hub.post(_path(name, "test"), {}, list[AlertTestOutcome])

    def alert_targets(self) -> list[AlertTarget]:
        """Return whom the hub tells, and how that goes."""
        return self._hub.get(paths.ALERT_TARGETS, list[AlertTarget])


def _path(name: str, action: str = "") -> str:
    return paths.declared(paths.ALERTS, parse_name(name, what="alert"), action)
