"""The people of a world who compare versions: they declare experiments, start them, and stop or conclude them.

After every look of the hub the law of experiments hears what changed. Some planted errors sit here, too: what a worse
hub would have done with the same experiment.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

from ganglion.core.errors import Conflict
from ganglion.hub.domain.experiments.document import Experiment, ExperimentState
from ganglion.hub.services.rollouts import experiment_rows
from ganglion.ports.hub_store import AssignmentRow
from ganglion.testing.chance import SeededChance
from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.device import Device
from ganglion.testing.world.faults import Fault, FaultKind
from ganglion.testing.world.hub import MODEL
from ganglion.testing.world.rollout_watch import RolloutWatch
from ganglion.testing.world.scenario import BEHAVES
from ganglion.testing.world.surroundings import Surroundings
from ganglion.wire.experiment_resources import ArmRequest, ExperimentAction, ExperimentRequest

_ACTOR = "experimenter"
_AGAIN_S = 600.0
_SHORTEST_S, _LONGEST_S = 3600.0, 12 * 3600.0
_GOOD_SHARE = 0.5
_CHALLENGERS_MAX = 3
_HALF = 0.5
_PRIME = 7927
_NOTHING: Mapping[str, AssignmentRow] = {}


class Experimenters:
    """What they plan comes about as soon as it can; what somebody does follows from the fault that stands for it."""

    def __init__(self, around: Surroundings, watch: RolloutWatch, away: Callable[[], Collection[str]]) -> None:
        self._around, self._watch, self._away = around, watch, away
        self._seen: dict[str, ExperimentState] = {}
        self._started = 0
        self._given: dict[str, AssignmentRow] = {}
        """What the hub wanted of each node before its newest act."""

    def act(self, fault: Fault) -> None:
        """Start an experiment as soon as that can be, or end the one that runs, if there is one."""
        hub, agenda = self._around.hub, self._around.agenda
        is_over = agenda.now_s >= self._around.scenario.hours * 3600.0
        if not is_over and (hub.down or not self._acts(fault)):
            agenda.after(_AGAIN_S * (1.0 + fault.size), partial(self.act, fault))

    def tick(self) -> None:
        """Let the hub look at its experiments."""
        if self._around.hub.experiment_running():
            self._remember()
            self._around.hub.experiments.tick()
            if Bug.NODE_IN_TWO_ARMS in self._around.bugs:
                self._move_between_arms()
            self.look()

    def look(self, wanted: Mapping[str, AssignmentRow] = _NOTHING) -> None:
        """Tell the law and the timeline what has changed; `wanted` is what was wanted before one that just began."""
        around = self._around
        with around.hub.control.read() as tx:
            found = experiment_rows.every(tx)
        for experiment in found:
            before = self._seen.get(experiment.experiment_id)
            if not experiment.experiment_id or before is experiment.state:
                continue
            if before is None:
                around.laws.arms.started(
                    around.agenda.now_s,
                    experiment.experiment_id,
                    arms={arm.version: arm.node_ids for arm in experiment.arms},
                    challengers=[arm.version for arm in experiment.challengers],
                    wanted={node_id: row.version for node_id, row in wanted.items()},
                )
            if experiment.state is not ExperimentState.RUNNING:
                around.laws.arms.ended(experiment.experiment_id)
                self._spoil_end(experiment)
            self._seen[experiment.experiment_id] = experiment.state
            reason = f": {experiment.reason}" if experiment.reason else ""
            around.note(f"experiment {experiment.request.name} {experiment.state.value}{reason}")
        self._watch.look(around.agenda.now_s)

    def forget(self) -> None:
        """The hub was restored: every experiment is news, and nobody knows what its nodes had."""
        self._seen.clear()
        self._given.clear()

    def gave(self) -> set[str]:
        """Return the nodes to which an experiment gave what is wanted of them: its version, or what they had."""
        hub = self._around.hub
        with hub.control.read() as tx:
            ours = {experiment.experiment_id for experiment in experiment_rows.every(tx)} - {""}
            return {row.node_id for row in tx.assignments(model=MODEL) if row.rollout_id in ours}

    def judge(self, devices: Collection[Device]) -> None:
        """Let the law look at machines that can be reached and have had time, when all is quiet."""
        for device in devices:
            failed = device.model.failed
            self._around.laws.arms.rests(
                self._around.agenda.now_s, device.name, device.node_id, serves=device.serves,
                refused=failed.version if failed else "",
            )  # fmt: skip

    def _acts(self, fault: Fault) -> bool:
        """Return whether it came about, or never will."""
        running = self._around.hub.experiment_running()
        try:
            if fault.kind is FaultKind.EXPERIMENT:
                return not running and not self._watch.open_rollouts() and self._start(fault)
            if running:
                self._end(fault, running)
        except Conflict as error:
            self._around.note(f"no experiment: {error.message}")
        return True

    def _start(self, fault: Fault) -> bool:
        around, chance = self._around, SeededChance(_seed_of(fault, self._around.seed))
        self._started += 1
        wanted = [row.version for row in around.hub.control.tables.assignments.values() if row.model == MODEL]
        control, _ = Counter(wanted).most_common(1)[0]
        count = 1 + int(chance.share() * _CHALLENGERS_MAX)
        versions = [f"x{self._started}-{number + 1}" for number in range(count)]
        for version in versions:
            behaves = "good" if chance.share() < _GOOD_SHARE else BEHAVES[int(chance.share() * len(BEHAVES))]
            if not around.hub.is_released(version):
                around.hub.release(MODEL, version, around.scenario.model_bytes, behaves)
        request = ExperimentRequest(
            name=f"trial-{self._started}",
            model=MODEL,
            control=control,
            arms=[ArmRequest(version) for version in versions],
            length_s=_SHORTEST_S + chance.share() * (_LONGEST_S - _SHORTEST_S),
            probation=around.scenario.probation(),
        )
        self._remember()
        around.hub.experiments.create(request, actor=_ACTOR)
        around.hub.experiments.start(request.name, actor=_ACTOR)
        self.look(self._given)
        return True

    def _end(self, fault: Fault, name: str) -> None:
        hub = self._around.hub
        self._remember()
        if fault.size < _HALF:
            hub.experiments.stop(name, actor=_ACTOR, reason="somebody changed their mind")
        else:
            arms = hub.experiments.get(name).arms
            winner = arms[int((fault.size - _HALF) / _HALF * len(arms))].version
            hub.experiments.conclude(name, ExperimentAction(reason="it is better", winner=winner), actor=_ACTOR)
        self.look()

    def _remember(self) -> None:
        rows = self._around.hub.control.tables.assignments
        self._given = {node_id: row for (node_id, model), row in rows.items() if model == MODEL}

    # --- planted errors -----------------------------------------------------------------------------

    def _spoil_end(self, experiment: Experiment) -> None:
        """Forget the nodes of challengers that are away."""
        if Bug.EXPERIMENT_FORGETS_THE_AWAY not in self._around.bugs:
            return
        tables, gone = self._around.hub.control.tables, self._away()
        for node_id in experiment.previous:
            had = self._given.get(node_id)
            if node_id in gone and had is not None and had.rollout_id == experiment.experiment_id:
                tables.assignments[node_id, MODEL] = had

    def _move_between_arms(self) -> None:
        """Give a node of one challenger the version of the next one."""
        hub = self._around.hub
        with hub.control.read() as tx:
            running = [each for each in experiment_rows.every(tx) if each.state is ExperimentState.RUNNING]
        for experiment in running:
            first, *others = experiment.challengers
            if others and first.node_ids:
                node_id = first.node_ids[0]
                wish = hub.control.tables.assignments[node_id, MODEL]
                with hub.control.write() as tx:
                    hub.desired.assign(tx, replace(wish, version=others[0].version))


def _seed_of(fault: Fault, seed: int) -> int:
    """Return the seed of what one person does: leaving out another fault must not change it."""
    return (seed * _PRIME + round(fault.at_s * 10)) % 2**31
