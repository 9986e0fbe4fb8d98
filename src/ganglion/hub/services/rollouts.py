"""Starts rollouts, looks at the running ones, and lets people act on them.

A look gathers evidence outside any writing transaction and decides; the decision is stored only if the
rollout is still the one that was looked at, so an operator's word in between always wins. Everything
is in the database: a hub that was killed goes on where it was.
"""

import builtins
from collections.abc import Callable, Sequence

import msgspec
import structlog

from ganglion.core.errors import Conflict, GanglionError, NotFound, TargetMismatch
from ganglion.core.transitions import IllegalTransition
from ganglion.hub.domain import gate, lifecycle, rollout_request, stages
from ganglion.hub.domain import rollout as machine
from ganglion.hub.domain.rollout import Cause, Decision, HistoryEntry, Rollout, RolloutEvent
from ganglion.hub.domain.stages import Place, StageShare
from ganglion.hub.services import audit
from ganglion.hub.services.audit import Deed
from ganglion.hub.services.desired import Desired, choose_release
from ganglion.hub.services.rollout_effects import RolloutEffects
from ganglion.hub.services.rollout_evidence import RolloutEvidence
from ganglion.hub.services.rollout_views import view_of
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, NodeRow, RolloutRow
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.wire import codec
from ganglion.wire.rollout_resources import RolloutRequest, RolloutView

log = structlog.get_logger()

_NAMES_MAX = 5


class RolloutSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the hub looks at running rollouts."""

    verdict_every_s: float = 2.0
    """A verdict whose figures alone have changed is stored this often; a new answer is stored at once."""


class Rollouts:
    """The rollouts of every model; at most one of a model is open at a time."""

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
        self._evidence = RolloutEvidence(control=control, telemetry=telemetry)
        self._effects = RolloutEffects(desired=desired)
        self._settings = settings or RolloutSettings()

    def start(self, request: RolloutRequest, *, actor: str) -> RolloutView:
        """Start a rollout and give its first stage the version at once.

        Raises: NotFound: it was not released. TargetMismatch: nodes without a fitting variant.
        Conflict: no node to go to, or another rollout of the model is open. InvalidRequest.
        """
        rollout_request.check(request)
        shares = stages.parse(request.stages)
        rollout_id, now_s = new_id(self._chance), utc_s(self._clock)
        with self._control.write() as tx:
            draft = _draft(tx, request, shares, rollout_id, now_s)
            decision = machine.begin(draft, Cause(now_s, actor, f"{request.model}:{request.version}"))
            rollout, touched, view = self._carry_out(tx, decision)
        self._tell(rollout, touched)
        return view

    def tick(self) -> None:
        """Look at every open rollout once. Trouble with one does not keep the others waiting."""
        with self._control.read() as tx:
            rows = tx.rollouts(states=[state.value for state in machine.OPEN_STATES])
        for row in rows:
            try:
                self._look(row)
            except GanglionError as error:
                log.warning("rollout.delayed", rollout_id=row.rollout_id, code=error.code, reason=error.message)
            except Exception:
                # An edge of its own: whatever is wrong with one rollout, the brakes of the others must work.
                log.exception("rollout.look_failed", rollout_id=row.rollout_id)

    def get(self, rollout_id: str) -> RolloutView:
        """Return one rollout. Raises: NotFound."""
        with self._control.read() as tx:
            return view_of(_load(tx, rollout_id), _names(tx))

    def pause(self, rollout_id: str, *, actor: str, reason: str = "") -> RolloutView:
        """Hold the next stage back until `resume`. Raises: NotFound, Conflict: it has ended."""
        return self._act(
            rollout_id, lambda rollout: machine.handle(rollout, RolloutEvent.PAUSE, self._by(actor, reason))
        )

    def resume(self, rollout_id: str, *, actor: str, reason: str = "") -> RolloutView:
        """Let the gate decide again. Raises: NotFound, Conflict: it has ended."""
        return self._act(
            rollout_id, lambda rollout: machine.handle(rollout, RolloutEvent.RESUME, self._by(actor, reason))
        )

    def abort(self, rollout_id: str, *, actor: str, reason: str = "") -> RolloutView:
        """End it, and give every node its own previous version back. Raises: NotFound, Conflict: it is completed."""
        return self._act(
            rollout_id, lambda rollout: machine.handle(rollout, RolloutEvent.ABORT, self._by(actor, reason))
        )

    def promote(self, rollout_id: str, *, actor: str, reason: str = "", stage: int | None = None) -> RolloutView:
        """Go on to the next stage on a person's word instead of the gate's.

        With `stage`, only if that stage is the current one: a stage that was left already changes nothing.
        Raises: NotFound, Conflict: it is not running, or has not come to `stage`.
        """
        return self._act(rollout_id, lambda rollout: machine.promote(rollout, self._by(actor, reason), stage=stage))

    def list(self) -> builtins.list[RolloutView]:
        """Return every rollout, newest first."""
        with self._control.read() as tx:
            names = _names(tx)
            return [view_of(_decode(row), names) for row in tx.rollouts()]

    def _act(self, rollout_id: str, decide: Callable[[Rollout], Decision]) -> RolloutView:
        with self._control.write() as tx:
            before = _load(tx, rollout_id)
            try:
                decision = decide(before)
            except IllegalTransition as error:
                raise Conflict(f"the rollout is {before.state.value}: {error.event.value} is not possible") from error
            rollout, touched, view = self._carry_out(tx, decision)
        self._tell(rollout, touched)
        return view

    def _look(self, row: RolloutRow) -> None:
        seen, now_s = _decode(row), utc_s(self._clock)
        noted, evidence = self._evidence.gather(seen, now_s=now_s)
        decision = machine.judged(noted, gate.evaluate(seen.gate, evidence), now_s=now_s)
        if not self._is_worth_storing(seen, decision):
            return
        with self._control.write() as tx:
            if tx.rollout(row.rollout_id) != row:
                return
            rollout, touched, _ = self._carry_out(tx, decision)
        if decision.effect is not None:
            self._tell(rollout, touched)

    def _is_worth_storing(self, seen: Rollout, decision: Decision) -> bool:
        after = decision.rollout
        if decision.effect is not None or after.committed != seen.committed:
            return True
        if after.current.verdict != seen.current.verdict:
            return True
        # The wall clock may have jumped back; either way the stored figures are old.
        is_old = abs(after.updated_at_s - seen.updated_at_s) >= self._settings.verdict_every_s
        return is_old and after.current.verdict_reason != seen.current.verdict_reason

    def _carry_out(self, tx: ControlTransaction, decision: Decision) -> tuple[Rollout, Sequence[str], RolloutView]:
        stored = tx.rollout(decision.rollout.rollout_id)
        told = len(_decode(stored).history) if stored else 0
        rollout, touched = self._effects.carry_out(tx, decision)
        for entry in rollout.history[told:]:
            audit.note(tx, self._clock, _deed(rollout, entry))
        return rollout, touched, view_of(rollout, _names(tx))

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
        return Cause(utc_s(self._clock), actor, reason)


def _deed(rollout: Rollout, entry: HistoryEntry) -> Deed:
    facts = {"model": rollout.model, "version": rollout.version}
    return Deed(
        actor=entry.actor,
        action=f"rollout.{entry.event}",
        subject=rollout.rollout_id,
        reason=entry.reason,
        facts=facts,
    )


def _draft(
    tx: ControlTransaction, request: RolloutRequest, shares: Sequence[StageShare], rollout_id: str, now_s: float
) -> Rollout:
    _check_release(tx, request)
    for row in tx.rollouts(model=request.model, states=[state.value for state in machine.OPEN_STATES]):
        raise Conflict(f"the rollout {row.rollout_id} of {row.model}:{row.version} is still {row.state}")
    places = [Place(node.node_id, node.site) for node in _active_nodes(tx)]
    return Rollout(
        rollout_id=rollout_id,
        model=request.model,
        version=request.version,
        stages=machine.planned(stages.divide(rollout_id, shares, places)),
        gate=request.gate,
        policy=rollout_request.policy_of(request),
        created_at_s=now_s,
        updated_at_s=now_s,
    )


def _check_release(tx: ControlTransaction, request: RolloutRequest) -> None:
    releases = tx.releases(request.model, request.version)
    if not releases:
        raise NotFound(f"{request.model[:80]}:{request.version[:80]} was not released")
    nodes = _active_nodes(tx)
    if not nodes:
        raise Conflict("no active node is enrolled, so there is nothing to roll out to")
    misfits = [node.name for node in nodes if choose_release(releases, node) is None]
    if misfits:
        named = ", ".join(misfits[:_NAMES_MAX]) + (" and others" if len(misfits) > _NAMES_MAX else "")
        offered = ", ".join(sorted({f"{row.variant} ({row.runtime}, {row.arch})" for row in releases}))
        raise TargetMismatch(f"{len(misfits)} nodes fit none of the variants {offered}: {named}")


def _active_nodes(tx: ControlTransaction) -> Sequence[NodeRow]:
    return [node for node in tx.nodes() if lifecycle.takes_part(node)]


def _names(tx: ControlTransaction) -> dict[str, str]:
    return {node.node_id: node.name for node in tx.nodes()}


def _load(tx: ControlTransaction, rollout_id: str) -> Rollout:
    row = tx.rollout(rollout_id)
    if row is None:
        raise NotFound(f"no rollout has the id {rollout_id[:80]!r}")
    return _decode(row)


def _decode(row: RolloutRow) -> Rollout:
    return codec.decode_json(row.document, Rollout)
