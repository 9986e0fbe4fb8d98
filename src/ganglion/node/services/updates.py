"""The shell around the update table: performs one effect at a time, stores the new state first, then acts.

State and the events that tell of it are stored in one transaction. Everything after that transaction
(switching back, replacing the start-up file, deleting packages) is done by `_align`, which compares
what is with what should be, so that a kill at any point only delays it.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
import msgspec
import structlog

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import GanglionError, ServingUnreachable, Unauthenticated, Unavailable
from ganglion.node.domain import backoff, probation, reconcile
from ganglion.node.domain.backoff import BackoffPolicy
from ganglion.node.domain.reconcile import ModelState, NodeState
from ganglion.node.domain.update import Update, UpdateEffect, UpdateEvent
from ganglion.node.services import update_effects
from ganglion.node.services.alignment import Alignment
from ganglion.node.services.update_effects import Outcome, UpdateEffects
from ganglion.ports.agent_store import AgentStore, NewRecord
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.serving_control import ServingControl, ServingStatus, Status
from ganglion.wire import codec
from ganglion.wire.messages import KNOWN_HERE, DesiredState, EventRecord, ModelStatus, RecordClass, UpdateState

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
        self._writing = anyio.Lock()
        """Held from reading the state to storing the next one: the hub's wish and an effect's end may come together."""
        self._busy: set[str] = set()

    async def resume(self) -> None:
        """Continue after a start of the agent: every attempt learns that time has passed without it."""
        for name, model in list(self.state.models.items()):
            if model.update is not None:
                await self._apply(name, model.update, model.update.after(UpdateEvent.RESTARTED))

    async def take(self, desired: DesiredState) -> bool:
        """Store a newer desired state and begin what it asks for. False when it is not newer."""
        async with self._writing:
            return await self._take(desired)

    async def _take(self, desired: DesiredState) -> bool:
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
        for notes in (self._failures, self._retry_at_s, self.reason_waiting):
            notes.clear()
        await self._save(NodeState(desired=desired, models=models), events)
        log.info("desired.taken", revision=desired.revision, models=len(desired.assignments))
        return True

    async def step(self) -> bool:
        """Bring every attempt one effect further. True when anything moved, so that more may be due at once."""
        moved = await self.keep_house()
        for name in self.claim_due():
            moved |= await self.drive(name)
        return moved

    async def keep_house(self) -> bool:
        """Notice a lost serving process, and make the world look like the stored state. True when anything moved."""
        status = await self._serving_status()
        if status is None:
            return False
        await self._note_lost_serving(status)
        moved = await self._alignment.align(self.state, status, busy=frozenset(self._busy))
        return moved | await self._give_up_damaged()

    def claim_due(self) -> list[str]:
        """Return the models whose attempt can go on now, and hold them for the caller, who drives each of them once."""
        now_s = self._clock.monotonic_s()
        due = [
            name
            for name, model in self.state.models.items()
            if model.update and name not in self._busy and now_s >= self._retry_at_s.get(name, 0.0)
        ]
        self._busy.update(due)
        return due

    async def drive(self, name: str) -> bool:
        """Bring a claimed model's attempt one effect further, and let the model go. True when it moved."""
        try:
            status = await self._serving_status()
            return status is not None and await self._step_model(name, status)
        finally:
            self._busy.discard(name)

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
                await self._apply(name, update, update.after(UpdateEvent.SERVING_LOST))

    async def _give_up_damaged(self) -> bool:
        """Let a committed version go that serving cannot load because its package on disk is damaged."""
        moved = False
        for name in sorted(self._alignment.unloadable & self.state.models.keys()):
            moved |= await self._give_up_if_damaged(name)
        return moved

    async def _give_up_if_damaged(self, name: str) -> bool:
        async with self._writing:
            model = self.state.models.get(name)
            lost = model.committed if model else None
            if model is None or lost is None or await _in_thread(partial(self._effects.is_intact, lost)):
                return False
            log.error("package.damaged", model=name, version=lost.version, path=lost.path)
            after = reconcile.lose_committed(model, reconcile.wanted(self.state.desired).get(name))
            spare = f"version {after.committed.version} answers" if after.committed else "no version is left to answer"
            events = [EventRecord(name="package.damaged", model=name, version=lost.version, reason=spare)]
            if after.update is not None and after.update is not model.update:
                events.append(_event("update.offered", after.update))
            await self._save(self.state.with_model(name, after), events)
            return True

    async def _step_model(self, name: str, status: ServingStatus) -> bool:
        model = self.state.models.get(name)
        if model is None or model.update is None:
            return False
        if model.update.effect is UpdateEffect.WATCH:
            return await self._watch(name, model, model.update, status)
        return await self._perform(name, model, model.update, status)

    async def _perform(self, name: str, model: ModelState, update: Update, status: ServingStatus) -> bool:
        try:
            outcome = await self._effects.perform(update, model, status)
        except ServingUnreachable as error:
            log.warning("update.serving_lost", model=name, state=update.state.value, reason=error.message)
            outcome = Outcome(UpdateEvent.SERVING_LOST)
        except (Unavailable, Unauthenticated) as error:
            # A node that the hub does not accept waits to be enrolled again: the version is not at fault.
            self._wait(name, error)
            return False
        except GanglionError as error:
            outcome = Outcome(UpdateEvent.FAILED, f"{error.code}: {error.message}")
        self._failures.pop(name, None)
        self.reason_waiting.pop(name, None)
        after = update.after(outcome.event, reason=outcome.reason)
        if outcome.event is UpdateEvent.LOADED:
            after = msgspec.structs.replace(after, instance=status.instance)
        return await self._apply(name, update, after)

    async def _watch(self, name: str, model: ModelState, update: Update, status: ServingStatus) -> bool:
        since_s = self._probation_since_s.setdefault(name, self._clock.monotonic_s())
        serving = status.models.get(name)
        if serving is None or serving.active != update.assignment.version:
            return False
        # A version that nobody has asked yet has behaved in no way at all, which a policy may find enough.
        behaviour = serving.behaviour.get(update.assignment.version, Behaviour())
        judgement = probation.judge(
            update_effects.policy_of(update, model),
            behaviour,
            elapsed_s=self._clock.monotonic_s() - since_s,
        )
        self.reason_waiting[name] = judgement.reason
        if judgement.verdict is probation.Verdict.WAIT:
            return False
        event = UpdateEvent.HEALTHY if judgement.verdict is probation.Verdict.HEALTHY else UpdateEvent.FAILED
        return await self._apply(name, update, update.after(event, reason=judgement.reason))

    async def _apply(self, name: str, before: Update, update: Update) -> bool:
        """Store an attempt's new state, and, when it has ended, what follows for the model.

        False when the attempt is not the present one any more: while its effect went on, the hub changed its mind.
        """
        async with self._writing:
            held = self.state.models.get(name)
            if held is None or held.update is not before:
                return False
            await self._store_attempt(name, held, update)
        return True

    async def _store_attempt(self, name: str, held: ModelState, update: Update) -> None:
        model = msgspec.structs.replace(held, update=update)
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

    def _wait(self, name: str, error: GanglionError) -> None:
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        self._retry_at_s[name] = self._clock.monotonic_s() + backoff.delay_s(
            self._retry, failures, share=self._chance.share()
        )
        self.reason_waiting[name] = f"{error.code}: {error.message}"
        log.warning("update.delayed", model=name, reason=error.message, failures=failures)


def _event(name: str, update: Update) -> EventRecord:
    assignment = update.assignment
    return EventRecord(
        name=name,
        model=assignment.model,
        version=assignment.version,
        rollout_id=assignment.rollout_id,
        reason=update.reason,
        facts={KNOWN_HERE: "yes"} if update.was_committed else {},
    )


def _shown_update(model: ModelState) -> tuple[str, str, str]:
    if model.update:
        return model.update.assignment.version, model.update.state.value, model.update.reason
    if model.failed:
        return model.failed.version, UpdateState.ROLLED_BACK.value, model.failed_reason
    return "", "", ""


async def _in_thread(work: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(work)
