"""What a hub is asked about nodes' settings and commands, and about itself."""

from collections.abc import Mapping, Sequence

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_connection import HubConnection
from ganglion.wire import paths
from ganglion.wire.node_resources import (
    CommandRequest,
    CommandView,
    HubStatus,
    NodeSettingsView,
    SettingsChange,
    SettingsDocument,
)


class NodeCalls:
    """One method per route, over a line that the class that mixes this in opens."""

    _hub: HubConnection

    def hub_status(self) -> HubStatus:
        """Return how the hub itself is doing."""
        return self._hub.get(paths.STATUS, HubStatus)

    def node_settings(self, name: str) -> NodeSettingsView:
        """Return every setting of a node, and who chose it."""
        return self._hub.get(paths.node(parse_name(name, what="node"), "settings"), NodeSettingsView)

    def change_settings(
        self, scope: str, name: str, *, put: Mapping[str, str], unset: Sequence[str] = ()
    ) -> SettingsDocument:
        """Change the settings of a `node`, a `site`, or, without a name, of the `fleet`."""
        place = "/fleet" if scope == "fleet" else f"/{scope}s/{parse_name(name, what=scope)}"
        return self._hub.post(paths.SETTINGS + place, SettingsChange(dict(put), list(unset)), SettingsDocument)

    def commands(self, name: str) -> list[CommandView]:
        """List what a node was asked to do lately, newest first."""
        return self._hub.get(paths.node(parse_name(name, what="node"), "commands"), list[CommandView])

    def command(self, name: str, request: CommandRequest) -> CommandView:
        """Ask a node to do something once."""
        return self._hub.post(paths.node(parse_name(name, what="node"), "commands"), request, CommandView)
