"""The shell around the update table: performs one effect at a time, stores the new state first, then acts.

State and the events that tell of it are stored in one transaction. Everything after that transaction
(switching back, replacing the start-up file, deleting packages) is done by `_align`, which compares
what is with what should be, so that a kill at any point only delays it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import anyio
import anyio.to_thread
import msgspec
import structlog

from ganglion.core.serving_errors import ServingUnreachable
from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.node.domain.orders import statements
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.domain.update import reconcile
from ganglion.node.domain.update.reconcile import ModelState, NodeState
from ganglion.node.domain.update.settings_trial import SettingsTrial
from ganglion.node.domain.update.table import Update, UpdateEvent
from ganglion.node.services.update import decision_chain, desired_intake, settings_trials, telling
from ganglion.node.services.update.alignment import Alignment
from ganglion.node.services.update.attempts import Around, Attempts
from ganglion.node.services.update.effects import UpdateEffects
from ganglion.node.services.update.install_times import InstallTimes
from ganglion.node.services.update.losses import Losses
from ganglion.node.services.update.refusals import Refusals, RefusedOrders
from ganglion.node.services.update.settings_trials import SettingsTrials
from ganglion.node.services.update.terms import Terms
from ganglion.node.services.update.trials import Trials
from ganglion.ports.agent_store import AgentStore, NewRecord
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.serving_control import ServingControl, ServingStatus, Status
from ganglion.trust.limits import BUILT_IN, InForce
from ganglion.wire import codec
from ganglion.wire.desired import Assignment, DesiredState, ModelStatus, UpdateState
from ganglion.wire.records import EventRecord, RecordClass

log = structlog.get_logger()

_STATUS_TIMEOUT_S = 5.0
_HOLDING = frozenset({UpdateState.GATED, UpdateState.PROVEN, UpdateState.SHADOW, UpdateState.PROBATION})
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
        times: InstallTimes | None = None,
    ) -> None:
        """`times` is left out by whoever knows one time zone only."""
        self._store, self._control = store, control
        self._effects, self._alignment, self._clock = effects, alignment, clock
        self.state = state
        times = times or InstallTimes(clock)
        self._attempts = Attempts(
            effects=effects,
            trials=Trials(control=control, clock=clock),
            times=times,
            clock=clock,
            chance=chance,
            retry=retry,
        )
        self._terms = Terms(clock, silent_s=state.silent_s)
        self._settings = SettingsTrials(clock, zone=times.zone)
        self.refused = ""
        """Why the newest desired state was not believed; empty when it was."""
        self.limits: Callable[[NodeState], InForce] = lambda _state: BUILT_IN
        """What a hub may ask of this node at most."""
        self._refusals = Refusals()
        self.refused_orders = RefusedOrders()
        """How many refused commands are told, here and by whoever carries orders out."""
        self._writing = anyio.Lock()
        """Held from reading the state to storing the next one: the hub's wish and an effect's end may come together."""
        self._busy: set[str] = set()
        self._losses = Losses(effects)

    async def resume(self) -> None:
        """Continue after a start of the agent: every attempt learns that time has passed without it."""
        await self._move_settings(self._settings.started)
        for name, model in list(self.state.models.items()):
            if model.update is not None:
                await self._apply(name, model.update, model.update.after(UpdateEvent.RESTARTED))

    async def take(self, desired: DesiredState) -> bool:
        """Store a newer desired state and begin what it asks for. False when it is not newer.

        Raises: ArtifactUntrusted: what is signed in it belongs to another state.
        """
        try:
            statements.check_present(desired)
        except ArtifactUntrusted as error:
            await self.tell_refused(desired_intake.refused(desired, error.message))
            raise
        async with self._writing:
            return await self._take(desired)

    async def tell_refused(self, told: EventRecord) -> None:
        """Tell the hub once of each refusal, however often the same state arrives."""
        async with self._writing:
            events = self._refusals.told(told, self.refused, now_s=self._clock.monotonic_s())
            self.refused = told.reason
            if events:
                await self._save(self.state, events)

    async def remember(self, change: Callable[[NodeState], NodeState], events: Sequence[EventRecord] = ()) -> None:
        """Store a change of what the node remembers beside models, and the events that tell of it."""
        async with self._writing:
            after = change(self.state)
            if after is not self.state or events:
                await self._save(after, list(events))

    async def _take(self, desired: DesiredState) -> bool:
        if not reconcile.is_newer(desired, self.state.desired):
            return False
        state, found, refused = desired_intake.taken_within(self.state, desired, self.limits(self.state))
        now_s = self._clock.monotonic_s()
        events = self.refused_orders.bounded(found, now_s=now_s)
        if refused:
            events += self._refusals.told(refused, self.refused, now_s=now_s)
        self.refused = refused.reason if refused else ""
        if state.desired is self.state.desired:
            if events:
                await self._save(self.state, events)
            return False
        self._attempts.begin_anew()
        await self._save(state, events)
        log.info("desired.taken", revision=desired.revision, models=len(desired.assignments))
        return True

    def hurry(self) -> None:
        """Try again at once what waits after a failure."""
        self._attempts.hurry()

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
        withheld = frozenset(self._terms.over(self.state))
        busy = frozenset(self._busy)
        moved = await self._alignment.align(self.state, status, busy=busy, withheld=withheld)
        async with self._writing:
            await self._alignment.clean(self.state, busy=busy)
        moved |= await self._give_up_lost()
        refused = self._alignment.settings_refused
        moved |= await self._move_settings(partial(self._settings.looked, instance=status.instance, refused=refused))
        # Last: a disk that takes no write must not keep the rest from being put in order.
        await self._keep_silence()
        return moved

    def claim_due(self) -> list[str]:
        """Return the models whose attempt can go on now, and hold them for the caller, who drives each of them once."""
        due = [
            name
            for name, model in self.state.models.items()
            if model.update and name not in self._busy and self._attempts.is_due(name)
        ]
        self._busy.update(due)
        return due

    async def drive(self, name: str) -> bool:
        """Bring a claimed model's attempt one effect further, and let the model go. True when it moved."""
        try:
            status = await self._serving_status()
            return status is not None and await self._drive(name, status)
        finally:
            self._busy.discard(name)

    @property
    def is_under_way(self) -> bool:
        """Say whether an attempt needs more than a look from time to time."""
        updates = (model.update for model in self.state.models.values())
        return any(update and update.state is not UpdateState.STAGED and not update.is_settled for update in updates)

    @property
    def reason_waiting(self) -> Mapping[str, str]:
        """Return by model what it waits for, or what its trial shows."""
        return self._attempts.reason_waiting

    def statuses(self, status: ServingStatus | None) -> tuple[ModelStatus, ...]:
        """Return what is true of each model now, for the report."""
        return telling.statuses(self.state.models, status, {**self.reason_waiting, **self._terms.over(self.state)})

    async def note_contact(self) -> None:
        """Remember that the hub was heard of just now: models with a signed term are served on."""
        async with self._writing:
            after = self._terms.heard(self.state)
            if after is not None:
                await self._save(after, [])
        await self._move_settings(self._settings.heard)

    async def _move_settings(self, look: Callable[[SettingsTrial], SettingsTrial]) -> bool:
        """Store what a look at the settings on trial has changed. True when it changed anything."""
        async with self._writing:
            before = self.state.settings
            after = look(before)
            if after == before:
                return False
            settled = msgspec.structs.replace(self.state, settings=after)
            await self._save(settled, settings_trials.told(before, after))
        told = after.report()
        log.info("settings.moved", state=told.state, revision=told.revision, starts=after.starts, reason=told.reason)
        return True

    async def _keep_silence(self) -> None:
        async with self._writing:
            after = self._terms.aged(self.state)
            if after is not None:
                await self._save(after, [])

    async def _drive(self, name: str, status: ServingStatus) -> bool:
        model = self.state.models.get(name)
        if model is None or model.update is None:
            return False
        before = model.update
        # Also of settings that failed: rather not at all than at an hour that nobody meant.
        newest = self.state.settings.wanted or self.state.settings.kept
        around = Around(
            others=self._other_attempts(name),
            is_wanted=lambda: self._is_present(name, before),
            time_zone=newest.agent.time_zone,
            term_over=self._terms.trial_over(self.state, name),
        )
        after = await self._attempts.after_next(name, model, status, around)
        return after is not None and await self._apply(name, before, after)

    def _other_attempts(self, name: str) -> tuple[Assignment, ...]:
        others = (model.update for other, model in self.state.models.items() if other != name)
        return tuple(update.assignment for update in others if update is not None)

    def _is_present(self, name: str, update: Update) -> bool:
        held = self.state.models.get(name)
        return held is not None and held.update is update

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

    async def _give_up_lost(self) -> bool:
        """Let a committed version go that serving cannot load."""
        moved = False
        for name, code in sorted(self._alignment.unloadable.items()):
            async with self._writing:
                found = await self._losses.look(self.state, name, code)
                if found is not None:
                    await self._save(*found)
                    moved = True
        return moved

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
        self._attempts.moved(name)
        events: list[EventRecord] = []
        if update.is_final:
            committed = update.state is UpdateState.COMMITTED
            events.append(telling.event("update.committed" if committed else "update.rolled_back", update))
            if committed:
                model = reconcile.commit(model, self._effects.installed(update))
            model = reconcile.settle(model)
            self._attempts.ended(name)
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
        state, links = decision_chain.chained(self.state, state, events, self._clock)
        records += links
        await anyio.to_thread.run_sync(lambda: self._store.save(msgspec.msgpack.encode(state), records))
        self.state = state
