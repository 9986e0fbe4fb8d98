"""Measures what `node.domain.health` judges."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import msgspec

from ganglion.adapters.agent_store.peek import Peeked, peek
from ganglion.adapters.control_socket import ControlClient, socket_path
from ganglion.adapters.free_memory import free_memory_bytes
from ganglion.adapters.kept_logs import LogQuery, LogReader
from ganglion.adapters.machine_figures import MachineFigures
from ganglion.adapters.shell_notice import notice_in
from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import DataCorrupt
from ganglion.core.serving_errors import ServingUnreachable
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.node.domain import health
from ganglion.node.domain.health import HealthFacts, HealthLimits, ModelFacts
from ganglion.node.domain.update.reconcile import ModelState, NodeState
from ganglion.node.services import stored_state
from ganglion.node.services.identity import load_identity
from ganglion.node.services.places import Places
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.serving_control import ModelServing, ServingStatus, Status
from ganglion.wire.diagnosis import HealthReport
from ganglion.wire.records import RecordClass

_STATUS_TIMEOUT_S = 5.0
_RESTARTS_WITHIN = timedelta(hours=1)
_RESTART_LINES_MAX = 100
_STARTED = "process.started"
_PROCESSES = 2
"""Agent and serving: a node that was started within the hour has started each once."""
_METADATA = ("timestamp.json", "snapshot.json", "targets.json")


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found on one node."""

    facts: HealthFacts
    state: NodeState
    peeked: Peeked | None
    status: ServingStatus | None
    machine: Mapping[str, float]


def examine(settings: NodeSettings, *, clock: Clock) -> Examination:
    """Look at disk, database, logs and serving process. What cannot be read is not known. Blocks for seconds."""
    places = Places(settings.data_path)
    machine = MachineFigures(settings.data_path).figures()
    peeked, state = _stored(places)
    status = serving_status(settings.data_path)
    oldest_ns = peeked.oldest_at_ns if peeked else None
    facts = HealthFacts(
        disk_free_bytes=machine.get("disk_free_bytes"),
        memory_free_bytes=free_memory_bytes(),
        temperature_c=machine.get("temperature_c"),
        outbox_bytes=peeked.waiting_bytes if peeked else None,
        outbox_bytes_max=settings.agent.outbox_bytes_max,
        oldest_waiting_s=max(utc_s(clock) - oldest_ns / 1e9, 0.0) if oldest_ns else None,
        shed=_by_class(peeked.shed) if peeked else {},
        metadata_left_s=_metadata_left_s(places.tuf_metadata, now_s=utc_s(clock)),
        serving=status is not None if state.models else None,
        models=_models(state, status),
        restarts=_restarts(places.logs, clock),
        shell=_open_shell(places.runs),
    )
    return Examination(facts, state, peeked, status, machine)


def health_report(settings: NodeSettings, *, clock: Clock) -> HealthReport:
    """Return how the node is. Raises: NotJoined, DataCorrupt: it has no readable identity."""
    name = load_identity(Places(settings.data_path).identity).name
    found = tuple(health.checks(examine(settings, clock=clock).facts, HealthLimits()))
    return HealthReport(node=name, at_s=utc_s(clock), verdict=health.worst(found), checks=found)


def serving_status(data: Path) -> ServingStatus | None:
    """Ask the serving process; None when there is none that answers. Not for a thread with an event loop."""
    ask = partial(ControlClient(socket_path(data)).call, Status(), timeout_s=_STATUS_TIMEOUT_S)
    with suppress(ServingUnreachable):
        reply = anyio.run(ask)
        return reply if isinstance(reply, ServingStatus) else None
    return None


def _stored(places: Places) -> tuple[Peeked | None, NodeState]:
    try:
        peeked = peek(places.database)
        return peeked, stored_state.load_state(peeked.state if peeked else None)
    except DataCorrupt:
        return None, NodeState()


def _open_shell(folder: Path) -> str:
    notice = notice_in(folder)
    if notice is None:
        return ""
    until = datetime.fromtimestamp(notice.until_s, UTC)
    return f"open by {notice.person} ({notice.role}) until {until:%H:%M:%S} UTC: {notice.reason}"


def _by_class(shed: Mapping[str, int]) -> dict[str, int]:
    known = {str(int(each)): each.name.lower() for each in RecordClass}
    return {known[number]: count for number, count in shed.items() if number in known}


def served_models(state: NodeState, status: ServingStatus | None) -> dict[str, ModelServing]:
    """Return what serving has, without the empty places of models that were withdrawn: nobody misses those."""
    served = status.models if status else {}
    return {name: each for name, each in served.items() if each.loaded or name in state.models}


def _models(state: NodeState, status: ServingStatus | None) -> dict[str, ModelFacts]:
    served = served_models(state, status)
    return {
        name: _model(state.models.get(name, ModelState()), served.get(name))
        for name in sorted(state.models.keys() | served.keys())
    }


def _model(stored: ModelState, serving: ModelServing | None) -> ModelFacts:
    active = serving.active if serving else ""
    behaviour = serving.behaviour.get(active, Behaviour()) if serving else Behaviour()
    failed = f"{stored.failed.version} was rolled back: {stored.failed_reason}" if stored.failed else ""
    committed = stored.committed.version if stored.committed else ""
    return ModelFacts(committed, active, behaviour.requests, behaviour.errors, failed)


def _metadata_left_s(folder: Path, *, now_s: float) -> float | None:
    left = [_expires_s(folder / name) for name in _METADATA]
    known = [each for each in left if each is not None]
    return min(known) - now_s if known else None


class _Signed(msgspec.Struct):
    expires: str


class _Metadata(msgspec.Struct):
    signed: _Signed


def _expires_s(file: Path) -> float | None:
    try:
        text = msgspec.json.decode(file.read_bytes(), type=_Metadata).signed.expires
        return datetime.fromisoformat(text).timestamp()
    except (OSError, ValueError, msgspec.DecodeError):
        return None


def _restarts(folder: Path, clock: Clock) -> int | None:
    since = datetime.fromtimestamp(utc_s(clock), UTC) - _RESTARTS_WITHIN
    query = LogQuery(since=since.strftime("%Y-%m-%dT%H:%M:%S"), text=_STARTED, lines_max=_RESTART_LINES_MAX)
    try:
        return max(len(LogReader(folder).read(query)) - _PROCESSES, 0) if folder.exists() else None
    except OSError:
        return None
