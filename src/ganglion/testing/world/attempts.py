"""What a machine does about its updates: the shipped table and rules decide; here time passes and things are stored.

`node.services.updates` is the same shell over real files and processes.
"""

from functools import partial

import msgspec

from ganglion.node.domain.sending import backoff
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.domain.update import probation, reconcile
from ganglion.node.domain.update.probation import Verdict
from ganglion.node.domain.update.reconcile import Installed, NodeState
from ganglion.node.domain.update.table import Update, UpdateEffect, UpdateEvent
from ganglion.node.services.update import desired_intake
from ganglion.node.services.update.effects import policy_of
from ganglion.node.services.update.telling import event as told
from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.disk import Part, PowerLost
from ganglion.testing.world.habits import counts_of_trial, seen_at
from ganglion.testing.world.hub import MODEL
from ganglion.testing.world.installs import installed_by, is_whole, look_every_s, steps_s
from ganglion.testing.world.machine import Machine
from ganglion.testing.world.witnesses import note_begin, note_commit, note_end, note_wish
from ganglion.wire.desired import DesiredState, UpdateState
from ganglion.wire.records import EventRecord

_RETRY = BackoffPolicy(first_s=5.0, max_s=300.0)
_HOLDING = frozenset({UpdateState.GATED, UpdateState.PROVEN, UpdateState.SHADOW, UpdateState.PROBATION})
_CHUNK_S = 600.0
_ROOM_FACTOR = 2


class Attempts:
    """The updates of one machine."""

    def __init__(self, device: Machine) -> None:
        self._device = device
        self._failures = 0
        self._since_s = 0.0
        self._requests = self._compared = 0
        self._step = 0
        self._chunk_s = 0.0
        """How long the download has gone on since it was last looked at."""
        self._taken_s = 0.0
        self._takes_s = steps_s(device.around.scenario.devices.install_s)

    # --- what others tell -------------------------------------------------------------------------

    def answered(self, version: str, requests: int) -> int:
        """Count answers of a version on trial; return how many of them the version before answered, too."""
        update = self._device.model.update
        if update is None or update.state is not UpdateState.PROBATION or update.assignment.version != version:
            return 0
        policy = policy_of(update, self._device.model)
        self._requests += requests
        before = self._compared
        self._compared = 0 if update.was_committed else int(self._requests * policy.compare_share)
        return self._compared - before

    def take(self, desired: DesiredState) -> bool:
        """Take a newer desired state in, and begin what it asks for."""
        device, state = self._device, self._device.disk.state
        if not self._is_newer(desired):
            return False
        before, after = reconcile.wanted(state.desired), reconcile.wanted(desired)
        note_wish(device, before.get(MODEL), after.get(MODEL))
        taken, events = desired_intake.taken(state, desired)
        self._save(taken, events)
        self._failures = 0
        note_begin(self._device, events)
        self._settle_serving()
        self._go_on()
        return True

    def resume(self) -> None:
        """Go on after a start of the agent."""
        self._chunk_s = 0.0
        for name, model in list(self._device.disk.state.models.items()):
            if model.update is not None:
                self._apply(name, model.update, model.update.after(UpdateEvent.RESTARTED))
        self.serving_came_back()

    def serving_came_back(self) -> None:
        """Notice that what was loaded is gone, and that a package on the disk may be damaged."""
        device = self._device
        if not device.serving_up:
            return
        for name, model in list(device.disk.state.models.items()):
            update = model.update
            if update and update.state in _HOLDING and update.instance != str(device.serving_starts):
                self._apply(name, update, update.after(UpdateEvent.SERVING_LOST))
        for name, model in list(device.disk.state.models.items()):
            if model.committed and not is_whole(device, model.committed) and model.spare:
                wish = reconcile.wanted(device.disk.state.desired).get(name)
                after = reconcile.lose_committed(model, wish)
                self._save(device.disk.state.with_model(name, after), [EventRecord("package.damaged", model=name)])
        self._settle_serving()
        self._go_on()

    # --- steps ------------------------------------------------------------------------------------

    def _go_on(self, delay_s: float | None = None) -> None:
        """Plan the next step; there is one at a time."""
        update = self._device.model.update
        if update is None:
            return
        self._step += 1
        look_s = look_every_s(self._device.around.scenario.probation_s)
        wait_s = self._takes_s.get(update.effect, look_s) if delay_s is None else delay_s
        self._device.plan(wait_s, partial(self._take_step, self._step))

    def _take_step(self, step: int) -> None:
        update = self._device.model.update
        if step != self._step or update is None or not self._device.serving_up:
            return
        match update.effect:
            case UpdateEffect.PRECHECK:
                room = self._device.free_bytes if not self._device.disk.full else 0
                fits = room >= _ROOM_FACTOR * update.assignment.size_bytes or self._has_package(update)
                self._done(update, UpdateEvent.PRECHECKED if fits else UpdateEvent.FAILED, "disk_unusable: no room")
            case UpdateEffect.TRUST:
                if (update.was_committed and self._has_package(update)) or self._device.gets_through():
                    self._done(update, UpdateEvent.TRUSTED)
                else:
                    self._wait()
            case UpdateEffect.DOWNLOAD:
                self._download(update)
            case UpdateEffect.LOAD:
                self._load(update)
            case UpdateEffect.PROVE:
                self._done(update, UpdateEvent.PROVED)
            case UpdateEffect.SWITCH:
                self._switch(update)
            case UpdateEffect.WATCH:
                self._watch(update)

    def _download(self, update: Update) -> None:
        device, wanted = self._device, update.assignment
        if self._has_package(update):
            self._done(update, UpdateEvent.DOWNLOADED)
            return
        if device.disk.full or not device.gets_through():
            self._wait()
            return
        part = device.disk.part
        if part is None or part.digest != wanted.sha256:
            part = device.disk.part = Part(wanted.sha256, spoiled=device.disk.spoils_next)
            device.disk.spoils_next = False
        speed = device.link.bytes_per_s(device.around.scenario.link.down_kbps)
        left = wanted.size_bytes - part.bytes_done
        # What the last wait has brought.
        if self._chunk_s:
            brought = min(left, speed * self._chunk_s)
            part.bytes_done += brought
            device.around.tally.down_bytes += brought
            left -= brought
        if left > 0.5:  # noqa: PLR2004 - half a byte of rounding
            self._chunk_s = min(_CHUNK_S, max(0.1, left / max(speed, 1.0)))
            self._go_on(self._chunk_s)
            return
        self._chunk_s = 0.0
        self._unpack(update, part)

    def _unpack(self, update: Update, part: Part) -> None:
        """Compare the whole with its digest; what is spoiled is brought again from the start."""
        disk = self._device.disk
        disk.part = None
        if part.spoiled and Bug.LENGTH_TRUSTED_ON_RESUME not in self._device.around.bugs:
            self._wait()
            return
        disk.packages[part.digest] = "torn" if part.spoiled else part.digest
        self._done(update, UpdateEvent.DOWNLOADED)

    def _load(self, update: Update) -> None:
        device = self._device
        if device.around.hub.habits[update.assignment.version].crashes_at_load:
            device.kill_serving()
            self._apply(MODEL, update, update.after(UpdateEvent.SERVING_LOST))
            return
        loaded = update.after(UpdateEvent.LOADED)
        self._apply(MODEL, update, msgspec.structs.replace(loaded, instance=str(device.serving_starts)))

    def _switch(self, update: Update) -> None:
        self._device.activate(MODEL, update.assignment.version, update.assignment.sha256)
        self._requests = self._compared = 0
        self._since_s = self._device.now_s
        self._done(update, UpdateEvent.SWITCHED)
        self._device.check_serving()

    def _watch(self, update: Update) -> None:
        device = self._device
        habit = seen_at(device.around.hub.habits[update.assignment.version], device.site)
        if habit.crashes and self._requests:
            device.kill_serving()
            return
        device.account()
        elapsed_s = device.now_s - self._since_s
        behaviour = counts_of_trial(habit, requests=self._requests, compared=self._compared, elapsed_s=elapsed_s)
        policy = policy_of(update, device.model)
        if Bug.COMMIT_WITHOUT_SOAK in device.around.bugs:
            policy = msgspec.structs.replace(policy, probation_s=0.0, inferences_min=0, comparisons_min=0)
        judgement = probation.judge(policy, behaviour, elapsed_s=elapsed_s)
        match judgement.verdict:
            case Verdict.WAIT:
                self._go_on()
            case Verdict.HEALTHY:
                note_commit(device, update, behaviour, elapsed_s)
                self._done(update, UpdateEvent.HEALTHY, judgement.reason)
            case Verdict.UNHEALTHY:
                self._done(update, UpdateEvent.FAILED, judgement.reason)

    def _done(self, update: Update, event: UpdateEvent, reason: str = "") -> None:
        self._failures = 0
        self._apply(MODEL, update, update.after(event, reason=reason if event is not UpdateEvent.PRECHECKED else ""))

    def _wait(self) -> None:
        self._failures += 1
        self._chunk_s = 0.0
        self._go_on(backoff.delay_s(_RETRY, self._failures, share=self._device.chance.share()))

    # --- storing ----------------------------------------------------------------------------------

    def _apply(self, name: str, before: Update, update: Update) -> None:
        device = self._device
        held = device.disk.state.models[name]
        assert held.update is before, "one step at a time"
        model, events = msgspec.structs.replace(held, update=update), []
        device.account()
        if update.state is UpdateState.PROBATION and before.state is not UpdateState.PROBATION:
            self._since_s = device.now_s
        if update.is_final:
            is_committed = update.state is UpdateState.COMMITTED
            events.append(told("update.committed" if is_committed else "update.rolled_back", update))
            if is_committed:
                model = reconcile.commit(model, installed_by(update))
            model = reconcile.settle(model)
            if Bug.RETRY_OF_A_FAILED_VERSION in device.around.bugs and not is_committed:
                model = reconcile.begin(msgspec.structs.replace(model, failed=None), update.assignment)
                note_begin(self._device, [told("update.offered", update)])
        self._save(device.disk.state.with_model(name, model), events, ended=update if update.is_final else None)
        if update.is_final:
            self._settle_serving()
            device.report_soon()
        self._go_on()

    def _save(self, state: NodeState, events: list[EventRecord], *, ended: Update | None = None) -> None:
        """Store the state and the events that tell of it in one step."""
        device, disk, bugs = self._device, self._device.disk, self._device.around.bugs
        loses, disk.loses = disk.loses, None
        if Bug.PUBLISH_BEFORE_SAVE in bugs and events:
            device.told_write = disk.write + 1
        if loses is True and Bug.TWO_WRITES not in bugs:
            raise PowerLost
        device.account()
        disk.state = state
        disk.write += 1
        if ended is not None:
            note_end(device, ended)
        if loses is True:
            raise PowerLost
        disk.records_write = disk.write
        for event in events:
            device.write_event(event, write=disk.write)
        if loses is False:
            raise PowerLost

    def _settle_serving(self) -> None:
        """Make serving and disk look like the stored state, as `node.services.alignment` does."""
        device = self._device
        if not device.serving_up:
            return
        kept: set[str] = set()
        for name, model in device.disk.state.models.items():
            update, committed = model.update, model.committed
            is_on_trial = update is not None and update.state is UpdateState.PROBATION
            kept |= {each.sha256 for each in (committed, model.spare) if each}
            kept |= {update.assignment.sha256} if update else set()
            if committed and not is_on_trial and device.active.get(name) != {committed.version}:
                self._fall_back(name, committed)
        for name in [name for name in device.active if name not in device.disk.state.models]:
            device.account()
            del device.active[name]
        device.disk.packages = {key: held for key, held in device.disk.packages.items() if key in kept}
        device.check_serving()

    def _fall_back(self, name: str, committed: Installed) -> None:
        device = self._device
        if Bug.NO_FALL_BACK in device.around.bugs and device.active.get(name):
            device.active.pop(name)
        elif committed.sha256 in device.loaded or is_whole(device, committed):
            keeps = Bug.TWO_ACTIVE_SLOTS in device.around.bugs
            device.activate(name, committed.version, committed.sha256, keeps=keeps)

    def _is_newer(self, desired: DesiredState) -> bool:
        if Bug.CLOCK_USED_FOR_ORDERING in self._device.around.bugs:
            shown_s, self._taken_s = self._taken_s, max(self._taken_s, self._device.wall_s)
            held = self._device.disk.state.desired
            return self._device.wall_s >= shown_s and held != desired
        return reconcile.is_newer(desired, self._device.disk.state.desired)

    def _has_package(self, update: Update) -> bool:
        digest = update.assignment.sha256
        return self._device.disk.packages.get(digest) == digest
