"""What one look of the gate costs with a hundred thousand nodes in the database.

`python bench/gate_scale.py` measures the first stage (1,000 nodes) and the last one (75,000, and 25,000 before them):
gathering the evidence and judging it, look after look, while new minutes come in.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

import _big_fleet
from ganglion.adapters.hub_store import open_control, open_telemetry
from ganglion.adapters.hub_store.telemetry import TelemetryDatabase
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain import gate
from ganglion.hub.domain.rollout import Rollout
from ganglion.hub.services.desired import Desired
from ganglion.hub.services.evidence_events import COMMITTED
from ganglion.hub.services.evidence_roster import Rosters
from ganglion.hub.services.rollout_evidence import RolloutEvidence
from ganglion.hub.services.rollouts import Rollouts
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.telemetry_store import EventRow, RollupKey
from ganglion.testing.chance import SeededChance
from ganglion.wire import codec

RESULTS = Path(__file__).parent / "results"
MINUTES = 30
"""How long the stage has run."""
_LABELS = [str(label) for label in range(10)]


@dataclass(frozen=True, slots=True)
class Cost:
    """Looks at one stage, in milliseconds of processor time: what else the machine does is no matter here."""

    stage: int
    nodes: int
    looks: int
    first_ms: float
    p50_ms: float
    p99_ms: float
    longest_ms: float
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
        row = tx.rollout(rollout_id)
    assert row is not None, "the rollout was made before"
    return codec.decode_json(row.document, Rollout)


def measured(control: ControlStore, telemetry: TelemetryDatabase, rollout: Rollout, looks: int) -> Cost:
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
    took_ms, verdict = list[float](), None
    for look in range(looks + 1):
        now_s = began_s + MINUTES * 60.0 + look
        if look % 60 == 0:
            for node_ids, version in ((new, rollout.version), (old, "1")):
                work(telemetry, node_ids, version, range(int(now_s // 60), int(now_s // 60) + 1))
        begin_s = time.process_time()
        rollout, seen = evidence.gather(rollout, now_s=now_s)
        verdict = gate.evaluate(rollout.gate, seen)
        took_ms.append((time.process_time() - begin_s) * 1000.0)
    later = sorted(took_ms[1:])
    cost = Cost(
        stage=rollout.stage + 1,
        nodes=len(rollout.current.node_ids),
        looks=looks,
        first_ms=took_ms[0],
        p50_ms=statistics.median(later),
        p99_ms=later[min(len(later) - 1, int(len(later) * 0.99))],
        longest_ms=later[-1],
        answer=verdict.answer.value if verdict else "",
    )
    print(
        f"stage {cost.stage}, {cost.nodes:,} nodes: first look {cost.first_ms:.0f} ms, then p50 {cost.p50_ms:.0f}, "
        f"p99 {cost.p99_ms:.0f}, longest {cost.longest_ms:.0f} ms over {looks} looks; {cost.answer}",
        flush=True,
    )
    return cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--looks", type=int, default=300)
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
        costs = [measured(control, telemetry, stored(control, rollout_id), options.looks)]
        for stage in (0, 1):
            rollouts.promote(rollout_id, actor="bench", stage=stage)
        costs.append(measured(control, telemetry, stored(control, rollout_id), options.looks))
        control.close()
        telemetry.close()
    report = {"nodes": options.nodes, "costs": [asdict(cost) for cost in costs]}
    RESULTS.joinpath("gate_scale.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
