"""The fleet as its nodes report it: take reports in, and show nodes with their models and their records."""

import dataclasses
from collections.abc import Mapping, Sequence

from ganglion.core.errors import NotFound
from ganglion.hub.services.desired import Desired
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import AssignmentRow, ControlStore, NodeRow
from ganglion.ports.telemetry_store import CursorRow, TelemetryStore
from ganglion.wire import codec
from ganglion.wire.messages import ModelStatus, NodeReport
from ganglion.wire.resources import ModelOnNode, NodeView


class Fleet:
    """Reports in, views out."""

    def __init__(self, *, control: ControlStore, telemetry: TelemetryStore, desired: Desired, clock: Clock) -> None:
        self._control, self._telemetry = control, telemetry
        self._desired, self._clock = desired, clock

    def take_report(self, node_id: str, report: NodeReport) -> None:
        """Keep a node's newest report; with the first one the node gets the fleet's versions. Raises: NotFound."""
        with self._control.write() as tx:
            node = tx.node(node_id)
            if node is None:
                raise NotFound(f"no node has the id {node_id}")
            tx.put_node(
                dataclasses.replace(
                    node,
                    node_class=report.facts.node_class,
                    facts=codec.encode_json(report.facts),
                    last_seen_at_s=utc_s(self._clock),
                    report=codec.encode_json(report),
                )
            )
        if not node.report:
            self._desired.adopt(node_id)

    def nodes(self) -> list[NodeView]:
        """Return every node, by name."""
        with self._control.read() as tx:
            rows, assignments = tx.nodes(), tx.assignments()
        with self._telemetry.read() as records:
            cursors = records.cursors()
        wanted: dict[str, list[AssignmentRow]] = {}
        for assignment in assignments:
            wanted.setdefault(assignment.node_id, []).append(assignment)
        stored = {(cursor.node_id, cursor.epoch): cursor for cursor in cursors}
        return [_view(row, wanted.get(row.node_id, []), stored) for row in rows]

    def node(self, name: str) -> NodeView:
        """Return one node. Raises: NotFound."""
        with self._control.read() as tx:
            row = tx.node_by_name(name)
            if row is None:
                raise NotFound(f"no node is named {name[:80]!r}")
            assignments = tx.assignments(node_id=row.node_id)
        with self._telemetry.read() as records:
            stored = {(cursor.node_id, cursor.epoch): cursor for cursor in records.cursors(row.node_id)}
        return _view(row, assignments, stored)


def report_of(row: NodeRow) -> NodeReport | None:
    """Return a node's newest report, or None before the first."""
    return codec.decode_json(row.report, NodeReport) if row.report else None


def _view(row: NodeRow, assignments: Sequence[AssignmentRow], stored: Mapping[tuple[str, str], CursorRow]) -> NodeView:
    """Join what three places know. Records are counted in the node's present epoch; an earlier one is history."""
    report = report_of(row)
    epoch = report.epoch if report else ""
    cursor = stored.get((row.node_id, epoch)) or CursorRow(node_id=row.node_id, epoch=epoch, seq=0)
    return NodeView(
        node_id=row.node_id,
        name=row.name,
        site=row.site,
        zone=row.zone,
        node_class=row.node_class,
        state="active" if row.revoked_at_s is None else "revoked",
        enrolled_at_s=row.enrolled_at_s,
        last_seen_at_s=row.last_seen_at_s,
        epoch=epoch,
        made=max(report.made if report else 0, cursor.made),
        stored=cursor.seq - cursor.gaps,
        waiting=report.waiting if report else 0,
        shed=_newest_counts(report.shed if report else {}, codec.decode_json(cursor.shed, dict[str, int])),
        models=_models(report, assignments),
    )


def _newest_counts(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Return the higher of two counts that only ever grow: the report and the batches come at different times."""
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in sorted(one.keys() | other.keys())}


def _models(report: NodeReport | None, assignments: Sequence[AssignmentRow]) -> list[ModelOnNode]:
    wanted = {row.model: row.version for row in assignments}
    served = {status.model: status for status in report.models} if report else {}
    return [
        _model(served.get(model) or ModelStatus(model=model, version="", committed=""), wanted.get(model, ""))
        for model in sorted(wanted.keys() | served.keys())
    ]


def _model(status: ModelStatus, desired: str) -> ModelOnNode:
    return ModelOnNode(
        model=status.model,
        version=status.version,
        committed=status.committed,
        desired=desired,
        update_version=status.update_version,
        update_state=status.update_state,
        reason=status.reason,
    )
