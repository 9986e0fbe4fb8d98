"""A hub's control database with a large fleet in it: nodes with labels and reports, a release, a running rollout."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import astuple, fields
from pathlib import Path

import msgspec

from ganglion.adapters.hub_store import node_marks, open_control, open_telemetry
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.rollouts.rollouts import Rollouts
from ganglion.ports.hub_store import AssignmentRow, NodeRow, ReleaseRow
from ganglion.wire import codec
from ganglion.wire.desired import DeploymentPolicy, ModelStatus, NodeReport
from ganglion.wire.identity import NodeFacts
from ganglion.wire.rollout_resources import RolloutRequest

MODEL = "digits"
SITES = 500
LINES = 40
"""Values of the label `line`; one node in 997 has the label `canary` too."""
_CLASSES = (("x86_64", 4), ("x86_64", 8), ("aarch64", 4))
_POLICY = DeploymentPolicy(
    probation_s=10.0,
    inferences_min=50,
    error_rate_max=0.05,
    latency_ratio_max=3.0,
    agreement_min=0.5,
    compared_min=200,
    compare_share=0.25,
)


def make(data: Path, nodes: int) -> str:
    """Write a fleet that serves version 1 and takes version 2 in stages; return the id of the rollout."""
    data.mkdir(parents=True, exist_ok=True)
    clock, chance = SystemClock(), SystemChance()
    now_s = clock.utc_ns() / 1e9
    control, telemetry = open_control(data / "control.db"), open_telemetry(data / "telemetry.db")
    try:
        with closing(sqlite3.connect(data / "control.db", isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            fleet = [node(number, now_s) for number in range(nodes)]
            _insert(database, "nodes", fleet)
            for row in fleet:
                node_marks.follow(database, None, row)
            _insert(database, "releases", [_release(version, now_s) for version in ("1", "2")])
            _insert(database, "assignments", [_assignment(number) for number in range(nodes)])
            database.execute("COMMIT")
        desired = Desired(control=control, repository_root_version=lambda: 1, changed=lambda _: None)
        rollouts = Rollouts(control=control, telemetry=telemetry, desired=desired, clock=clock, chance=chance)
        request = RolloutRequest(model=MODEL, version="2", stages=["1%", "25%", "100%"])
        return rollouts.start(request, actor="bench").rollout_id
    finally:
        control.close()
        telemetry.close()


def node(number: int, now_s: float) -> NodeRow:
    """Return a node as it is after some days of work."""
    arch, cores = _CLASSES[number % len(_CLASSES)]
    facts = NodeFacts(arch, "onnxruntime", cores, 8_000_000_000, "0.1.0", ("onnxruntime", "openvino"))
    labels = {"line": str(number % LINES)} | ({"canary": "yes"} if number % 997 == 0 else {})
    return NodeRow(
        node_id=f"{number:032x}",
        name=f"n{number:06}",
        site=f"s{number % SITES}",
        zone="default",
        public_key="00" * 32,
        node_class=facts.node_class,
        facts=codec.encode_json(facts),
        enrolled_at_s=now_s - 86_400.0,
        last_seen_at_s=now_s - number % 60,
        report=codec.encode_json(_report(facts, number)),
        labels=msgspec.json.encode(labels),
    )


def _report(facts: NodeFacts, number: int) -> NodeReport:
    status = ModelStatus(model=MODEL, version="1", committed="1")
    machine = {"cpu_share": 0.2, "temperature_c": 51.0, "disk_free_bytes": 4.0e10, "memory_free_bytes": 5.0e9}
    return NodeReport(
        incarnation="0" * 32,
        revision=1,
        models=(status,),
        facts=facts,
        epoch=f"{number:032x}",
        made=1000,
        waiting=number % 7,
        sent_bytes={"results": 100_000, "events": 2000},
        machine=machine,
    )


def _release(version: str, now_s: float) -> ReleaseRow:
    sha256 = version.rjust(64, "0")
    return ReleaseRow(MODEL, version, "fp32", "any", "onnxruntime", sha256, 5_000_000, b"{}", now_s - 3600.0)


def _assignment(number: int) -> AssignmentRow:
    policy = msgspec.json.encode(_POLICY)
    return AssignmentRow(f"{number:032x}", MODEL, "1", "fp32", "", policy)


def _insert(database: sqlite3.Connection, table: str, new: Sequence[NodeRow | ReleaseRow | AssignmentRow]) -> None:
    names = [field.name for field in fields(new[0])]
    places = ", ".join("?" * len(names))
    rows: Iterable[tuple[object, ...]] = map(astuple, new)
    database.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", rows)
