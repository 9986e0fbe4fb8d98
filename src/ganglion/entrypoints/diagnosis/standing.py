"""What a node is and has at this moment, read from its own directory: no network, and nothing is changed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ganglion.adapters.line_note import LineNote, is_running, line_note
from ganglion.entrypoints.diagnosis.findings import Examination, examine, served_models
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.node.domain import health
from ganglion.node.domain.health import HealthLimits
from ganglion.node.domain.update.reconcile import ModelState, NodeState, wanted
from ganglion.node.services.identity import NodeIdentity, load_identity
from ganglion.node.services.places import Places
from ganglion.ports.clock import Clock
from ganglion.ports.serving_control import ModelServing, ServingStatus
from ganglion.wire.diagnosis import HealthCheck, Verdict

_ERRNO = re.compile(r"\[Errno -?\d+\] ")
_RUNNING, _STOPPED = "running", "not running"


@dataclass(frozen=True, slots=True)
class ModelHere:
    """One model on this node."""

    model: str
    answers: str
    """The version that answers now, or the shares of several; empty: none does."""
    committed: str
    """What this node starts from."""
    wanted: str
    """What the hub wanted when it was last heard of."""
    update: str
    """The version under way, and how far it is."""
    reason: str
    """Why an update waits, or was taken back."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What `ganglion node status` tells."""

    name: str
    site: str
    hub: str
    agent: str
    serving: str
    address: str
    """Where programs ask this node; empty while serving does not run."""
    hub_heard_at_s: float | None
    """When the hub last answered; an agent that waits for news hears of it when there is some, or the wait is over."""
    hub_trouble: str
    """Why the hub does not answer."""
    health: str
    unwell: list[str]
    records_waiting: int | None
    """Records in the outbox; None: the database cannot be read, or was never written."""
    outbox_bytes: int | None
    oldest_at_s: float | None
    """When the oldest of them was made."""
    shed: dict[str, int]
    """Records that were given up, by class."""
    settings: str
    models: list[ModelHere]


class _Listening(msgspec.Struct, frozen=True):
    """What is needed of the file that serving writes."""

    host: str
    port: int
    tls_port: int = 0


def standing(settings: NodeSettings, *, clock: Clock) -> Standing:
    """Return how the node in the data directory stands. Raises: NotJoined, DataCorrupt: no readable identity."""
    places = Places(settings.data_path)
    identity = load_identity(places.identity)
    found = examine(settings, clock=clock)
    checks = [*health.checks(found.facts, HealthLimits()), *_database(places.database, found)]
    return _standing(identity, line_note(places.runs), found, checks, address=_address(places.listening))


def _standing(
    identity: NodeIdentity, note: LineNote | None, found: Examination, checks: list[HealthCheck], *, address: str
) -> Standing:
    state, peeked, runs = found.state, found.peeked, is_running(note)
    oldest_ns = peeked.oldest_at_ns if peeked else None
    trial = state.settings.report()
    return Standing(
        name=identity.name,
        site=identity.site,
        hub=identity.hub_url,
        agent=_RUNNING if runs else _STOPPED,
        serving=_RUNNING if found.status else _STOPPED,
        address=address if found.status else "",
        hub_heard_at_s=note.heard_at_s if note else None,
        hub_trouble=_ERRNO.sub("", note.trouble) if note and runs else "",
        health=health.worst(checks).value,
        unwell=[check.name for check in checks if check.verdict is not Verdict.OK],
        records_waiting=peeked.waiting if peeked else None,
        outbox_bytes=peeked.waiting_bytes if peeked else None,
        oldest_at_s=oldest_ns / 1e9 if oldest_ns else None,
        shed=dict(found.facts.shed),
        settings=f"revision {trial.revision}: {trial.state}" if trial.revision >= 0 else "",
        models=list(models_here(state, found.status)),
    )


def _database(file: Path, found: Examination) -> Iterator[HealthCheck]:
    if found.peeked is None and file.exists():
        yield HealthCheck("database", Verdict.BAD, f"{file} cannot be read")


def models_here(state: NodeState, status: ServingStatus | None) -> Iterator[ModelHere]:
    """Yield every model that is here, or wanted here, by name. `status` is None when serving does not answer."""
    served = served_models(state, status)
    wishes = wanted(state.desired)
    for name in sorted(state.models.keys() | served.keys() | wishes.keys()):
        model, wish = state.models.get(name, ModelState()), wishes.get(name)
        yield ModelHere(
            model=name,
            answers=_answering(served.get(name)),
            committed=model.committed.version if model.committed else "",
            wanted=wish.version if wish else "",
            update=f"{model.update.assignment.version}: {model.update.state}" if model.update else "",
            reason=_reason(model),
        )


def _answering(serving: ModelServing | None) -> str:
    if serving is None:
        return ""
    return "+".join(f"{version}={share:.0%}" for version, share in sorted(serving.weights.items())) or serving.active


def _reason(model: ModelState) -> str:
    if model.update is not None:
        return model.update.reason
    return f"{model.failed.version} was taken back: {model.failed_reason}" if model.failed else ""


def _address(file: Path) -> str:
    try:
        told = msgspec.json.decode(file.read_bytes(), type=_Listening)
    except (OSError, msgspec.DecodeError):
        return ""
    scheme, port = ("http", told.port) if told.port else ("https", told.tls_port)
    host = f"[{told.host}]" if ":" in told.host else told.host
    return f"{scheme}://{host}:{port}" if port else ""
