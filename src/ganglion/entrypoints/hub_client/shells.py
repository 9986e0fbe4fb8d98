"""What a hub is asked about interactive sessions."""

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_client.connection import HubConnection, Query
from ganglion.wire import paths
from ganglion.wire.shell_resources import ShellRequest, ShellShown, ShellTaken, ShellTyping, ShellView


class ShellCalls:
    """One method per route, over a line that the class that mixes this in opens."""

    _hub: HubConnection

    def ask_shell(self, name: str, request: ShellRequest) -> ShellView:
        """Ask a node for a session."""
        return self._hub.post(_path(name), request, ShellView)

    def shells(self, name: str) -> list[ShellView]:
        """List the sessions of a node, newest first."""
        return self._hub.get(_path(name), list[ShellView])

    def shell_shown(self, name: str, shell_id: str, *, after: int, known: str, wait_s: float) -> ShellShown:
        """Wait for what a session shows after so many bytes, or until it stands otherwise than `known`."""
        query: Query = {"after": after, "known": known, "wait_s": str(wait_s)}
        return self._hub.get(_path(name, shell_id, "output"), ShellShown, query)

    def type_into_shell(self, name: str, shell_id: str, typing: ShellTyping) -> bool:
        """Hand over what was typed. False: there is no room yet; to be repeated."""
        return self._hub.post(_path(name, shell_id, "input"), typing, ShellTaken).taken

    def close_shell(self, name: str, shell_id: str) -> None:
        """Let the node end a session."""
        self._hub.post(_path(name, shell_id, "close"), {}, type(None))

    def shell_recording(self, name: str, shell_id: str) -> bytes:
        """Return the recording of a session (`core.asciicast`)."""
        return self._hub.raw(_path(name, shell_id, "recording"))


def _path(name: str, shell_id: str = "", part: str = "") -> str:
    return paths.shell(parse_name(name, what="node"), parse_name(shell_id, what="session") if shell_id else "", part)
