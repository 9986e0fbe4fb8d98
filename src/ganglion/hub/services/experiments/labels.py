"""What people said of the answers of an experiment's arms."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ganglion.hub.domain.experiments.accuracy import NOTHING, NodeScores, Score
from ganglion.hub.domain.experiments.document import Arm, Experiment
from ganglion.hub.domain.experiments.results import ArmWork
from ganglion.hub.services.evidence.counts import HOURS_APART
from ganglion.hub.services.samples.labelled_answers import labelled
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.telemetry_store import TelemetryStore

_HOUR_NS = 3600 * 10**9
_HOUR_S = 3600.0


def with_scores(
    control: ControlStore, telemetry: TelemetryStore, experiment: Experiment, arms: Sequence[ArmWork], *, now_s: float
) -> list[ArmWork]:
    """Return the arms of an experiment that was started with what people said of their answers."""
    found = labelled(control, telemetry, model=experiment.request.model, since_s=experiment.started_at_s or 0.0)
    by_place: dict[tuple[str, str], dict[int, Score]] = {}
    # Work of older hours is counted as that of one; so are labels, or they would lie in hours that nobody worked in.
    oldest = int(now_s // _HOUR_S) - HOURS_APART + 1
    for each in found:
        hours, hour = by_place.setdefault((each.node_id, each.version), {}), max(oldest, each.at_ns // _HOUR_NS)
        hours[hour] = hours.get(hour, NOTHING) + Score(int(each.is_right), 1)
    with control.read() as tx:
        classes = {node_id: row.node_class for node_id, _ in by_place if (row := tx.node(node_id)) is not None}
    return [
        replace(work, scores=_scores(arm, by_place, classes)) for arm, work in zip(experiment.arms, arms, strict=True)
    ]


def _scores(
    arm: Arm, by_place: Mapping[tuple[str, str], Mapping[int, Score]], classes: Mapping[str, str]
) -> list[NodeScores]:
    return [
        NodeScores(classes[node_id], by_place[node_id, arm.version])
        for node_id in arm.node_ids
        if (node_id, arm.version) in by_place and node_id in classes
    ]
