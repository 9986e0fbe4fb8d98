"""The fleet as its nodes report it: take reports in, and show nodes with their models and their records."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from ganglion.core.errors import NotFound
from ganglion.hub.domain import lifecycle
from ganglion.hub.services import settings_documents
from ganglion.hub.services.desired import Desired
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import AssignmentRow, ControlStore, ControlTransaction, NodeRow
from ganglion.ports.telemetry_store import CursorRow, TelemetryStore
from ganglion.wire import codec
from ganglion.wire.desired import ModelStatus, NodeReport
from ganglion.wire.resources import ModelOnNode, NodeView

Witness: TypeAlias = Callable[[ControlTransaction, str, int, str], bool]
"""Signs for the head of a node's audit chain: its id, the number, the hash."""


class Fleet:
    """Reports in, views out."""

    def __init__(
        self,
        *,
        control: ControlStore,
        telemetry: TelemetryStore,
        desired: Desired,
        clock: Clock,
        witness: Witness | None = None,
    ) -> None:
        self._control, self._telemetry, self._witness = control, telemetry, witness
        self._desired, self._clock = desired, clock
        self._listening: Counter[str] = Counter()
        self._heard_at_s: dict[str, float] = {}
        """Since this hub started; a report is kept in the store."""

    @contextmanager
    def listening(self, node_id: str) -> Iterator[None]:
        """Know for the length of the block that a node is there: it waits for an answer. Call on the event loop."""
        self._listening[node_id] += 1
        try:
            yield
        finally:
            self._listening[node_id] -= 1
            self._heard_at_s[node_id] = utc_s(self._clock)

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
            settings_documents.note_answers(tx, node_id, report.commands)
            if self._witness and report.audit_number > 0:
                self._witness(tx, node_id, report.audit_number, report.audit_hash)
            # In the same transaction: a hub killed in between would never give this node the fleet's versions.
            adopted = not node.report and self._desired.adopt(tx, node_id)
        self._desired.announce([node_id] if adopted else [])

    def last_seen_at_s(self, node: NodeRow) -> float | None:
        """Return when the hub last knew that the node is there, by the hub's clock; None: never."""
        if self._listening[node.node_id]:
            return utc_s(self._clock)
        return max(node.last_seen_at_s or 0.0, self._heard_at_s.get(node.node_id, 0.0)) or None

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
        return [_view(self._as_heard(row), wanted.get(row.node_id, []), stored) for row in rows]

    def node(self, name: str) -> NodeView:
        """Return one node. Raises: NotFound."""
        with self._control.read() as tx:
            row = tx.node_by_name(name)
            if row is None:
                raise NotFound(f"no node is named {name[:80]!r}")
            assignments = tx.assignments(node_id=row.node_id)
        with self._telemetry.read() as records:
            stored = {(cursor.node_id, cursor.epoch): cursor for cursor in records.cursors(row.node_id)}
        return _view(self._as_heard(row), assignments, stored)

    def _as_heard(self, row: NodeRow) -> NodeRow:
        return dataclasses.replace(row, last_seen_at_s=self.last_seen_at_s(row))


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
        state=lifecycle.standing_of(row).value,
        enrolled_at_s=row.enrolled_at_s,
        last_seen_at_s=row.last_seen_at_s,
        epoch=epoch,
        made=max(report.made if report else 0, cursor.made),
        stored=cursor.seq - cursor.gaps,
        waiting=report.waiting if report else 0,
        shed=_newest_counts(report.shed if report else {}, codec.decode_json(cursor.shed, dict[str, int])),
        sent_bytes=report.sent_bytes if report else {},
        machine=report.machine if report else {},
        clock_error_s=cursor.clock_error_ns / 1e9,
        models=_models(report, assignments),
        quarantine_reason=row.quarantine_reason if row.quarantined_at_s is not None else "",
        measured=codec.decode_json(row.measured, dict[str, str]) if row.measured else {},
        key_since_at_s=row.enrolled_at_s if row.key_since_at_s is None else row.key_since_at_s,
        rekey_asked=row.rekey_asked_at_s is not None,
        refused=report.refused if report else "",
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
