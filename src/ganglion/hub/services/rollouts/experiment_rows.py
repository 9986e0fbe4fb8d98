"""Experiments in the control database: reading, writing, and the audit trail of what is new in their history."""

import msgspec

from ganglion.core.errors import Conflict, NotFound
from ganglion.hub.domain.experiments import modes as experiment_modes
from ganglion.hub.domain.experiments.document import Experiment, ExperimentState
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.ports.clock import Clock
from ganglion.ports.hub_store import ControlTransaction, DocumentRow
from ganglion.wire import codec

KIND = "experiment"
RUNNING = "running_experiment"
"""By model: the name of the experiment that runs. Looks are frequent, and the documents themselves may be large."""
EXPERIMENTS_MAX = 10_000


class _Runs(msgspec.Struct, frozen=True):
    """Which experiment runs with a model."""

    experiment: str


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


def running(tx: ControlTransaction) -> list[str]:
    """Return the names of the experiments that run."""
    return [codec.decode_json(row.document, _Runs).experiment for row in tx.documents(RUNNING)]


def check_none_running(tx: ControlTransaction, model: str) -> None:
    """Raises: Conflict: an experiment with this model runs, and nobody could say what its nodes should serve."""
    row = tx.document(RUNNING, model)
    if row is not None:
        name = codec.decode_json(row.document, _Runs).experiment
        raise Conflict(f"the experiment {name} with {model} is running; conclude or stop it first")


def store(tx: ControlTransaction, clock: Clock, before: Experiment | None, after: Experiment) -> None:
    """Insert or replace it, and write what is new in its history into the audit chain."""
    now_s = after.history[-1].at_s
    name, model = after.request.name, after.request.model
    tx.put_document(DocumentRow(KIND, name, codec.encode_json(after), now_s))
    if after.state is ExperimentState.RUNNING:
        tx.put_document(DocumentRow(RUNNING, model, codec.encode_json(_Runs(name)), now_s))
    elif before is not None and before.state is ExperimentState.RUNNING:
        tx.remove_document(RUNNING, model)
    for entry in after.history[len(before.history) if before else 0 :]:
        facts = {"model": model, "arms": ", ".join(arm.version for arm in after.arms)}
        if experiment_modes.is_inside(after.request):
            facts["mode"] = f"{after.request.mode}, {after.request.share:.1%}"
        if after.winner:
            facts["winner"] = after.winner
        deed = Deed(
            actor=entry.actor,
            action=f"experiment.{entry.event}",
            subject=name,
            reason=entry.reason,
            facts=facts,
        )
        audit.note(tx, clock, deed)
