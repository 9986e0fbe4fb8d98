"""The shell around the update table: performs one effect at a time, stores the new state first, then acts.

State and the events that tell of it are stored in one transaction. Everything after that transaction
(switching back, replacing the start-up file, deleting packages) is done by `_align`, which compares
what is with what should be, so that a kill at any point only delays it.
"""

from collections.abc import Callable
from typing import TypeVar

import anyio.to_thread
import msgspec
import structlog

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import GanglionError, Rejected, ServingUnreachable, Unavailable
from ganglion.node.domain import backoff, probation, reconcile
from ganglion.node.domain.backoff import BackoffPolicy
from ganglion.node.domain.reconcile import Installed, ModelState, NodeState
from ganglion.node.domain.update import Update, UpdateEffect, UpdateEvent
from ganglion.node.services import update_effects
from ganglion.node.services.alignment import Alignment
from ganglion.node.services.update_effects import Outcome, UpdateEffects
from ganglion.ports.agent_store import AgentStore, NewRecord
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.serving_control import ServingControl, ServingStatus, Status
from ganglion.wire import codec
from ganglion.wire.messages import DesiredState, EventRecord, ModelStatus, RecordClass, UpdateState

log = structlog.get_logger()
T = TypeVar("T")

_STATUS_TIMEOUT_S = 5.0
_HOLDING = frozenset({UpdateState.GATED, UpdateState.PROVEN, UpdateState.PROBATION})
"""States in which a certain serving process holds the version."""


class Updates:
    """Takes in desired states and drives every model's update to its end."""

    def __init__(
        self,
        *,
        store: AgentStore,
        control: ServingControl,
        effects: UpdateEffects,
        alignment: Alignment,
        clock: Clock,
        chance: Chance,
        state: NodeState,
        retry: BackoffPolicy,
    ) -> None:
        self._store, self._control = store, control
        self._effects, self._alignment = effects, alignment
        self._clock, self._chance, self._retry = clock, chance, retry
        self.state = state
        self._failures: dict[str, int] = {}
        self._retry_at_s: dict[str, float] = {}
        self._probation_since_s: dict[str, float] = {}
        self.reason_waiting: dict[str, str] = {}

    async def resume(self) -> None:
        """Continue after a start of the agent: every attempt learns that time has passed without it."""
        for name, model in self.state.models.items():
            if model.update is not None:
                await self._apply(name, model.update.after(UpdateEvent.RESTARTED))

    async def take(self, desired: DesiredState) -> bool:
        """Store a newer desired state and begin what it asks for. False when it is not newer."""
        if not reconcile.is_newer(desired, self.state.desired):
            return False
        wanted = reconcile.wanted(desired)
        models = dict(self.state.models)
        events: list[EventRecord] = []
        for name in sorted(wanted.keys() | models.keys()):
            before = models.get(name, ModelState())
            after = reconcile.begin(before, wanted.get(name))
            if after.update is not None and after.update is not before.update and not after.update.is_final:
                events.append(_event("update.offered", after.update))
            if after.update is not None and after.update.is_final:
                events.append(_event("update.rolled_back", after.update))
                # Withdrawn is not failed: the hub may want this version again.
                after = reconcile.begin(msgspec.structs.replace(before, update=None), wanted.get(name))
            if name not in wanted and after.update is None:
                models.pop(name, None)
                events.append(EventRecord(name="model.removed", model=name, reason="the hub wants it here no more"))
            else:
                models[name] = after
        self._failures.clear()
        self._retry_at_s.clear()
        await self._save(NodeState(desired=desired, models=models), events)
        return True

    async def step(self) -> bool:
        """Bring every attempt one effect further. True when anything moved, so that more may be due at once."""
        status = await self._serving_status()
        if status is None:
            return False
        await self._note_lost_serving(status)
        moved = await self._alignment.align(self.state, status)
        for name in list(self.state.models):
            moved |= await self._step_model(name, status)
        return moved

    def statuses(self, status: ServingStatus | None) -> tuple[ModelStatus, ...]:
        """Return what is true of each model now, for the report."""
        return tuple(
            ModelStatus(
                model=name,
                version=status.models[name].active if status and name in status.models else "",
                committed=model.committed.version if model.committed else "",
                update_version=_shown_update(model)[0],
                update_state=_shown_update(model)[1],
                reason=self.reason_waiting.get(name) or _shown_update(model)[2],
            )
            for name, model in sorted(self.state.models.items())
        )

    async def _serving_status(self) -> ServingStatus | None:
        try:
            reply = await self._control.call(Status(), timeout_s=_STATUS_TIMEOUT_S)
        except ServingUnreachable:
            return None
        return reply if isinstance(reply, ServingStatus) else None

    async def _note_lost_serving(self, status: ServingStatus) -> None:
        for name, model in list(self.state.models.items()):
            update = model.update
            if update and update.state in _HOLDING and update.instance != status.instance:
                await self._apply(name, update.after(UpdateEvent.SERVING_LOST))

    async def _step_model(self, name: str, status: ServingStatus) -> bool:
        model = self.state.models[name]
        if model.update is None or self._clock.monotonic_s() < self._retry_at_s.get(name, 0.0):
            return False
        if model.update.effect is UpdateEffect.WATCH:
            return await self._watch(name, model.update, status)
        return await self._perform(name, model, model.update, status)

    async def _perform(self, name: str, model: ModelState, update: Update, status: ServingStatus) -> bool:
        try:
            outcome = await self._effects.perform(update, model, status)
        except ServingUnreachable as error:
            log.warning("update.serving_lost", model=name, state=update.state.value, reason=error.message)
            outcome = Outcome(UpdateEvent.SERVING_LOST)
        except Unavailable as error:
            self._wait(name, error)
            return False
        except GanglionError as error:
            outcome = Outcome(UpdateEvent.FAILED, f"{error.code}: {error.message}")
        self._failures.pop(name, None)
        self.reason_waiting.pop(name, None)
        after = update.after(outcome.event, reason=outcome.reason)
        if outcome.event is UpdateEvent.LOADED:
            after = msgspec.structs.replace(after, instance=status.instance)
        await self._apply(name, after)
        return True

    async def _watch(self, name: str, update: Update, status: ServingStatus) -> bool:
        since_s = self._probation_since_s.setdefault(name, self._clock.monotonic_s())
        serving = status.models.get(name)
        if serving is None or serving.active != update.assignment.version:
            return False
        # A version that nobody has asked yet has behaved in no way at all, which a policy may find enough.
        behaviour = serving.behaviour.get(update.assignment.version, Behaviour())
        judgement = probation.judge(
            update_effects.policy_of(update, self.state.models[name]),
            behaviour,
            elapsed_s=self._clock.monotonic_s() - since_s,
        )
        self.reason_waiting[name] = judgement.reason
        if judgement.verdict is probation.Verdict.WAIT:
            return False
        event = UpdateEvent.HEALTHY if judgement.verdict is probation.Verdict.HEALTHY else UpdateEvent.FAILED
        await self._apply(name, update.after(event, reason=judgement.reason))
        return True

    async def _apply(self, name: str, update: Update) -> None:
        """Store an attempt's new state, and, when it has ended, what follows for the model."""
        model = msgspec.structs.replace(self.state.models[name], update=update)
        if update.state is not UpdateState.PROBATION or model.update is not update:
            self._probation_since_s.pop(name, None)
        events: list[EventRecord] = []
        if update.is_final:
            committed = update.state is UpdateState.COMMITTED
            events.append(_event("update.committed" if committed else "update.rolled_back", update))
            if committed:
                model = reconcile.commit(model, self._effects.installed(update))
            model = reconcile.settle(model)
            self.reason_waiting.pop(name, None)
        log.info(
            "update.moved",
            model=name,
            version=update.assignment.version,
            state=update.state.value,
            reason=update.reason,
        )
        await self._save(self.state.with_model(name, model), events)

    async def _save(self, state: NodeState, events: list[EventRecord]) -> None:
        at_ns = self._clock.utc_ns()
        records = [NewRecord(RecordClass.EVENT, at_ns, codec.encode_packed(event)) for event in events]
        await _in_thread(lambda: self._store.save(msgspec.msgpack.encode(state), records))
        self.state = state

    def _wait(self, name: str, error: Unavailable) -> None:
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        self._retry_at_s[name] = self._clock.monotonic_s() + backoff.delay_s(
            self._retry, failures, share=self._chance.share()
        )
        self.reason_waiting[name] = f"{error.code}: {error.message}"
        log.warning("update.delayed", model=name, reason=error.message, failures=failures)


def load_state(data: bytes | None) -> NodeState:
    """Return the stored state, or a new node's. Raises: Rejected: it cannot be read."""
    if data is None:
        return NodeState()
    try:
        return msgspec.msgpack.decode(data, type=NodeState)
    except msgspec.DecodeError as error:
        raise Rejected(f"the stored node state cannot be read: {error}") from error


def adopt(state: NodeState, known: dict[str, Installed]) -> NodeState:
    """Return `state` with the models of the start-up file as committed, for a node whose database was lost."""
    models = {name: ModelState(committed=installed) for name, installed in known.items()}
    return msgspec.structs.replace(state, models={**models, **state.models})


def _event(name: str, update: Update) -> EventRecord:
    assignment = update.assignment
    return EventRecord(
        name=name,
        model=assignment.model,
        version=assignment.version,
        rollout_id=assignment.rollout_id,
        reason=update.reason,
    )


def _shown_update(model: ModelState) -> tuple[str, str, str]:
    if model.update:
        return model.update.assignment.version, model.update.state.value, model.update.reason
    if model.failed:
        return model.failed.version, UpdateState.ROLLED_BACK.value, model.failed_reason
    return "", "", ""


async def _in_thread(work: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(work)
