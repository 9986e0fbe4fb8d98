"""Declares experiments, starts them, looks at them as time passes, and ends them. Every change is one transaction.

An experiment and an open rollout of the same model exclude each other: each of them looks for the other in the
transaction in which it starts.
"""

import builtins
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import structlog

from ganglion.core.errors import Conflict, GanglionError, InvalidRequest
from ganglion.core.transitions import IllegalTransition
from ganglion.hub.domain.declared.resources import request_of
from ganglion.hub.domain.experiments import document as documents
from ganglion.hub.domain.experiments import request as experiment_request
from ganglion.hub.domain.experiments import results as experiment_results
from ganglion.hub.domain.experiments.document import HUB, WHY_NOT, Experiment, ExperimentEvent, ExperimentState
from ganglion.hub.domain.fleet.specs import AssignmentSpec
from ganglion.hub.domain.rollouts.document import Cause, person
from ganglion.hub.services.declared import documents as declared_documents
from ganglion.hub.services.experiments import nodes as experiment_nodes
from ganglion.hub.services.experiments.views import view_of
from ganglion.hub.services.experiments.work import ExperimentWork
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.rollouts import experiment_rows
from ganglion.hub.services.rollouts.rollouts import Rollouts
from ganglion.hub.services.rollouts.views import Begun
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.wire.experiment_resources import ArmResult, ExperimentAction, ExperimentRequest, ExperimentView
from ganglion.wire.rollout_resources import RolloutRequest

log = structlog.get_logger()

LOOK_EVERY_S = 10.0
"""How often a running experiment is looked at."""
_REASON_MAX = 200


class Experiments:
    """The experiments of every model; at most one of a model runs. Safe to use from many threads."""

    def __init__(
        self,
        *,
        control: ControlStore,
        telemetry: TelemetryStore,
        desired: Desired,
        rollouts: Rollouts,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._control, self._desired, self._rollouts = control, desired, rollouts
        self._clock, self._chance = clock, chance
        self._work = ExperimentWork(control=control, telemetry=telemetry)
        self._due_at_s: dict[str, float] = {}

    def create(self, request: ExperimentRequest, *, actor: str) -> ExperimentView:
        """Declare an experiment, or declare a draft anew.

        Raises: InvalidName, InvalidRequest. Conflict: the name is that of one that was started or stopped.
        """
        experiment_request.check(request)
        draft = documents.drafted(request, experiment_request.shares_of(request), self._by(actor, ""))
        with self._control.write() as tx:
            known = tx.document(experiment_rows.KIND, request.name)
            before = experiment_rows.decode(known) if known else None
            if before is not None and before.state is not ExperimentState.DRAFT:
                raise Conflict(f"there was an experiment {request.name} already, and it is {before.state.value}")
            if known is None and len(tx.documents(experiment_rows.KIND)) >= experiment_rows.EXPERIMENTS_MAX:
                raise Conflict(f"{experiment_rows.EXPERIMENTS_MAX} experiments are kept, which is the limit")
            if before is None or before.request != request:
                experiment_rows.store(tx, self._clock, None, draft)
        return self.get(request.name)

    def start(self, name: str, *, actor: str, reason: str = "") -> ExperimentView:
        """Draw the arms over the nodes of now, and give the challengers' nodes their versions.

        Raises: NotFound, Conflict: it was ended, another experiment or a rollout of the model is open, or too few
        nodes can take part.
        """
        cause = self._by(actor, reason)
        with self._control.write() as tx:
            before = experiment_rows.load(tx, name)
            is_new = not documents.is_said_again(before, ExperimentEvent.START)
            touched = self._begin(tx, before, cause) if is_new else ()
        if is_new:
            self._tell(name, "started", touched, cause)
        return self.get(name)

    def stop(self, name: str, *, actor: str, reason: str = "") -> ExperimentView:
        """End it without a winner: every node has back what it had. Raises: NotFound, Conflict: a winner was named."""
        return self._end(name, ExperimentEvent.STOP, self._by(actor, reason))

    def conclude(self, name: str, action: ExperimentAction, *, actor: str) -> ExperimentView:
        """End it with a winner: nodes have back what they had, and a challenger that won is rolled out stage by stage.

        Raises: NotFound, InvalidRequest: no reason, or no such arm. Conflict: it does not run. As `Rollouts.start`.
        """
        if not action.reason.strip():
            raise InvalidRequest("a conclusion needs a reason")
        cause = self._by(actor, action.reason)
        return self._end(name, ExperimentEvent.CONCLUDE, cause, action)

    def get(self, name: str) -> ExperimentView:
        """Return one experiment with what its arms show. Raises: NotFound."""
        with self._control.read() as tx:
            experiment = experiment_rows.load(tx, name)
        return view_of(experiment, self._results(experiment))

    def model_of(self, name: str) -> str:
        """Return the model of an experiment. Raises: NotFound."""
        with self._control.read() as tx:
            return experiment_rows.load(tx, name).request.model

    def list(self) -> builtins.list[ExperimentView]:
        """Return every experiment by name; what the arms of running ones show is left to `get`."""
        with self._control.read() as tx:
            return [view_of(each, each.results) for each in experiment_rows.every(tx)]

    def tick(self) -> None:
        """End experiments whose time is over or whose guard demands it.

        Trouble with one does not hold up the others.
        """
        with self._control.read() as tx:
            running = experiment_rows.running(tx)
        for name in running:
            if self._clock.monotonic_s() < self._due_at_s.get(name, float("-inf")):
                continue
            self._due_at_s[name] = self._clock.monotonic_s() + LOOK_EVERY_S
            try:
                self._look(name)
            except GanglionError as error:
                log.warning("experiment.delayed", experiment=name, code=error.code, reason=error.message)
            except Exception:
                # An edge of its own: whatever is wrong with one experiment, the guards of the others must work.
                log.exception("experiment.look_failed", experiment=name)

    def _look(self, name: str) -> None:
        now_s = utc_s(self._clock)
        with self._control.read() as tx:
            seen = experiment_rows.load(tx, name)
        if seen.is_over(now_s):
            self._end(name, ExperimentEvent.STOP, self._by(HUB, "its time is over"))
        elif found := experiment_results.broken(seen.request.guard, self._work.gather(seen, now_s=now_s)):
            self._end(name, ExperimentEvent.STOP, self._by(HUB, found))

    def _begin(self, tx: ControlTransaction, before: Experiment, cause: Cause) -> Sequence[str]:
        if not documents.TRANSITIONS.allows(before.state, ExperimentEvent.START):
            raise Conflict(WHY_NOT[before.state])
        experiment_rows.check_none_running(tx, before.request.model)
        experiment_nodes.check_can_start(tx, before)
        cast = experiment_nodes.cast(tx, before)
        after = documents.began(
            before,
            cause,
            experiment_id=new_id(self._chance),
            members=cast.members,
            previous=cast.had,
            left_out=cast.left_out,
        )
        experiment_rows.store(tx, self._clock, before, after)
        return experiment_nodes.give(tx, self._desired, after)

    def _end(
        self, name: str, event: ExperimentEvent, cause: Cause, action: ExperimentAction | None = None
    ) -> ExperimentView:
        winner = action.winner if action else ""
        with self._control.read() as tx:
            seen = experiment_rows.load(tx, name)
        if documents.is_said_again(seen, event, winner=winner):
            return self.get(name)
        results = self._results(seen)
        with self._control.write() as tx:
            before = experiment_rows.load(tx, name)
            if before != seen:
                raise Conflict("somebody else has just changed the experiment; look at it again")
            after = _ended(before, event, cause, results=results, winner=winner)
            touched = experiment_nodes.give_back(tx, self._desired, after)
            begun = self._promote(tx, before, after, cause, action)
        self._work.forget(seen)
        self._due_at_s.pop(name, None)
        self._tell(name, after.state.value, touched, cause)
        if begun is not None:
            self._rollouts.tell(begun)
        return self.get(name)

    def _promote(
        self,
        tx: ControlTransaction,
        before: Experiment,
        after: Experiment,
        cause: Cause,
        action: ExperimentAction | None,
    ) -> Begun | None:
        """Store the end, and start the rollout of a challenger that won, all in this transaction."""
        request = after.request
        # The rollout looks whether an experiment runs: this one must have ended by then.
        experiment_rows.store(tx, self._clock, before, after)
        if action is None or after.winner in ("", request.control):
            return None
        wanted = _rollout_of_winner(tx, request, action)
        # Nodes that had it in the experiment know it, and commit without comparing: the others compare enough for all.
        enough = wanted.gate.compared_min
        begun = self._rollouts.start_within(tx, wanted, actor=cause.actor, comparisons_min=enough)
        experiment_rows.store(tx, self._clock, after, msgspec.structs.replace(after, rollout_id=begun.view.rollout_id))
        return begun

    def _results(self, experiment: Experiment) -> Sequence[ArmResult]:
        if experiment.state is not ExperimentState.RUNNING:
            return experiment.results
        arms = self._work.gather(experiment, now_s=utc_s(self._clock), with_labels=True)
        return experiment_results.results(experiment.request, arms)

    def _tell(self, name: str, moved_to: str, touched: Sequence[str], cause: Cause) -> None:
        """Wake the nodes and log what happened, after the commit."""
        self._desired.announce(touched)
        log.info("experiment.moved", to=moved_to, experiment=name, actor=cause.actor, reason=cause.reason)

    def _by(self, actor: str, reason: str) -> Cause:
        now_s = utc_s(self._clock)
        return Cause(now_s, actor, reason) if actor == HUB else person(now_s, actor, reason)


def _rollout_of_winner(tx: ControlTransaction, request: ExperimentRequest, action: ExperimentAction) -> RolloutRequest:
    """Return what brings the winner to whom the experiment was for. Raises: NotFound: there is no such policy."""
    reason = f"winner of the experiment {request.name}: {action.reason}"[:_REASON_MAX]
    meant = AssignmentSpec(model=request.model, version=action.winner, to=request.to, select=request.select)
    if action.policy:
        return request_of(meant, declared_documents.policy(tx, action.policy), reason=reason)
    return replace(request_of(meant, None, reason=reason), stages=list(action.stages), probation=request.probation)


def _ended(
    before: Experiment, event: ExperimentEvent, cause: Cause, *, results: Sequence[ArmResult], winner: str
) -> Experiment:
    versions = [arm.version for arm in before.arms]
    if event is ExperimentEvent.CONCLUDE and winner not in versions:
        raise InvalidRequest(f"the winner is one of the arms: {', '.join(versions)}")
    try:
        return documents.ended(before, event, cause, results=results, winner=winner)
    except IllegalTransition as error:
        raise Conflict(WHY_NOT[before.state]) from error
