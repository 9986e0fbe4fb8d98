"""Puts a world together and lets it run: a hub, machines, people and a plan of faults, on one clock, from one seed."""

from collections.abc import Sequence
from functools import partial

import msgspec

from ganglion.hub.domain.nodes.lifecycle import takes_part
from ganglion.testing.chance import SeededChance
from ganglion.testing.laws.every_law import Laws
from ganglion.testing.laws.intervals import Intervals
from ganglion.testing.world import scenario as scenarios
from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.clock import Agenda
from ganglion.testing.world.device import Device
from ganglion.testing.world.experimenters import Experimenters
from ganglion.testing.world.faults import Fault, by_kind, plan, rates_of
from ganglion.testing.world.hub import BESIDE, FIRST, MODEL, Hub
from ganglion.testing.world.injection import Injection, waiting_of
from ganglion.testing.world.link import BandwidthTrace
from ganglion.testing.world.operators import Operators, planned_releases
from ganglion.testing.world.outcome import Figures, Outcome, Reach, Sample, Verdict
from ganglion.testing.world.rollout_watch import RolloutWatch
from ganglion.testing.world.scenario import Scenario
from ganglion.testing.world.surroundings import Surroundings, Tally
from ganglion.wire.desired import NodeReport

_HOUR, _DAY = 3600.0, 86_400.0
_NOTES_MAX = 5000
_SAMPLES = 200
_BACKUP_S = 12 * _HOUR
_SMALL = 60
_BOUND_S = 2 * _HOUR
"""A wish that is newer than this, at the end, need not be fulfilled yet."""
_MOST = 0.9


class World:
    """One run. `faults` may be fewer than the seed's own plan: that is how a failing run is made short."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int,
        faults: tuple[Fault, ...] = (),
        bugs: frozenset[Bug] = frozenset(),
        traces: Sequence[BandwidthTrace] = (),
    ) -> None:
        scenarios.check(scenario)
        self.scenario, self.seed, self.faults = scenario, seed, faults
        self.agenda, self.laws, self.tally = Agenda(), Laws(), Tally()
        self.chance = SeededChance(seed)
        self.notes: list[str] = []
        self._notes_left_out = 0
        self._samples: list[Sample] = []
        self._wished_s: dict[str, float] = {}
        self._by_node: dict[str, list[Device]] = {}
        self.hub = Hub(agenda=self.agenda, seed=seed, laws=self.laws, bugs=bugs, wake=self._wake)
        self.around = Surroundings(
            scenario=scenario, agenda=self.agenda, hub=self.hub, laws=self.laws, bugs=bugs, seed=seed,
            limits=scenario.limits(),
            tally=self.tally, note=self.note,
        )  # fmt: skip
        self.watch = RolloutWatch(self.hub, self.laws, bugs, self.note)
        self.operators = Operators(self.around, self.watch)
        self.devices: list[Device] = []
        self.experimenters = Experimenters(self.around, self.watch, self._away)
        self.injection = Injection(
            self.around, devices=self.devices, watch=self.watch, operators=self.operators, clone=self.clone,
            experimenters=self.experimenters,
        )  # fmt: skip
        self.releases = planned_releases(scenario, self.chance.share())
        for model in (MODEL, BESIDE):
            self.hub.release(model, FIRST, scenario.model_bytes)
        self._settle_fleet(traces)

    def run(self) -> Outcome:
        """Let the scenario's time pass, and the calm after it; return what was seen."""
        end_s = self.scenario.hours * _HOUR
        self.injection.plan(self.faults)
        self.operators.plan(self.releases)
        for text in self.scenario.link.offline:
            first_h, last_h = scenarios.span_h(text)
            self.agenda.at(first_h * _HOUR, partial(self._darken, (last_h - first_h) * _HOUR))
        self._tick()
        self._sample()
        self._copy_hub()
        self.injection.look_at_quarantine()
        self.agenda.run_until(end_s)
        self.note("the faults are over")
        self.agenda.run_until(end_s + self.scenario.settle_h * _HOUR)
        self._judge_the_end()
        return self._outcome()

    def note(self, words: str) -> None:
        """Write a line of the timeline."""
        if len(self.notes) < _NOTES_MAX:
            self.notes.append(f"{self.agenda.now_s / _HOUR:9.3f} h  {words}")
        else:
            self._notes_left_out += 1

    def clone(self, device: Device) -> None:
        """Let another machine begin with a copy of this one's disk, and of its identity."""
        device.account()
        copy = Device(self.around, len(self.devices), device.node_id, f"{device.name}+", device.site)
        for run in device.disk.outbox.runs():
            self.laws.once.copied(run.maker, run.origin, run.count)
        copy.become_copy_of(device)
        copy.link.trace = device.link.trace
        self.note(f"a clone of {device.name} starts")
        self.devices.append(copy)
        self._by_node[device.node_id].append(copy)
        copy.calls.start()

    def _settle_fleet(self, traces: Sequence[BandwidthTrace]) -> None:
        count, sites = self.scenario.devices.nodes, self.scenario.devices.sites
        width = len(str(count - 1))
        for index in range(count):
            name, site = f"n{index:0{width}}", index * sites // count
            self.hub.enrol(f"id-{name}", name, f"site{site}")
            device = Device(self.around, index, f"id-{name}", name, site)
            device.install()
            if traces:
                device.link.trace = traces[index % len(traces)]
                device.link.offset_s = self.chance.share() * _DAY
            self.devices.append(device)
            self._by_node[device.node_id] = [device]
            device.calls.begin(self.chance.share())

    def _wake(self, node_ids: Sequence[str]) -> None:
        """Answer the long polls of these nodes."""
        for node_id in node_ids:
            self._wished_s[node_id] = self.agenda.now_s
            for device in self._by_node.get(node_id, ()):
                device.plan(0.2 + device.chance.share(), device.calls.poll)

    def _darken(self, for_s: float) -> None:
        self.note(f"no node has a link for {for_s / _HOUR:.0f} h")
        for device in self.devices:
            self.injection.darken(device, for_s)

    def _tick(self) -> None:
        every_s = self.scenario.hub_look_s or (60.0 if len(self.devices) <= _SMALL else 300.0)
        self.agenda.after(every_s, self._tick)
        if not self.hub.down and self.watch.open_rollouts():
            self.watch.tick(self.agenda.now_s, self._away)
        if not self.hub.down:
            self.experimenters.tick()

    def _away(self) -> set[str]:
        return {device.node_id for device in self.devices if not device.link.carries or not device.works}

    def _copy_hub(self) -> None:
        self.injection.copy_hub()
        self.agenda.after(_BACKUP_S, self._copy_hub)

    def _sample(self) -> None:
        versions: dict[str, int] = {}
        online = waiting = worst = 0
        for device in self.devices:
            versions[device.serves] = versions.get(device.serves, 0) + 1
            online += device.works and device.link.carries and not self.hub.down
            held = device.disk.outbox.held_bytes
            waiting, worst = waiting + held, max(worst, held)
        self._samples.append(Sample(self.agenda.now_s / _HOUR, online, dict(sorted(versions.items())), waiting, worst))
        self.agenda.after((self.scenario.hours + self.scenario.settle_h) * _HOUR / _SAMPLES, self._sample)

    # --- the end ----------------------------------------------------------------------------------

    def _judge_the_end(self) -> None:
        waiting: dict[int, Intervals] = {}
        for device in self.devices:
            device.account()
            for maker, numbers in waiting_of(device).items():
                held = waiting.setdefault(maker, Intervals())
                for first, end in numbers:
                    held.add(first, end - first)
            self._judge_device(device)
        for device in self.devices:
            held = waiting.get(device.maker, Intervals())
            self.laws.once.settled(self.agenda.now_s, device.maker, held)
        at_rest = [device for device in self.devices if self._is_at_rest(device)]
        by_experiments = self.experimenters.gave()
        self._judge_abort([device for device in at_rest if device.node_id not in by_experiments])
        self.experimenters.judge(at_rest)
        links, faults = self.hub.door.chain()
        self.laws.borders.written(self.agenda.now_s, links, faults=faults)

    def _judge_device(self, device: Device) -> None:
        now_s, outbox = self.agenda.now_s, device.disk.outbox
        if not device.is_copied:
            self.laws.once.counted(now_s, device.maker, said=outbox.shed_before + sum(outbox.shed.values()))
        row = self.hub.control.tables.nodes[device.node_id]
        if not self._is_at_rest(device):
            return
        assigned = self.hub.control.tables.assignments.get((device.node_id, MODEL))
        report = msgspec.json.decode(row.report, type=NodeReport) if row.report else None
        reports = next((each.committed for each in report.models if each.model == MODEL), "") if report else ""
        if len(self._by_node[device.node_id]) > 1:
            reports = device.serves
        failed = device.model.failed
        self.laws.converges.rests(
            now_s, device.name, wants=assigned.version if assigned else "", reports=reports,
            refused=failed.version if failed else "",
        )  # fmt: skip

    def _judge_abort(self, at_rest: Sequence[Device]) -> None:
        aborted = self.watch.newest_aborted()
        if aborted is None:
            return
        for device in at_rest:
            previous = aborted.previous.get(device.node_id)
            self.laws.previous.returned(
                self.agenda.now_s, aborted.rollout_id, device.name, serves=device.serves,
                meant=previous.version if previous else "",
                refused=device.model.failed.version if device.model.failed else "",
            )  # fmt: skip

    def _is_at_rest(self, device: Device) -> bool:
        """Say whether a machine can be reached, and had time for what was wanted of it last."""
        is_late = self.agenda.now_s - self._wished_s.get(device.node_id, 0.0) < _BOUND_S
        is_of_fleet = takes_part(self.hub.control.tables.nodes[device.node_id])
        return is_of_fleet and device.works and device.link.carries and not is_late

    def _outcome(self) -> Outcome:
        broken = self.laws.breaches
        return Outcome(
            title=self.scenario.title,
            seed=self.seed,
            nodes=self.scenario.devices.nodes,
            hours=self.scenario.hours,
            verdicts=tuple(
                Verdict(
                    law.number, law.sentence, law.looks, tuple(str(each) for each in broken if each.law == law.number)
                )
                for law in self.laws.judges
            ),
            figures=self._figures(),
            releases=tuple(self._reach(release.version, release.behaves, release.at_h) for release in self.releases),
            timeline=tuple(self.notes),
            samples=tuple(self._samples),
            timeline_left_out=self._notes_left_out,
        )

    def _figures(self) -> Figures:
        tally = self.tally
        first_shed_h = tally.first_shed_s / _HOUR if tally.first_shed_s is not None else None
        return Figures(
            updates=tally.updates,
            reverts=tally.reverts,
            made=dict(sorted(tally.made.items())),
            shed=dict(sorted(tally.shed.items())),
            stored=sum(stored.size for stored in self.laws.once.stored.values()),
            waiting=sum(device.disk.outbox.waiting for device in self.devices),
            up_bytes=int(tally.up_bytes),
            down_bytes=int(tally.down_bytes),
            outbox_peak_bytes=tally.outbox_peak_bytes,
            worst_age_h=round(tally.worst_age_s / _HOUR, 3),
            first_shed_h=first_shed_h,
            power_cuts=tally.power_cuts,
            restarts=tally.restarts,
            epochs_renewed=tally.epochs_renewed,
            hub_restorations=self.hub.restorations,
            faults=len(self.faults) + sum(device.link.injected for device in self.devices),
            faults_by_kind=by_kind(self.faults),
            forgotten=self.laws.once.forgotten,
        )

    def _reach(self, version: str, behaves: str, at_h: float) -> Reach:
        times = sorted(self.tally.reached.get(version, {}).values())
        count = self.scenario.devices.nodes
        most = int(_MOST * count)

        def hours(place: int) -> float | None:
            return round(times[place] / _HOUR - at_h, 6) if 0 <= place < len(times) else None

        return Reach(version, behaves, at_h, len(times), hours(0), hours(max(0, most - 1)), hours(count - 1))


def simulate(
    scenario: Scenario,
    *,
    seed: int,
    faults: str | tuple[Fault, ...] = "none",
    bugs: frozenset[Bug] = frozenset(),
    traces: Sequence[BandwidthTrace] = (),
) -> Outcome:
    """Run a scenario. `faults` is a level, rates per kind, or a plan. Raises: InvalidRequest, InvalidSettings."""
    planned = plan(scenario, rates_of(faults), seed) if isinstance(faults, str) else faults
    return World(scenario, seed=seed, faults=planned, bugs=bugs, traces=traces).run()
