"""Brings a plan of faults into a world, each at its time, and takes away what lasts for a while."""

from collections.abc import Callable
from functools import partial

from ganglion.testing.laws.intervals import Intervals
from ganglion.testing.world.device import Device
from ganglion.testing.world.disk import Disk
from ganglion.testing.world.experimenters import Experimenters
from ganglion.testing.world.faults import Fault, FaultKind
from ganglion.testing.world.hub import Backup
from ganglion.testing.world.hub_door import RELEASED
from ganglion.testing.world.installs import is_whole
from ganglion.testing.world.operators import Operators
from ganglion.testing.world.rollout_watch import RolloutWatch
from ganglion.testing.world.surroundings import Surroundings

_DAY_S = 86_400.0
_QUARANTINE_S = 3600.0
_1970_S = -1_700_000_000.0
_LINK_TROUBLE = {
    FaultKind.PARTITION: "down",
    FaultKind.HALF_OPEN: "half_open",
    FaultKind.LOSSY: "lossy",
    FaultKind.DUPLICATING: "duplicating",
    FaultKind.REORDERING: "reordering",
    FaultKind.DELAYED: "delayed",
    FaultKind.SLOW: "slow",
}
_EXPERIMENTERS = frozenset({FaultKind.EXPERIMENT, FaultKind.EXPERIMENT_ENDED})
_PEOPLE = frozenset(
    {FaultKind.PAUSE, FaultKind.RESUME, FaultKind.ABORT, FaultKind.PROMOTE, FaultKind.RETRY, FaultKind.SKIP}
)


class Injection:
    """See the module docstring."""

    def __init__(
        self,
        around: Surroundings,
        *,
        devices: list[Device],
        watch: RolloutWatch,
        operators: Operators,
        experimenters: Experimenters,
        clone: Callable[[Device], None],
    ) -> None:
        self._around, self._devices, self._watch, self._operators = around, devices, watch, operators
        self._experimenters, self._clone = experimenters, clone
        self._backups: list[Backup] = []

    def plan(self, faults: tuple[Fault, ...]) -> None:
        """Plan every fault."""
        for fault in faults:
            self._around.agenda.at(fault.at_s, partial(self._begin, fault))

    def copy_hub(self) -> None:
        """Take the hub's backup of the day; the two newest are kept."""
        if not self._around.hub.down:
            self._backups = [*self._backups[-1:], self._around.hub.backup()]

    def darken(self, device: Device, for_s: float) -> None:
        """Take the link of a device away for a while."""
        self._for_a_while(for_s, partial(_add, device.link, "down"), after=device.calls.start)

    def _begin(self, fault: Fault) -> None:
        around = self._around
        device = self._devices[fault.target % len(self._devices)]
        if fault.kind in _LINK_TROUBLE:
            name = _LINK_TROUBLE[fault.kind]
            self._for_a_while(fault.for_s, partial(_add, device.link, name), after=self._reconnect(device, name))
        elif fault.kind in _PEOPLE:
            self._operators.act(fault)
        elif fault.kind in _EXPERIMENTERS:
            self._experimenters.act(fault)
        elif fault.kind is FaultKind.SITE_DARK:
            around.note(f"site {fault.target} is dark for {fault.for_s / 3600:.1f} h")
            for each in self._devices:
                if each.site == fault.target:
                    self.darken(each, fault.for_s)
        elif fault.kind.value.startswith("hub"):
            self._trouble_hub(fault)
        else:
            self._trouble_device(fault, device)

    def _reconnect(self, device: Device, name: str) -> Callable[[], None]:
        return device.calls.start if name in ("down", "half_open") else _nothing

    def _trouble_device(self, fault: Fault, device: Device) -> None:
        match fault.kind:
            case FaultKind.AGENT_KILLED:
                device.kill_agent(fault.for_s)
            case FaultKind.SERVING_KILLED:
                device.kill_serving(fault.for_s)
            case FaultKind.POWER_CUT:
                device.cut_power(fault.for_s)
            case FaultKind.CLOCK_JUMPS:
                device.clock_error_s += (fault.size - 0.5) * 2 * _DAY_S
            case FaultKind.CLOCK_1970:
                device.clock_error_s = _1970_S
            case FaultKind.CLOCK_DRIFTS:
                device.clock_drift = (fault.size - 0.5) * 0.01
            case FaultKind.NODE_CLONED:
                self._clone(device)
            case FaultKind.REVOKE | FaultKind.RETIRE:
                self._put_out(device, fault.kind)
            case FaultKind.IMAGE_CHANGED:
                self._for_a_while(fault.for_s, partial(_change_image, device))
            case _:
                self._trouble_disk(fault, device)

    def _trouble_disk(self, fault: Fault, device: Device) -> None:
        disk = device.disk
        match fault.kind:
            case FaultKind.POWER_CUT_AT_WRITE:
                disk.loses = fault.size < 0.5  # noqa: PLR2004 - one or the other
            case FaultKind.DISK_FULL:
                self._for_a_while(fault.for_s, lambda step: _add(device.disk, "full", step))
            case FaultKind.DISK_ERRORS:
                self._for_a_while(fault.for_s, lambda step: _add(device.disk, "failing", step))
            case FaultKind.PACKAGE_DAMAGED:
                committed, spare = device.model.committed, device.model.spare
                # With every package on it damaged a disk is beyond what law 1 promises.
                if committed and spare and is_whole(device, spare):
                    disk.packages[committed.sha256] = "damaged"
            case FaultKind.DOWNLOAD_TORN:
                disk.spoils_next = True
            case FaultKind.NODE_PUT_BACK:
                device.account()
                self._around.agenda.after(fault.for_s, partial(self._put_back, device, disk.image()))
            case _:
                raise AssertionError(f"nobody knows how to bring about {fault.kind}")

    def look_at_quarantine(self) -> None:
        """People admit what waits in quarantine and is in order again, every hour."""
        hub = self._around.hub
        if not hub.down:
            odd = {device.node_id for device in self._devices if device.image != RELEASED}
            for node_id in hub.door.in_quarantine():
                if node_id not in odd:
                    hub.door.admit(node_id)
        self._around.agenda.after(_QUARANTINE_S, self.look_at_quarantine)

    def _put_out(self, device: Device, kind: FaultKind) -> None:
        hub = self._around.hub
        if hub.down:
            return
        if kind is FaultKind.REVOKE:
            self._around.note(f"{device.name} is revoked")
            hub.door.revoke(device.node_id)
        else:
            self._around.note(f"{device.name} is retired")
            hub.door.retire(device.node_id)

    def _trouble_hub(self, fault: Fault) -> None:
        hub = self._around.hub
        match fault.kind:
            case FaultKind.HUB_DOWN:
                self.stop_hub(fault.for_s)
            case FaultKind.HUB_KILLED_AT_COMMIT:
                hub.records.dies_at_commit = fault.size < 0.5  # noqa: PLR2004 - one or the other
                hub.killed = partial(self.stop_hub, max(fault.for_s, 1.0))
            case FaultKind.HUB_DISK_FULL:
                self._for_a_while(fault.for_s, partial(_add, hub.records, "disk_full"))
            case FaultKind.HUB_CLOCK_JUMPS:
                hub.clock.error_s += (fault.size - 0.5) * 7200.0
            case _:
                self._restore_hub(fault)

    def stop_hub(self, for_s: float) -> None:
        """Kill the hub; it comes back with what was stored."""
        hub = self._around.hub
        hub.down += 1

        def come_back() -> None:
            hub.down -= 1
            if not hub.down:
                hub.restart()

        self._around.agenda.after(for_s, come_back)

    def _restore_hub(self, fault: Fault) -> None:
        if not self._backups:
            return
        around = self._around
        forgotten = around.hub.restore(self._backups[0 if fault.size < 0.5 else -1])  # noqa: PLR2004 - older or newer
        self._watch.forget()
        self._experimenters.forget()
        around.note(f"the hub is restored from a backup and forgets {forgotten:,} records")
        self.stop_hub(max(fault.for_s, 1.0))

    def _put_back(self, device: Device, image: Disk) -> None:
        """Put an older copy back on a machine's disk: what came since and waits is lost with the disk."""
        if not device.powered:
            return
        device.account()
        waiting = waiting_of(device)
        kept: dict[int, Intervals] = {}
        for run in image.outbox.runs():
            kept.setdefault(run.maker, Intervals()).add(run.origin, run.count)
            self._around.laws.once.copied(run.maker, run.origin, run.count)
        for maker, numbers in waiting.items():
            for first, end in numbers.without(kept.get(maker, Intervals())):
                self._around.laws.once.unmade(maker, first, end - first)
        self._around.note(f"the disk of {device.name} is put back to an older day")
        device.put_back(image)

    def _for_a_while(
        self, for_s: float, change: Callable[[int], None], *, after: Callable[[], None] | None = None
    ) -> None:
        change(1)

        def end() -> None:
            change(-1)
            if after is not None:
                after()

        self._around.agenda.after(for_s, end)


def waiting_of(device: Device) -> dict[int, Intervals]:
    """Return by maker the records that a machine holds, in outbox and journal."""
    waiting: dict[int, Intervals] = {}
    for run in (*device.disk.outbox.runs(), *device.traffic.journal):
        waiting.setdefault(run.maker, Intervals()).add(run.origin, run.count)
    return waiting


def _add(thing: object, name: str, step: int) -> None:
    """Count a trouble in or out; two of a kind may overlap."""
    setattr(thing, name, max(0, getattr(thing, name) + step))


def _change_image(device: Device, step: int) -> None:
    device.image = "image-of-nobody" if step > 0 else RELEASED


def _nothing() -> None:
    """Do nothing when it is over."""
