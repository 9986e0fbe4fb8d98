"""The fleet as its nodes report it: take reports in, and show nodes with their models and their records."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

import msgspec

from ganglion.core.errors import NotFound
from ganglion.hub.domain.nodes import lifecycle
from ganglion.hub.domain.nodes.report_news import is_progress
from ganglion.hub.services.nodes import file_documents, settings_documents
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.organisation.groups import Sight
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import (
    AssignmentRow,
    ControlStore,
    ControlTransaction,
    NodeQuery,
    NodeRow,
    NodeTerm,
)
from ganglion.ports.many_nodes import Reporter, StaleNode
from ganglion.ports.telemetry_store import CursorRow, TelemetryStore
from ganglion.wire import codec
from ganglion.wire.desired import ModelStatus, NodeReport
from ganglion.wire.identity import NodeFacts
from ganglion.wire.resources import FactsView, ModelOnNode, NodeView

Witness: TypeAlias = Callable[[ControlTransaction, str, int, str], bool]
"""Signs for the head of a node's audit chain: its id, the number, the hash."""


Committed: TypeAlias = Mapping[str, Mapping[str, str]]
"""Versions by the name of the node and the model."""


class _Models(msgspec.Struct, frozen=True):
    """What a report says of models, which is a third of the work of reading all of it."""

    models: tuple[ModelStatus, ...] = ()


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

    def begin_listening(self, node_id: str) -> None:
        """Know from here on that a node is there: it waits for an answer. Call on the event loop."""
        self._listening[node_id] += 1

    def end_listening(self, node_id: str) -> None:
        """Take back one `begin_listening`, and remember when that was. Call on the event loop."""
        self._listening[node_id] -= 1
        self._heard_at_s[node_id] = utc_s(self._clock)

    def take_report(self, node_id: str, report: NodeReport) -> None:
        """Keep a node's newest report; with the first one the node gets the fleet's versions. Raises: NotFound."""
        with self._control.write(lasting=not self._is_progress(node_id, report)) as tx:
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
            regrouped = _has_changed(node, report) and file_documents.depends_on_groups(tx)
            if regrouped:
                # Another release, or another engine: it may belong to other groups now.
                tx.set_revision([node_id], tx.next_revision())
        self._desired.announce([node_id] if adopted or regrouped else [])

    def _is_progress(self, node_id: str, report: NodeReport) -> bool:
        """Say whether the disk need not be waited for: a fleet that updates tells of each step at the same time."""
        with self._control.read() as tx:
            node = tx.node(node_id)
        before = report_of(node) if node is not None else None
        return before is not None and is_progress(before, report)

    def last_seen_at_s(self, node: NodeRow | StaleNode) -> float | None:
        """Return when the hub last knew that the node is there, by the hub's clock; None: never."""
        if self._listening[node.node_id]:
            return utc_s(self._clock)
        return max(node.last_seen_at_s or 0.0, self._heard_at_s.get(node.node_id, 0.0)) or None

    def page(self, query: NodeQuery, sees: Sight | None = None) -> list[NodeView]:
        """Return the nodes that a query asks for, by name, among those that `sees` lets pass."""
        with self._control.read() as tx:
            rows = found(tx, query, sees)
            assignments: dict[str, list[AssignmentRow]] = {row.node_id: [] for row in rows}
            for assignment in tx.all_assignments_of(list(assignments)):
                assignments[assignment.node_id].append(assignment)
        with self._telemetry.read() as records:
            cursors = records.cursors_of(list(assignments))
        stored = {(cursor.node_id, cursor.epoch): cursor for cursor in cursors}
        return [_view(self._as_heard(row), assignments[row.node_id], stored) for row in rows]

    def committed(self, names: Collection[str]) -> Committed:
        """Return which versions of their models these nodes report as committed; the nodes that have reported."""
        with self._control.read() as tx:
            rows = tx.find_nodes(NodeQuery(terms=(NodeTerm("name", tuple(names)),))) if names else ()
        reports = ((row.name, codec.decode_json(row.report, _Models)) for row in rows if row.report)
        return {name: {status.model: status.committed for status in report.models} for name, report in reports}

    def count(self, query: NodeQuery) -> int:
        """Return how many nodes a query asks for, wherever its page ends."""
        with self._control.read() as tx:
            return tx.count_nodes(query)

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


def _has_changed(before: NodeRow, report: NodeReport) -> bool:
    return bool(before.report) and codec.decode_json(before.facts, NodeFacts) != report.facts


def found(tx: ControlTransaction, query: NodeQuery, sees: Sight | None) -> Sequence[NodeRow]:
    """Return the nodes that a query asks for, by name, among those that `sees` lets pass."""
    return tx.find_nodes(query if sees is None else dataclasses.replace(query, within=query.within + sees(tx)))


def report_of(row: Reporter) -> NodeReport | None:
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
        health=_health(report),
        unwell=report.unwell if report else {},
        settings=told_settings(report),
        labels=codec.decode_json(row.labels, dict[str, str]),
        facts=_facts(row),
    )


def told_settings(report: NodeReport | None) -> str:
    """Return what a node says of the settings that it was given; empty when it says nothing."""
    if report is None or not report.settings.state:
        return ""
    said = f"revision {report.settings.revision}: {report.settings.state}"
    return f"{said}: {report.settings.reason}" if report.settings.reason else said


def _facts(row: NodeRow) -> FactsView:
    facts = codec.decode_json(row.facts, NodeFacts)
    return FactsView(
        arch=facts.arch,
        runtime=facts.runtime,
        runtimes=list(facts.runtimes),
        cores=facts.cores,
        memory_bytes=facts.memory_bytes,
        release=facts.release,
    )


def _health(report: NodeReport | None) -> str:
    if report is None:
        return ""
    said = {text.partition(":")[0] for text in report.unwell.values()}
    return next((verdict for verdict in ("bad", "warn") if verdict in said), "ok")


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
        shares=dict(status.shares),
    )
