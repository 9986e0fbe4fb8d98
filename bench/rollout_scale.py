"""What a rollout to a hundred thousand nodes costs the hub, from its first stage until everybody is back again.

`python bench/rollout_scale.py` goes through the three stages without a network: the start of each, the hub's looks
while nodes commit, what people ask meanwhile, then an abort, and looks while nodes return. Questions take turns with
plain reads of the same rows by SQLite, which is as fast as it could be. Processor time is what counts; the wall clock
beside it shows what else the machine did. Prints a line per step and writes bench/results/rollout_scale.json.
"""

import argparse
import json
import os
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import msgspec
import structlog

import _big_fleet
import gate_scale
from ganglion.adapters.hub_store import open_control, open_telemetry
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.nodes.fleet import Fleet, report_of
from ganglion.hub.services.organisation.node_search import node_query
from ganglion.hub.services.rollouts.rollouts import Rollouts
from ganglion.wire import codec
from ganglion.wire.desired import ModelStatus

RESULTS = Path(__file__).parent / "results"
SHOWN = 200
NEWS = 170
"""Nodes that have something to tell between two looks."""
PAGE = "SELECT * FROM nodes WHERE name > 'n0' ORDER BY name LIMIT 100"
SHOW = "SELECT * FROM rollouts"


@dataclass(slots=True)
class Steps:
    """Times in milliseconds by step: processor and wall."""

    cpu_ms: dict[str, list[float]] = field(default_factory=dict)
    wall_ms: dict[str, list[float]] = field(default_factory=dict)

    def time(self, name: str, work: Callable[[], object]) -> None:
        """Do it once."""
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        work()
        self.cpu_ms.setdefault(name, []).append((time.process_time() - cpu_s) * 1000.0)
        self.wall_ms.setdefault(name, []).append((time.perf_counter() - wall_s) * 1000.0)

    def told(self) -> list["Told"]:
        """Return the figures of each step, in the order of their first time."""
        return [Told(name, len(times), *_two(times), *_two(self.wall_ms[name])) for name, times in self.cpu_ms.items()]


@dataclass(frozen=True, slots=True)
class Told:
    """How long a step took, in milliseconds."""

    step: str
    times: int
    cpu_p50_ms: float
    cpu_p99_ms: float
    wall_p50_ms: float
    wall_p99_ms: float


class Hub:
    """The services of a hub that has just started, over the files of a large fleet."""

    def __init__(self, data: Path, rollout_id: str) -> None:
        self.data, self.rollout_id, self.steps = data, rollout_id, Steps()
        self.control, self.telemetry = open_control(data / "control.db"), open_telemetry(data / "telemetry.db")
        clock = SystemClock()
        desired = Desired(control=self.control, repository_root_version=lambda: 1, changed=lambda _: None)
        self.fleet = Fleet(control=self.control, telemetry=self.telemetry, desired=desired, clock=clock)
        self.rollouts = Rollouts(
            control=self.control, telemetry=self.telemetry, desired=desired, clock=clock, chance=SystemChance()
        )

    def stored(self) -> Rollout:
        return gate_scale.stored(self.control, self.rollout_id)

    def stage(self, looks: int) -> None:
        """Look while nodes of the present stage commit."""
        number = f"stage {self.stored().stage + 1}"
        self.steps.time(f"{number}: first look", self.rollouts.tick)
        waiting = iter([*self.stored().current.node_ids])
        for _ in range(looks):
            some = [node_id for node_id, _ in zip(waiting, range(NEWS), strict=False)]
            gate_scale.commit(self.telemetry, self.stored(), some, time.time_ns())
            self.steps.time(f"{number}: look with commits", self.rollouts.tick)
            self.steps.time(f"{number}: look without news", self.rollouts.tick)
            self.ask()

    def ask(self) -> None:
        """Ask what people ask, and read the same rows with nothing but SQLite."""
        ask, rollouts = self.steps.time, self.rollouts
        ask("rollout show", lambda: msgspec.json.encode(rollouts.get(self.rollout_id, most=SHOWN)))
        ask("rollout list", lambda: msgspec.json.encode(rollouts.list(most=SHOWN)))
        with closing(sqlite3.connect(self.data / "control.db")) as database:
            ask("plain read of the rollout", lambda: database.execute(SHOW).fetchall())
            ask("page of nodes", lambda: msgspec.json.encode(self.fleet.page(node_query(after="n0", limit=100))))
            ask("plain read of the page", lambda: database.execute(PAGE).fetchall())

    def way_back(self, looks: int) -> None:
        """Abort, and look while nodes return."""
        self.steps.time("abort", lambda: self.rollouts.abort(self.rollout_id, actor="bench", reason="enough"))
        self.steps.time("way back: first look", self.rollouts.tick)
        given, shown = iter(self.stored().previous), self.rollouts
        for _ in range(looks):
            self._return([node_id for node_id, _ in zip(given, range(NEWS), strict=False)])
            self.steps.time("way back: look", self.rollouts.tick)
            self.steps.time("way back: rollout show", lambda: shown.get(self.rollout_id, most=SHOWN))
            self.steps.time("way back: rollout list", lambda: shown.list(most=SHOWN))

    def _return(self, node_ids: list[str]) -> None:
        status = (ModelStatus(model=_big_fleet.MODEL, version="1", committed="1"),)
        with self.control.write() as tx:
            for row in tx.nodes_of(node_ids):
                report = report_of(row)
                assert report is not None, "every node of the fleet has reported"
                told = msgspec.structs.replace(
                    report, revision=row.desired_revision, incarnation=tx.meta("incarnation") or "", models=status
                )
                tx.put_node(replace(row, report=codec.encode_json(told), last_seen_at_s=time.time()))

    def close(self) -> None:
        self.control.close()
        self.telemetry.close()


def _two(times: list[float]) -> Iterator[float]:
    ordered = sorted(times)
    yield statistics.median(ordered)
    yield ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--looks", type=int, default=100)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        hub = Hub(data, _big_fleet.make(data, chosen.nodes))
        before_mb = _resident_mb()
        for stage in (0, 1, 2):
            hub.stage(chosen.looks)
            if stage < 2:
                start = f"start of stage {stage + 2}"
                hub.steps.time(start, lambda: hub.rollouts.promote(hub.rollout_id, actor="bench", stage=stage))  # noqa: B023 - called at once
        running_mb = _resident_mb()
        hub.way_back(chosen.looks)
        hub.close()
    told = hub.steps.told()
    for each in told:
        cpu, wall = (f"{p50:8.1f} {p99:8.1f}" for p50, p99 in _pairs(each))
        print(f"{each.step:32} {each.times:4} times, p50 and p99: {cpu} ms of processor time, {wall} ms by the clock")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"memory: {before_mb:.0f} MB before, {running_mb:.0f} MB in the last stage, {peak_mb:.0f} MB at most")
    report = {
        "nodes": chosen.nodes,
        "looks": chosen.looks,
        "cores": os.cpu_count(),
        "steps": [asdict(each) for each in told],
        "memory_mb": {"before": before_mb, "last stage": running_mb, "at most": peak_mb},
    }
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath("rollout_scale.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _pairs(told: Told) -> Iterator[tuple[float, float]]:
    yield told.cpu_p50_ms, told.cpu_p99_ms
    yield told.wall_p50_ms, told.wall_p99_ms


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
