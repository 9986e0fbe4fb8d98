"""Looking at what nodes sent: results in the order they were made, events newest first."""

import math

import msgspec

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.ports.telemetry_store import EventRow, RecordRow, TelemetryStore
from ganglion.wire import codec
from ganglion.wire.records import RecordClass, ResultRecord
from ganglion.wire.resources import EventView, ResultView

_OUTPUT = "output"
"""A fact that is for who may ask for actions: `hub.services.orders` shows it."""
_UNREADABLE = "undecodable"
"""The error of a result whose payload could not be read: it is listed, so that counts and pages are whole."""


class TelemetryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the telemetry one question is answered with."""

    rows_max: int = 1000
    """Most results or events in one answer."""


class Telemetry:
    """Answers questions about stored records. Safe to use from many threads."""

    def __init__(
        self, *, control: ControlStore, telemetry: TelemetryStore, limits: TelemetryLimits | None = None
    ) -> None:
        self._control = control
        self._telemetry = telemetry
        self._limits = limits or TelemetryLimits()

    def results(self, node_name: str, *, after: tuple[str, int], limit: int) -> list[ResultView]:
        """Return a node's results by (epoch, seq), beginning after the pair given.

        Raises: NotFound: no such node. InvalidRequest: the limit is out of range.
        """
        self._check(limit)
        with self._control.read() as tx:
            node_id = _node_id(tx, node_name)
        with self._telemetry.read() as tx:
            rows = tx.records(node_id=node_id, record_class=RecordClass.RESULT, after=after, limit=limit)
        return [_result_view(node_name, row) for row in rows]

    def events(
        self, *, node_name: str | None = None, rollout_id: str | None = None, limit: int = 100
    ) -> list[EventView]:
        """Return events, newest first. Raises: NotFound: no such node. InvalidRequest: the limit is out of range."""
        self._check(limit)
        with self._control.read() as tx:
            node_id = None if node_name is None else _node_id(tx, node_name)
        with self._telemetry.read() as tx:
            rows = tx.events(node_id=node_id, rollout_id=rollout_id, limit=limit)
        with self._control.read() as tx:
            nodes = {node_id: tx.node(node_id) for node_id in {row.node_id for row in rows}}
        names = {node_id: node.name if node else node_id for node_id, node in nodes.items()}
        return [_event_view(names[row.node_id], row) for row in rows]

    def _check(self, limit: int) -> None:
        if not 1 <= limit <= self._limits.rows_max:
            raise InvalidRequest(f"limit lies between 1 and {self._limits.rows_max}, not at {limit}")


def _node_id(tx: ControlTransaction, name: str) -> str:
    node = tx.node_by_name(name)
    if node is None:
        raise NotFound(f"no node has the name {name[:80]!r}")
    return node.node_id


def _result_view(node: str, row: RecordRow) -> ResultView:
    result = _result_in(row)
    return ResultView(
        node=node,
        epoch=row.epoch,
        seq=row.seq,
        at_s=row.corrected_at_ns / 1e9,
        node_at_s=row.at_ns / 1e9,
        request_id=result.request_id,
        model=result.model,
        version=result.version,
        latency_us=result.latency_us,
        labels=list(result.labels),
        # JSON has no NaN.
        confidences=[share if math.isfinite(share) else 0.0 for share in result.confidences],
        error=result.error,
    )


def _result_in(row: RecordRow) -> ResultRecord:
    try:
        return codec.decode_packed(row.payload, ResultRecord)
    except InvalidRequest:
        return ResultRecord("", "", "", 0, (), (), error=_UNREADABLE)


def _event_view(node: str, row: EventRow) -> EventView:
    facts = msgspec.json.decode(row.facts, type=dict[str, str])
    return EventView(
        node=node,
        at_s=row.corrected_at_ns / 1e9,
        node_at_s=row.at_ns / 1e9,
        name=row.name,
        model=row.model,
        version=row.version,
        rollout_id=row.rollout_id,
        reason=row.reason,
        facts={name: value for name, value in facts.items() if name != _OUTPUT},
    )
