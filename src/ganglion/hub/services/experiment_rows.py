"""Experiments in the control database: reading, writing, and the audit trail of what is new in their history."""

from ganglion.core.errors import Conflict, NotFound
from ganglion.hub.domain.experiment import Experiment, ExperimentState
from ganglion.hub.services import audit
from ganglion.hub.services.audit import Deed
from ganglion.ports.clock import Clock
from ganglion.ports.hub_store import ControlTransaction, DocumentRow
from ganglion.wire import codec

KIND = "experiment"
EXPERIMENTS_MAX = 10_000


def load(tx: ControlTransaction, name: str) -> Experiment:
    """Return an experiment. Raises: NotFound."""
    row = tx.document(KIND, name)
    if row is None:
        raise NotFound(f"there is no experiment {name[:80]!r}")
    return decode(row)


def decode(row: DocumentRow) -> Experiment:
    """Return the document of a row."""
    return codec.decode_json(row.document, Experiment)


def every(tx: ControlTransaction) -> list[Experiment]:
    """Return every experiment, by name."""
    return [decode(row) for row in tx.documents(KIND)]


def running_of(tx: ControlTransaction, model: str) -> Experiment | None:
    """Return the experiment of a model that runs; there is at most one."""
    running = (each for each in every(tx) if each.state is ExperimentState.RUNNING)
    return next((each for each in running if each.request.model == model), None)


def check_none_running(tx: ControlTransaction, model: str) -> None:
    """Raises: Conflict: an experiment with this model runs, and nobody could say what its nodes should serve."""
    other = running_of(tx, model)
    if other is not None:
        raise Conflict(f"the experiment {other.request.name} with {model} is running; conclude or stop it first")


def store(tx: ControlTransaction, clock: Clock, before: Experiment | None, after: Experiment) -> None:
    """Insert or replace it, and write what is new in its history into the audit chain."""
    now_s = after.history[-1].at_s
    tx.put_document(DocumentRow(KIND, after.request.name, codec.encode_json(after), now_s))
    for entry in after.history[len(before.history) if before else 0 :]:
        facts = {"model": after.request.model, "arms": ", ".join(arm.version for arm in after.arms)}
        if after.winner:
            facts |= {"winner": after.winner, "rollout": after.rollout_id}
        deed = Deed(
            actor=entry.actor,
            action=f"experiment.{entry.event}",
            subject=after.request.name,
            reason=entry.reason,
            facts=facts,
        )
        audit.note(tx, clock, deed)
