"""Gathers what the arms of an experiment did: reports from the control database, counts from the telemetry."""

import threading
from collections.abc import Mapping, Sequence

from ganglion.hub.domain.experiments import modes as experiment_modes
from ganglion.hub.domain.experiments.document import Arm, Experiment
from ganglion.hub.domain.experiments.modes import Mode
from ganglion.hub.domain.experiments.results import ArmWork, NodeWork, beside
from ganglion.hub.services.evidence.counts import Counts
from ganglion.hub.services.experiments import labels as experiment_labels
from ganglion.hub.services.nodes.fleet import report_of
from ganglion.ports.hub_store import ControlStore, ControlTransaction, NodeRow
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.wire.desired import ModelStatus, UpdateState

NODES_COUNTED_MAX = 500
"""Nodes of an arm whose work is counted; of more, so many are taken, spread over classes and sites."""
NODES_NAMED_MAX = 200
_ONE_BY_ONE_MAX = 2000
_MINUTE_S = 60
_NOTHING = ModelStatus("", "", "")


class ExperimentWork:
    """Reads both stores; changes neither. Safe to use from many threads."""

    def __init__(self, *, control: ControlStore, telemetry: TelemetryStore) -> None:
        self._control, self._telemetry = control, telemetry
        self._counts: dict[tuple[str, str], Counts] = {}
        """By experiment id and version. They can be made anew at any time."""
        self._counting = threading.Lock()

    def gather(self, experiment: Experiment, *, now_s: float, with_labels: bool = False) -> list[ArmWork]:
        """Return what is known of each arm of an experiment that was started, the control first.

        What people said of answers is read `with_labels` only: no guard asks for it.
        """
        with self._control.read() as tx:
            rows = _rows(tx, experiment)
        arms = [self._arm(experiment, arm, rows, now_s=now_s) for arm in experiment.arms]
        if experiment_modes.is_inside(experiment.request):
            arms = beside(experiment.request.mode, *arms)
        if not with_labels:
            return arms
        return experiment_labels.with_scores(self._control, self._telemetry, experiment, arms, now_s=now_s)

    def forget(self, experiment: Experiment) -> None:
        """Drop what is kept between looks at an experiment that has ended."""
        with self._counting:
            for arm in experiment.arms:
                self._counts.pop((experiment.experiment_id, arm.version), None)

    def _arm(self, experiment: Experiment, arm: Arm, rows: Mapping[str, NodeRow], *, now_s: float) -> ArmWork:
        nodes = [rows[node_id] for node_id in arm.node_ids if node_id in rows]
        statuses = [_status(node, experiment.request.model) for node in nodes]
        return ArmWork(
            version=arm.version,
            share=arm.share,
            nodes=len(arm.node_ids),
            serving=sum(_has(each, arm.version, experiment) for each in statuses),
            rolled_back=0 if arm is experiment.control else sum(_went_back(each, arm.version) for each in statuses),
            work=self._counted(experiment, arm, nodes, now_s=now_s),
            node_names=sorted(node.name for node in nodes)[:NODES_NAMED_MAX],
        )

    def _counted(self, experiment: Experiment, arm: Arm, nodes: Sequence[NodeRow], *, now_s: float) -> list[NodeWork]:
        chosen = nodes[:: max(1, -(-len(nodes) // NODES_COUNTED_MAX))]
        classes = {node.node_id: node.node_class for node in chosen}
        key, since = (experiment.experiment_id, arm.version), int((experiment.started_at_s or 0.0) // _MINUTE_S)
        with self._counting, self._telemetry.read() as records:
            if key not in self._counts:
                self._counts[key] = Counts(model=experiment.request.model, version=arm.version, since_minute=since)
            found = self._counts[key].read(records, list(classes), minute=int(now_s // _MINUTE_S))
        return [NodeWork(classes[node_id], hours, node_id) for node_id, hours in sorted(found.items())]


def _rows(tx: ControlTransaction, experiment: Experiment) -> dict[str, NodeRow]:
    wanted = {node_id for arm in experiment.arms for node_id in arm.node_ids}
    if len(wanted) > _ONE_BY_ONE_MAX:
        return {row.node_id: row for row in tx.nodes() if row.node_id in wanted}
    return {node_id: row for node_id in wanted if (row := tx.node(node_id)) is not None}


def _status(node: NodeRow, model: str) -> ModelStatus:
    report = report_of(node)
    return next((each for each in report.models if each.model == model), _NOTHING) if report else _NOTHING


def _has(status: ModelStatus, version: str, experiment: Experiment) -> bool:
    """Say whether a node works with a version; a challenger beside its control is held on trial there."""
    if version == experiment.control.version or not experiment_modes.is_inside(experiment.request):
        return status.committed == version
    if experiment.request.mode == Mode.TRAFFIC:
        return version in status.shares
    return status.update_version == version and status.update_state == UpdateState.SHADOW


def _went_back(status: ModelStatus, version: str) -> bool:
    return status.update_version == version and status.update_state == UpdateState.ROLLED_BACK
