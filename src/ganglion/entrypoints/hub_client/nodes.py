"""What a hub is asked about nodes' settings and commands, and about itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_client.connection import HubConnection
from ganglion.wire import paths
from ganglion.wire.figures_resources import DayFigures, FleetFigures
from ganglion.wire.file_resources import FileView
from ganglion.wire.node_resources import (
    CommandOutcome,
    CommandRequest,
    CommandView,
    HubStatus,
    NodeSettingsView,
    SettingsChange,
    SettingsDocument,
)

_BINARY_TYPE = "application/octet-stream"


class NodeCalls:
    """One method per route, over a line that the class that mixes this in opens."""

    _hub: HubConnection

    def hub_status(self) -> HubStatus:
        """Return how the hub itself is doing."""
        return self._hub.get(paths.STATUS, HubStatus)

    def figures(self, days: int) -> FleetFigures:
        """Return how the fleet was run over the last days."""
        return self._hub.get(paths.FIGURES, FleetFigures, {"days": days})

    def figures_by_day(self, days: int) -> list[DayFigures]:
        """Return the figures that were kept with each day, oldest first."""
        return self._hub.get(paths.FIGURE_DAYS, list[DayFigures], {"days": days})

    def node_settings(self, name: str) -> NodeSettingsView:
        """Return every setting of a node, and who chose it."""
        return self._hub.get(paths.node(parse_name(name, what="node"), "settings"), NodeSettingsView)

    def change_settings(
        self,
        scope: str,
        name: str,
        *,
        put: Mapping[str, str],
        unset: Sequence[str] = (),
        priority: int | None = None,
    ) -> SettingsDocument:
        """Change the settings of a `node`, a `site`, a `group`, or, without a name, of the `fleet`."""
        place = "/fleet" if scope == "fleet" else f"/{scope}s/{parse_name(name, what=scope)}"
        change = SettingsChange(dict(put), list(unset), priority)
        return self._hub.post(paths.SETTINGS + place, change, SettingsDocument)

    def commands(self, name: str) -> list[CommandView]:
        """List what a node was asked to do lately, newest first."""
        return self._hub.get(paths.node(parse_name(name, what="node"), "commands"), list[CommandView])

    def command(self, name: str, request: CommandRequest) -> CommandView:
        """Ask a node to do something once."""
        return self._hub.post(paths.node(parse_name(name, what="node"), "commands"), request, CommandView)

    def command_outcome(self, name: str, command_id: str) -> CommandOutcome:
        """Return what came of a command so far."""
        path = paths.node(parse_name(name, what="node"), "commands")
        return self._hub.get(f"{path}/{parse_name(command_id, what='command')}", CommandOutcome)

    def put_file(self, scope: str, target: str, name: str, content: Path) -> FileView:
        """Let the nodes of a scope have a file by this name."""
        path = f"{paths.FILES}/{parse_name(name, what='file')}?{_whom(scope, target)}"
        return self._hub.upload(path, content, _BINARY_TYPE, FileView)

    def remove_file(self, scope: str, target: str, name: str) -> None:
        """Let the nodes of a scope have it no more."""
        path = f"{paths.FILES}/{parse_name(name, what='file')}/remove?{_whom(scope, target)}"
        self._hub.post(path, {}, type(None))

    def files(self) -> list[FileView]:
        """List every reference file, and for whom it is."""
        return self._hub.get(paths.FILES, list[FileView])

    def node_files(self, name: str) -> list[FileView]:
        """List the files that a node should have, and what it says of them."""
        return self._hub.get(paths.node(parse_name(name, what="node"), "files"), list[FileView])


def _whom(scope: str, target: str) -> str:
    return urlencode({"scope": scope, "target": target} if target else {"scope": scope})
