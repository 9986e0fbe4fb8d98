"""What came of one command: its answer, and the output that the node sent as an event."""

import re
from collections.abc import Mapping

import msgspec

from ganglion.core.errors import NotFound
from ganglion.hub.services.nodes import settings_documents
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.wire.node_resources import CommandOutcome

_EVENTS_MAX = 1000
_EXIT = re.compile(r"-?[0-9]{1,3}")
_ENDED = frozenset({"action.ended", "action.refused"})


class Orders:
    """Looks commands up."""

    def __init__(self, *, control: ControlStore, telemetry: TelemetryStore) -> None:
        self._control, self._telemetry = control, telemetry

    def outcome(self, node_name: str, command_id: str) -> CommandOutcome:
        """Return what is known of a command now. Raises: NotFound: the node was not asked for it lately."""
        with self._control.read() as tx:
            node = tx.node_by_name(node_name)
            given = [
                each
                for each in settings_documents.commands(tx)
                if node and each.node_id == node.node_id and each.command.id == command_id
            ]
        if node is None or not given:
            raise NotFound(f"{node_name[:80]} was not asked for a command {command_id[:80]!r} lately")
        facts = self._facts_of(node.node_id, command_id)
        return CommandOutcome(
            id=command_id,
            node=node.name,
            name=given[0].command.name,
            arguments=list(given[0].command.arguments),
            given_by=given[0].given_by,
            answer=given[0].answer,
            exit=int(code) if _EXIT.fullmatch(code := facts.get("exit", "")) else None,
            output=facts.get("output"),
            ended_by=facts.get("ended_by", ""),
        )

    def _facts_of(self, node_id: str, command_id: str) -> Mapping[str, str]:
        with self._telemetry.read() as tx:
            rows = tx.events(node_id=node_id, limit=_EVENTS_MAX)
        for row in rows:
            if row.name in _ENDED:
                facts = msgspec.json.decode(row.facts, type=dict[str, str])
                if facts.get("order") == command_id:
                    return facts
        return {}
