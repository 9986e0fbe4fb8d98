"""What a machine says to its hub, and hears: polls, reports, batches. Whatever is lost is said again."""

from functools import partial

from ganglion.core.errors import DiskUnusable
from ganglion.core.identity_errors import NodeQuarantined, Unauthenticated
from ganglion.node.domain.sending import egress
from ganglion.node.domain.sending.egress import EgressSettings, Spent
from ganglion.node.services.update.telling import statuses
from ganglion.ports.clock import new_id
from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.disk import Disk
from ganglion.testing.world.hub import FACTS
from ganglion.testing.world.hub_door import TOKEN_S
from ganglion.testing.world.hub_records import HubKilled, RunBatch
from ganglion.testing.world.machine import Machine
from ganglion.testing.world.runs import Run
from ganglion.wire.desired import NodeReport

_REPORT_EVERY_S = 1800.0
_TIMEOUT_S = 60.0
_EPOCH_START_S = 1_700_000_000
_BATCH_S = 60.0
"""A batch is as large as the link carries in this time."""
_FREE = EgressSettings()
_MISNAMED = 0.05


class Calls:
    """The talk of one machine."""

    def __init__(self, device: Machine) -> None:
        self._device = device
        self._waits_until_s = -1.0
        self._reported_s = -_REPORT_EVERY_S
        self._report_due = False
        self._logged_in_s = -TOKEN_S
        self._spent = Spent()
        self._newest: RunBatch | None = None
        self._flush = 0
        self._is_out = False

    def start(self) -> None:
        """Begin to talk; an answer to an earlier start is not waited for."""
        self._waits_until_s = -1.0
        self._report_due = True
        self._flush += 1
        back_s = self._device.around.scenario.link.back_s
        self._device.plan(back_s * (0.1 + self._device.chance.share()), partial(self.flush, self._flush))

    def begin(self, phase: float) -> None:
        """Plan the first flush of all, at a share of the interval: a fleet does not talk all at once."""
        every_s = self._device.around.scenario.rates.flush_s
        self._flush += 1
        self._device.plan(phase * every_s, partial(self.flush, self._flush))

    def gets_through(self) -> bool:
        """Say whether the hub would answer now."""
        return self._device.link.carries and not self._device.around.hub.down

    def report_soon(self) -> None:
        """A change is reported at once."""
        self._report_due = True
        self._device.plan(0.3, self._report)

    def flush(self, number: int) -> None:
        """Send what waits, look whether something else is wanted, and plan the next time."""
        if number != self._flush:
            return
        device = self._device
        device.plan(device.around.scenario.rates.flush_s, partial(self.flush, number))
        device.account()
        device.check_serving()
        if not self.gets_through():
            return
        if device.around.hub.revision(device.node_id) != self._held():
            self.poll()
        if not device.works:
            return
        if self._report_due or device.now_s - self._reported_s >= _REPORT_EVERY_S:
            self._report()
        self._send()

    def poll(self) -> None:
        """Ask what is wanted."""
        device, hub = self._device, self._device.around.hub
        if not self.gets_through() or not self._is_admitted("a poll"):
            return
        desired = hub.wanted(device.node_id, holds=device.disk.state.desired)
        boot = device.boot

        def take() -> None:
            if boot == device.boot and device.works:
                device.guarded(lambda: self._took(device.take(desired)))

        device.link.carry(take)

    def _took(self, was_newer: bool) -> None:  # noqa: FBT001 - the answer of `take`
        if was_newer:
            self.report_soon()

    def _report(self) -> None:
        device, hub = self._device, self._device.around.hub
        if not self.gets_through() or not self._is_admitted("a report"):
            return
        state, outbox = device.disk.state, device.disk.outbox
        report = NodeReport(
            incarnation=state.desired.incarnation if state.desired else "",
            revision=state.desired.revision if state.desired else -1,
            models=statuses(state.models, None, {}),
            facts=FACTS,
            epoch=outbox.epoch,
            made=outbox.made,
            waiting=outbox.waiting,
            shed=outbox.shed,
        )
        self._report_due = False
        self._reported_s = device.now_s
        disk, write = device.disk, device.disk.write

        def arrive() -> None:
            if not hub.down:
                hub.take_report(device.node_id, report)
                device.note_told(disk, write)

        device.link.carry(arrive)

    # --- records ----------------------------------------------------------------------------------

    def _send(self) -> None:
        device, scenario = self._device, self._device.around.scenario
        if device.now_s < self._waits_until_s or device.disk.failing:
            return
        if scenario.link.egress != _FREE and self._egress_wait_s() > 0.0:
            return
        compression = max(scenario.rates.compression, 1e-3)
        speed = device.link.bytes_per_s(scenario.link.up_kbps)
        chosen = device.disk.outbox.oldest(max(speed * _BATCH_S / compression, 1.0))
        if not chosen or not self._is_admitted("a batch"):
            return
        outbox = device.disk.outbox
        batch = RunBatch(self._name(), outbox.epoch, tuple(self._stamped(chosen)), outbox.made, dict(outbox.shed))
        size_bytes = sum(run.bytes for run in chosen) * compression
        device.around.tally.up_bytes += size_bytes
        if scenario.link.egress != _FREE:
            self._spent = self._spent.after(now_s=_EPOCH_START_S + device.wall_s, size_bytes=int(size_bytes))
        self._newest = batch
        transfer_s = size_bytes / max(speed, 1.0)
        self._waits_until_s = device.now_s + transfer_s + _TIMEOUT_S
        device.link.carry(partial(self._arrive, batch, device.disk, device.boot, transfer_s))

    def _name(self) -> str:
        """Return the node that a batch is said to be of; the planted error believes what somebody wrote there."""
        device = self._device
        if Bug.NODE_ID_FROM_THE_BATCH in device.around.bugs and device.chance.share() < _MISNAMED:
            return next(iter(device.around.hub.control.tables.nodes))
        return device.node_id

    def _stamped(self, chosen: list[Run]) -> list[Run]:
        if Bug.STAMPED_WHEN_SENT in self._device.around.bugs:
            chosen = [run.behind(0) for run in chosen]
            for run in chosen:
                run.shown_s = self._device.now_s
        return chosen

    def _arrive(self, batch: RunBatch, disk: Disk, boot: int, transfer_s: float) -> None:
        """Let the hub take a batch in, and bring its answer."""
        device, hub = self._device, self._device.around.hub
        if hub.down:
            return
        tally = device.around.tally
        tally.worst_age_s = max(tally.worst_age_s, device.now_s - batch.runs[0].made_s)
        try:
            cursor, is_taken = hub.take_batch(batch)
        except (DiskUnusable, HubKilled):
            return
        device.note_told(disk, max((run.write for run in batch.runs if run.maker == device.maker), default=0))

        def hear() -> None:
            if boot == device.boot and device.works:
                device.guarded(partial(self._acknowledged, batch, cursor, is_taken, transfer_s))

        device.link.carry(hear)

    def _acknowledged(self, batch: RunBatch, cursor: int, is_taken: bool, transfer_s: float) -> None:  # noqa: FBT001 - the hub's answer
        device, outbox = self._device, self._device.disk.outbox
        # Nobody listens any more for the refusal of a batch that was sent again since.
        if batch.epoch != outbox.epoch or (is_taken and batch is not self._newest):
            return
        self._waits_until_s = -1.0
        keeps_epoch = Bug.DOUBLE_EPOCH in device.around.bugs
        if (is_taken or cursor > outbox.sent) and not keeps_epoch:
            device.around.tally.epochs_renewed += 1
            device.around.note(f"{device.name} begins a new epoch: the hub knows another past of it")
            outbox.renew(new_id(device.chance))
        else:
            # Of what was not in this batch nobody has compared anything: a copy's record may have the same number.
            outbox.forget(min(cursor, batch.runs[-1].last))
        if outbox.waiting:
            device.plan(max(transfer_s, 0.2), self._send_more)

    def _send_more(self) -> None:
        if self.gets_through():
            self._send()

    def _egress_wait_s(self) -> float:
        settings = self._device.around.scenario.link.egress
        return egress.wait_s(settings, self._spent, now_s=_EPOCH_START_S + self._device.wall_s)

    def _is_admitted(self, what: str) -> bool:
        device = self._device
        door = device.around.hub.door
        try:
            if device.now_s - self._logged_in_s >= TOKEN_S:
                door.log_in(device.node_id, image=device.image)
                self._logged_in_s = device.now_s
            door.let_through(device.node_id, at_s=device.now_s, logged_in_s=self._logged_in_s, what=what)
        except (Unauthenticated, NodeQuarantined) as error:
            if not self._is_out:
                device.around.note(f"{device.name} is turned away: {error.message}")
            self._is_out = True
            return False
        self._is_out = False
        return True

    def _held(self) -> tuple[str, int]:
        held = self._device.disk.state.desired
        return (held.incarnation, held.revision) if held else ("", -1)
