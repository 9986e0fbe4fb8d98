"""What one look of the gate costs with a hundred thousand nodes in the database.

`python bench/gate_scale.py` measures all three stages (1,000, 24,000 and 75,000 nodes, with those before them), and
`--stage 3` the last one alone: gathering the evidence and judging it, look after look, while new minutes come in, and
so long that everything that is kept was read anew meanwhile. Beside each look SQLite reads the newest counts of the
same nodes and nothing else, which is as fast as a look could be.
"""

import argparse
import json
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

import _big_fleet
from ganglion.adapters.hub_store import open_control, open_telemetry
from ganglion.adapters.hub_store.telemetry import TelemetryDatabase
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.gate import verdict as gate
from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.hub.services.evidence.events import COMMITTED
from ganglion.hub.services.evidence.gathering import RolloutEvidence
from ganglion.hub.services.evidence.roster import Rosters
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.hub.services.rollouts.rollouts import Rollouts
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.telemetry_store import EventRow, RollupKey
from ganglion.testing.chance import SeededChance

RESULTS = Path(__file__).parent / "results"
MINUTES = 30
"""How long the stage has run."""
_LABELS = [str(label) for label in range(10)]


@dataclass(frozen=True, slots=True)
class Cost:
    """Looks at one stage, in milliseconds of processor time, which other work does not change; and by the clock."""

    stage: int
    nodes: int
    looks: int
    first_looks: int
    """Looks of a hub that has just started until there was an answer, and …"""
    first_ms: float
    """… the longest of them."""
    p50_ms: float
    p99_ms: float
    longest_ms: float
    wall_p50_ms: float
    wall_p99_ms: float
    read_p50_ms: float
    """What SQLite takes to read the newest counts of the same nodes."""
    load: float
    """Of the machine, the mean of a minute."""
    answer: str


def minute_of_work(chance: SeededChance) -> Behaviour:
    """Return what a node does in a minute."""
    behaviour = Behaviour()
    for _ in range(20):
        confidence = 1.0 - 0.4 * chance.share() ** 2
        behaviour.count_answer(round(4000 + 2000 * chance.share()), [_LABELS[int(10 * chance.share())]], [confidence])
    return behaviour


def work(telemetry: TelemetryDatabase, node_ids: list[str], version: str, minutes: range) -> None:
    chance = SeededChance(1)
    kinds = [minute_of_work(chance) for _ in range(50)]
    for begin in range(0, len(node_ids), 1000):
        with telemetry.write() as tx:
            for number, node_id in enumerate(node_ids[begin : begin + 1000]):
                for minute in minutes:
                    key = RollupKey(node_id, _big_fleet.MODEL, version, minute)
                    tx.merge_rollup(key, kinds[(number + minute) % len(kinds)])


def commit(telemetry: TelemetryDatabase, rollout: Rollout, node_ids: list[str], at_ns: int) -> None:
    rows = [
        EventRow(
            node_id=node_id,
            epoch="bench",
            seq=rollout.stage + 1,
            at_ns=at_ns,
            name=COMMITTED,
            model=rollout.model,
            version=rollout.version,
            rollout_id=rollout.rollout_id,
            reason="",
            facts=b"{}",
            corrected_at_ns=at_ns,
        )
        for node_id in node_ids
    ]
    for begin in range(0, len(rows), 5000):
        with telemetry.write() as tx:
            tx.add_events(rows[begin : begin + 5000])


def stored(control: ControlStore, rollout_id: str) -> Rollout:
    with control.read() as tx:
        return rollout_rows.load(tx, rollout_id)


def plain_read(path: Path, node_ids: list[str], version: str, since_minute: int) -> float:
    """Return the milliseconds that SQLite takes to read these counts."""
    statement = f"""SELECT node_id, behaviour FROM rollups WHERE node_id IN ({", ".join("?" * len(node_ids))})
        AND model = ? AND version = ? AND minute >= ?"""
    with closing(sqlite3.connect(path)) as database:
        begin_s = time.process_time()
        database.execute(statement, (*node_ids, _big_fleet.MODEL, version, since_minute)).fetchall()
        return (time.process_time() - begin_s) * 1000.0


def measured(control: ControlStore, telemetry: TelemetryDatabase, rollout: Rollout, looks: int, *, path: Path) -> Cost:
    """Look once a second from half an hour after the stage began; a minute of work comes in each minute."""
    evidence = RolloutEvidence(control=control, telemetry=telemetry)
    began_s = rollout.current.started_at_s or 0.0
    # Of the other nodes nothing is read, so that nothing has to be written.
    roster = Rosters(control).of(rollout, now_s=began_s)
    new, old = [*roster.counted], [each.member.node_id for each in roster.controls]
    first = int(began_s // 60)
    work(telemetry, new, rollout.version, range(first, first + MINUTES))
    work(telemetry, old, "1", range(first, first + MINUTES))
    commit(telemetry, rollout, [*rollout.current.node_ids], int(began_s * 1e9) + 60_000_000_000)
    took_ms, wall_ms, read_ms, verdict, firsts = list[float](), list[float](), list[float](), None, 0
    for look in range(looks):
        now_s = began_s + MINUTES * 60.0 + look
        if look % 60 == 0:
            for node_ids, version in ((new, rollout.version), (old, "1")):
                work(telemetry, node_ids, version, range(int(now_s // 60), int(now_s // 60) + 1))
        minute = int(now_s // 60) - 2
        read_ms.append(plain_read(path, new, rollout.version, minute) + plain_read(path, old, "1", minute))
        begin_s, wall_s = time.process_time(), time.perf_counter()
        found = evidence.gathered_so_far(rollout, now_s=now_s)
        if found is not None:
            rollout, seen = found
            verdict = gate.evaluate(rollout.gate, seen)
        took_ms.append((time.process_time() - begin_s) * 1000.0)
        wall_ms.append((time.perf_counter() - wall_s) * 1000.0)
        firsts = firsts or (look + 1 if found is not None else 0)
    later, clock = sorted(took_ms[firsts:]), sorted(wall_ms[firsts:])
    cost = Cost(
        stage=rollout.stage + 1,
        nodes=len(rollout.current.node_ids),
        looks=looks,
        first_looks=firsts,
        first_ms=max(took_ms[:firsts]),
        p50_ms=statistics.median(later),
        p99_ms=_p99(later),
        longest_ms=later[-1],
        wall_p50_ms=statistics.median(clock),
        wall_p99_ms=_p99(clock),
        read_p50_ms=statistics.median(read_ms),
        load=os.getloadavg()[0],
        answer=verdict.answer.value if verdict else "",
    )
    print(_told(cost), flush=True)
    return cost


def _told(cost: Cost) -> str:
    first = f"an answer after {cost.first_looks} looks of {cost.first_ms:.0f} ms at most"
    later = f"p50 {cost.p50_ms:.0f}, p99 {cost.p99_ms:.0f}, longest {cost.longest_ms:.0f} ms over {cost.looks} looks"
    clock = f"by the clock p50 {cost.wall_p50_ms:.0f}, p99 {cost.wall_p99_ms:.0f} ms"
    beside = f"plain read {cost.read_p50_ms:.1f} ms; load {cost.load:.0f}"
    return f"stage {cost.stage}, {cost.nodes:,} nodes: {first}, then {later} ({clock}; {beside}); {cost.answer}"


def _p99(ordered: list[float]) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--looks", type=int, default=420)
    parser.add_argument("--stage", type=int, choices=(1, 2, 3), help="this one alone")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        rollout_id = _big_fleet.make(data, options.nodes)
        control, telemetry = open_control(data / "control.db"), open_telemetry(data / "telemetry.db")
        desired = Desired(control=control, repository_root_version=lambda: 1, changed=lambda _: None)
        rollouts = Rollouts(
            control=control, telemetry=telemetry, desired=desired, clock=SystemClock(), chance=SystemChance()
        )
        costs = []
        for stage in (0, 1, 2):
            rollout = stored(control, rollout_id)
            if options.stage in (None, stage + 1):
                costs.append(measured(control, telemetry, rollout, options.looks, path=data / "telemetry.db"))
            if options.stage == stage + 1:
                break
            if stage + 1 < len(rollout.stages):
                rollouts.promote(rollout_id, actor="bench", stage=stage)
        control.close()
        telemetry.close()
    report = {"nodes": options.nodes, "costs": [asdict(cost) for cost in costs]}
    RESULTS.joinpath("gate_scale.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
