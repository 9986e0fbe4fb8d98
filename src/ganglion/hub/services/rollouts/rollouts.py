"""Starts rollouts, plans them, and lets people act on them; the clock's part is `rollouts.looks`.

Everything is in the database: a hub that was killed goes on where it was.
"""

import builtins
from collections.abc import Callable, Iterable, Sequence

import msgspec
import structlog

from ganglion.core.errors import Conflict, InvalidRequest
from ganglion.core.transitions import IllegalTransition
from ganglion.hub.domain.nodes import lifecycle
from ganglion.hub.domain.rollouts import document as documents
from ganglion.hub.domain.rollouts import machine, orders, stages, turns
from ganglion.hub.domain.rollouts import parts as rollout_parts
from ganglion.hub.domain.rollouts import request as rollout_request
from ganglion.hub.domain.rollouts.document import Cause, Rollout, RolloutState
from ganglion.hub.domain.rollouts.machine import Decision
from ganglion.hub.domain.rollouts.table import OPEN_STATES, RolloutEvent
from ganglion.hub.services.evidence.gathering import RolloutEvidence
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.rollouts import experiment_rows
from ganglion.hub.services.rollouts import planning as rollout_planning
from ganglion.hub.services.rollouts import plans as rollout_plans
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.hub.services.rollouts.effects import RolloutEffects
from ganglion.hub.services.rollouts.looks import RolloutLooks, carried_out
from ganglion.hub.services.rollouts.returns import Returns
from ganglion.hub.services.rollouts.reverts import RolloutReverts
from ganglion.hub.services.rollouts.views import Begun, shown_ids, view_of
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, RolloutRow
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.wire.rollout_resources import RolloutPlan, RolloutRequest, RolloutView

log = structlog.get_logger()

NAMED_MAX = 1000
"""Nodes that each list of an answer to an order names."""


class RolloutSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the hub looks at rollouts."""

    verdict_every_s: float = 2.0
    """A verdict whose figures alone have changed is stored this often; a new answer is stored at once."""
    silent_after_s: float = 600.0
    """A node on its way back after an abort that says nothing for so long is called silent, and not returning."""
    late_every_s: float = 30.0
    """The longest pause between two looks at an aborted rollout on its way back."""


class Rollouts:
    """The rollouts of every model; at most one of a model has begun and not ended."""

    def __init__(
        self,
        *,
        control: ControlStore,
        telemetry: TelemetryStore,
        desired: Desired,
        clock: Clock,
        chance: Chance,
        settings: RolloutSettings | None = None,
    ) -> None:
        self._control, self._desired = control, desired
        self._clock, self._chance = clock, chance
        self._settings = settings or RolloutSettings()
        self._effects = RolloutEffects(desired=desired)
        self._looks = RolloutLooks(
            control=control,
            clock=clock,
            evidence=RolloutEvidence(control=control, telemetry=telemetry),
            effects=self._effects,
            verdict_every_s=self._settings.verdict_every_s,
        )
        self._returns = Returns(silent_after_s=self._settings.silent_after_s)
        self._reverts = RolloutReverts(
            control=control, clock=clock, returns=self._returns, late_every_s=self._settings.late_every_s
        )

    def plan(self, request: RolloutRequest, *, most: int | None = None) -> RolloutPlan:
        """Say who would get what, and when; store nothing. `most`: nodes named in each stage; None: all.

        Raises: NotFound, Conflict, InvalidRequest.
        """
        now_s = utc_s(self._clock)
        _check_request(request, now_s=now_s)
        with self._control.read() as tx:
            return rollout_plans.planned(tx, request, now_s=now_s, most=most)

    def reached(self, request: RolloutRequest) -> Sequence[str]:
        """Return the names of the nodes that a rollout would be for. Raises: NotFound, InvalidRequest."""
        rollout_request.check(request)
        with self._control.read() as tx:
            return [node.name for node in rollout_planning.targets(tx, rollout_request.terms_of(request))]

    def start(self, request: RolloutRequest, *, actor: str) -> RolloutView:
        """Start a rollout; unless it has to wait for something its first stage is given the version at once.

        Raises: NotFound: it was not released, or a group is missing. TargetMismatch: nodes without a fitting variant.
        Conflict: no node to go to, or another rollout or an experiment of the model is open. InvalidRequest.
        """
        with self._control.write() as tx:
            begun = self.start_within(tx, request, actor=actor)
        self.tell(begun)
        return begun.view

    def start_within(
        self, tx: ControlTransaction, request: RolloutRequest, *, actor: str, comparisons_min: int = 0
    ) -> Begun:
        """Start one in a transaction that does more; after its commit the caller hands the answer to `tell`.

        `comparisons_min`: of each node that can compare, where few can. Raises: as `start`.
        """
        rollout_id, now_s = new_id(self._chance), utc_s(self._clock)
        _check_request(request, now_s=now_s)
        cause = Cause(now_s, actor, _wish(request))
        draft = rollout_planning.drafted(tx, request, rollout_id=rollout_id, now_s=now_s)
        policy = msgspec.structs.replace(draft.policy, comparisons_min=comparisons_min)
        draft = msgspec.structs.replace(draft, policy=policy)
        experiment_rows.check_none_running(tx, request.model)
        _check_free(tx, draft, now_s=now_s)
        ordered = machine.ordered(draft, cause)
        decision = self._looks.settled(tx, ordered, cause, is_fresh=True)
        rollout, touched = carried_out(tx, self._clock, self._effects, None, decision)
        return Begun(self._view(tx, rollout, most=NAMED_MAX), rollout, touched)

    def tell(self, begun: Begun) -> None:
        """Wake the nodes of a rollout that was started, after the commit."""
        self._tell(begun.rollout, begun.touched)

    def tick(self) -> None:
        """Look at every open rollout once, and at aborted ones until everybody is back."""
        for rollout, touched in self._looks.tick():
            self._tell(rollout, touched)
        self._reverts.tick()

    def get(self, rollout_id: str, *, most: int | None = None) -> RolloutView:
        """Return one rollout; after an abort with the way back of each node. `most`: nodes in each list; None: all.

        Raises: NotFound.
        """
        with self._control.read() as tx:
            return self._view(tx, _shown(tx, rollout_rows.row_of(tx, rollout_id), most), most=most)

    def pause(self, rollout_id: str, *, actor: str, reason: str = "") -> RolloutView:
        """Hold the next stage back until `resume`. Raises: NotFound, Conflict: it has ended."""
        cause = self._by(actor, reason)
        return self._act(rollout_id, cause, lambda rollout: machine.handle(rollout, RolloutEvent.PAUSE, cause))

    def resume(self, rollout_id: str, *, actor: str, reason: str = "") -> RolloutView:
        """Let the gate decide again. Raises: NotFound, Conflict: it has ended."""
        cause = self._by(actor, reason)
        return self._act(rollout_id, cause, lambda rollout: machine.resumed(rollout, cause))

    def abort(self, rollout_id: str, *, actor: str, reason: str = "") -> RolloutView:
        """End it, and give every node its own previous version back. Raises: NotFound, Conflict: it is completed."""
        cause = self._by(actor, reason)
        return self._act(rollout_id, cause, lambda rollout: machine.handle(rollout, RolloutEvent.ABORT, cause))

    def promote(self, rollout_id: str, *, actor: str, reason: str = "", stage: int | None = None) -> RolloutView:
        """Go on to the next stage on a person's word instead of the gate's.

        With `stage`, only if that stage is the current one: a stage that was left already changes nothing.
        Raises: NotFound, Conflict: it is not running, has not come to `stage`, or the next one needs approvals.
        """
        cause = self._by(actor, reason)
        with self._control.read() as tx:
            is_delivered = not turns.undelivered(rollout_rows.load(tx, rollout_id))
            places = {} if is_delivered else rollout_planning.places_in_service(tx)

        def decide(rollout: Rollout) -> Decision:
            turn = turns.turn(rollout, places)
            return machine.promote(rollout, cause, stage=stage, left=len(turn.due) + len(turn.waiting))

        return self._act(rollout_id, cause, decide)

    def approve(self, rollout_id: str, *, actor: str, reason: str = "", stage: int | None = None) -> RolloutView:
        """Let a stage start, the next one if none is named. A person counts once, whoever started it never.

        Raises: NotFound, Forbidden, Conflict: it has ended, needs no approvals, or has no such stage.
        """
        cause = self._by(actor, reason)
        return self._act(rollout_id, cause, lambda rollout: orders.approve(rollout, cause, stage=stage))

    def skip(self, rollout_id: str, *, actor: str, reason: str = "") -> RolloutView:
        """Leave the nodes of the present stage behind that were given the version and tell nothing.

        Raises: NotFound, Conflict: it has ended or not begun, or no node of the stage has committed.
        """
        with self._control.read() as tx:
            seen = rollout_rows.load(tx, rollout_id)
            names = tx.names_of(turns.in_the_air(seen))
        is_open = seen.has_begun and seen.state in OPEN_STATES
        told = self._looks.told(seen)[0] if is_open else seen
        cause = self._by(actor, reason)

        def decide(rollout: Rollout) -> Decision:
            known = documents.with_committed(rollout, told.committed, now_s=cause.at_s)
            known = documents.with_rolled_back(known, told.rolled_back, now_s=cause.at_s)
            waited_for = set(turns.in_the_air(known)).intersection(known.current.node_ids)
            return orders.skip(known, cause, names={each: names.get(each, each) for each in waited_for})

        return self._act(rollout_id, cause, decide)

    def retry(self, rollout_id: str, *, actor: str, reason: str = "") -> RolloutView:
        """Give the version anew to nodes of the stages so far that went back or never told.

        Raises: NotFound, Conflict: it has ended or not begun.
        """
        cause = self._by(actor, reason)
        with self._control.read() as tx:
            seen = rollout_rows.load(tx, rollout_id)
            rows = tx.nodes_of([node_id for node_id in seen.previous if node_id not in seen.committed])
            names = {row.node_id: row.name for row in rows if lifecycle.takes_part(row)}
        return self._act(rollout_id, cause, lambda rollout: orders.retry(rollout, cause, names=names))

    def list(self, *, most: int | None = None) -> builtins.list[RolloutView]:
        """Return every rollout, newest first. `most`: nodes in each list; None: all."""
        with self._control.read() as tx:
            is_short = most is not None and most <= rollout_parts.SHOWN_MAX
            found = tx.rollouts()
            rollouts = [rollout_rows.short(row) if is_short else rollout_rows.whole(tx, row) for row in found]
            shown = {node_id for each in rollouts for node_id in shown_ids(each, most)}
            names = _names_of(tx, shown, most=most)
            return [view_of(each, names, most=most) for each in rollouts]

    def _act(self, rollout_id: str, cause: Cause, decide: Callable[[Rollout], Decision]) -> RolloutView:
        with self._control.write() as tx:
            before = rollout_rows.load(tx, rollout_id)
            try:
                decision = decide(before)
            except IllegalTransition as error:
                raise Conflict(machine.why_not(error)) from error
            if decision.rollout is not before and not decision.rollout.has_begun:
                # What a person said may have been the last thing that it waited for.
                decision = self._looks.settled(tx, decision.rollout, cause, is_fresh=False)
            if decision.rollout is not before:
                rollout, touched = carried_out(tx, self._clock, self._effects, before, decision)
        if decision.rollout is not before:
            self._tell(rollout, touched)
        # To look at the way back of a large fleet takes long: whoever wants to write does not wait for it.
        return self.get(rollout_id, most=NAMED_MAX)

    def _view(self, tx: ControlTransaction, rollout: Rollout, *, most: int | None = None) -> RolloutView:
        ways = None
        if rollout.state is RolloutState.ABORTED and rollout.previous:
            ways = self._returns.shown(tx, rollout, now_s=utc_s(self._clock), most=most)
        is_queued = rollout.state is RolloutState.QUEUED
        place = len(rollout_planning.ahead_of(tx, rollout)) if is_queued else 0
        shown = shown_ids(rollout, most).union(ways.ways if ways else ())
        names = _names_of(tx, shown, most=most)
        return view_of(rollout, names, place=place, ways=ways, most=most)

    def _tell(self, rollout: Rollout, touched: Sequence[str]) -> None:
        """Wake the nodes and log what happened, after the commit."""
        self._desired.announce(touched)
        entry = rollout.history[-1]
        log.info(
            "rollout.moved",
            to=entry.event,
            rollout_id=rollout.rollout_id,
            model=rollout.model,
            version=rollout.version,
            actor=entry.actor,
            reason=entry.reason,
        )

    def _by(self, actor: str, reason: str) -> Cause:
        return documents.person(utc_s(self._clock), actor, reason)


def _check_request(request: RolloutRequest, *, now_s: float) -> None:
    """Raises: InvalidRequest: nobody could start it now."""
    rollout_request.check(request)
    stages.parse(request.stages)
    if request.deadline_at_s is not None and request.deadline_at_s <= now_s:
        raise InvalidRequest("the deadline is over already")


def _wish(request: RolloutRequest) -> str:
    """Return what the history says of a start."""
    name = f"{request.model}:{request.version}"
    urgent = f"{name}, as an emergency: no soak, no approvals" if request.emergency else name
    return f"{urgent}; {request.reason}" if request.reason else urgent


def _check_free(tx: ControlTransaction, draft: Rollout, *, now_s: float) -> None:
    """Raises: Conflict: another rollout is open, and this one is neither to wait for it nor to begin later."""
    is_later = draft.terms.starts_at_s is not None and draft.terms.starts_at_s > now_s
    if is_later or draft.terms.if_busy == "queue":
        return
    for other in rollout_planning.ahead_of(tx, draft):
        raise Conflict(
            f"the rollout {other.rollout_id} of {other.model}:{other.version} is still {other.state.value}; "
            "end it first, or let this one queue"
        )


def _names_of(tx: ControlTransaction, node_ids: Iterable[str], *, most: int | None) -> dict[str, str]:
    return tx.node_names() if most is None else tx.names_of([*node_ids])


def _shown(tx: ControlTransaction, row: RolloutRow, most: int | None) -> Rollout:
    """Return as much of a rollout as it takes to show so many of its nodes."""
    is_whole = most is None or most > rollout_parts.SHOWN_MAX or row.state == RolloutState.ABORTED.value
    return rollout_rows.whole(tx, row) if is_whole else rollout_rows.short(row)
