"""Many nodes of the in-memory control database at once; `ports.many_nodes` says what each method promises."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ganglion.hub.domain.nodes.lifecycle import takes_part
from ganglion.ports.hub_store import AssignmentRow, NodeRow
from ganglion.ports.many_nodes import NodeSight, ReportedNode, StaleNode


class _Tables(Protocol):
    @property
    def nodes(self) -> dict[str, NodeRow]: ...
    @property
    def assignments(self) -> dict[tuple[str, str], AssignmentRow]: ...


class MemoryManyNodes:
    """Reads and writes of one transaction."""

    def __init__(self, tables: _Tables) -> None:
        self._crowd = tables

    def node_sights(self, *, after: str = "", limit: int | None = None) -> Sequence[NodeSight]:
        found = sorted((row for row in self._crowd.nodes.values() if row.name > after), key=lambda row: row.name)
        return [NodeSight(*(getattr(row, name) for name in NodeSight._fields)) for row in found[:limit]]

    def stale(self, *, before_s: float) -> Sequence[StaleNode]:
        let_in = (row for row in self._crowd.nodes.values() if takes_part(row))
        found = [row for row in let_in if row.last_seen_at_s is None or row.last_seen_at_s < before_s]
        return [StaleNode(*(getattr(row, name) for name in StaleNode._fields)) for row in found]

    def heard(self, *, since_s: float | None = None) -> dict[str, float]:
        times = {
            row.node_id: row.last_seen_at_s for row in self._crowd.nodes.values() if row.last_seen_at_s is not None
        }
        return {node_id: at_s for node_id, at_s in times.items() if since_s is None or at_s >= since_s}

    def nodes_of(self, node_ids: Sequence[str]) -> Sequence[NodeRow]:
        return [self._crowd.nodes[node_id] for node_id in node_ids if node_id in self._crowd.nodes]

    def reports_of(self, node_ids: Sequence[str]) -> Sequence[ReportedNode]:
        return [ReportedNode(*(getattr(row, name) for name in ReportedNode._fields)) for row in self.nodes_of(node_ids)]

    def names_of(self, node_ids: Sequence[str]) -> dict[str, str]:
        return {row.node_id: row.name for row in self.nodes_of(node_ids)}

    def assignments_of(self, node_ids: Sequence[str], model: str) -> Mapping[str, AssignmentRow]:
        found = self._crowd.assignments
        return {node_id: found[node_id, model] for node_id in node_ids if (node_id, model) in found}

    def all_assignments_of(self, node_ids: Sequence[str]) -> Sequence[AssignmentRow]:
        wanted = set(node_ids)
        return [row for key, row in sorted(self._crowd.assignments.items()) if key[0] in wanted]

    def assigned_versions(self, model: str, *, node_ids: Sequence[str] | None = None) -> dict[str, str]:
        found = {row.node_id: row.version for key, row in self._crowd.assignments.items() if key[1] == model}
        return found if node_ids is None else {node_id: found[node_id] for node_id in node_ids if node_id in found}

    def put_assignments(self, new: Sequence[AssignmentRow]) -> list[str]:
        found = self._crowd.assignments
        changed = [row for row in new if found.get((row.node_id, row.model)) != row]
        found.update({(row.node_id, row.model): row for row in changed})
        return [row.node_id for row in changed]

    def remove_assignments(self, node_ids: Sequence[str], model: str) -> None:
        for node_id in node_ids:
            self._crowd.assignments.pop((node_id, model), None)
