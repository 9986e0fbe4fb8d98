"""What the simulated world costs: time and memory, and how both grow with nodes and hours.

`python bench/simulation.py` runs the two fleets that the documentation names; `--quick` skips the larger one.
Each run has a process of its own, for the peak of memory is that of a process. Writes bench/results/simulation.json,
and the growth as a picture with logarithmic axes to bench/results/simulation.svg.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from _log_plot import Series, drawn, line_through
from ganglion.testing.world.scenario import Devices, Scenario
from ganglion.testing.world.world import simulate

RESULTS = Path(__file__).parent / "results"
FLEETS = ((500, 72.0, "heavy"), (10_000, 24.0, "light"))
LIMIT_MB, LIMIT_S = 1000.0, 60.0
"""What the first fleet may take."""
NODES, HOURS, LOOK_S = 50, 24.0, 300.0
GROWTH = ((25, HOURS), (NODES, HOURS), (100, HOURS), (200, HOURS), (NODES, 48.0), (NODES, 96.0), (NODES, 192.0))


@dataclass(frozen=True, slots=True)
class Cost:
    """One run."""

    nodes: int
    hours: float
    faults: str
    cpu_s: float
    peak_mb: float
    injected: int
    broken: int


def run(nodes: int, hours: float, faults: str) -> Cost:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    # Small fleets are looked at more often by default, and would not lie on the line.
    scenario = Scenario(hours=hours, devices=Devices(nodes=nodes, sites=min(20, nodes)), hub_look_s=LOOK_S)
    began_s = time.process_time()
    outcome = simulate(scenario, seed=1, faults=faults)
    cpu_s = time.process_time() - began_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    return Cost(nodes, hours, faults, cpu_s, peak_mb, outcome.figures.faults, len(outcome.broken))


def apart(nodes: int, hours: float, faults: str) -> Cost:
    command = [sys.executable, __file__, "--one", str(nodes), str(hours), faults]
    found = Cost(**json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    print(
        f"{found.nodes:>6} nodes {found.hours:>5g} h {found.faults:>6}: {found.cpu_s:7.1f} s CPU, "
        f"{found.peak_mb:6.0f} MB, {found.injected:>9,} faults, {found.broken} laws broken",
        flush=True,
    )
    return found


def picture(growth: list[Cost]) -> str:
    """Return CPU time over node hours, once for more nodes and once for more hours."""
    by_nodes = [(cost.nodes * cost.hours, cost.cpu_s) for cost in growth if cost.hours == HOURS]
    by_hours = [(cost.nodes * cost.hours, cost.cpu_s) for cost in growth if cost.nodes == NODES]
    series = (
        Series(f"more nodes, {HOURS:g} h: CPU grows with nodes^{line_through(by_nodes)[0]:.2f}", "#2f6fb7", by_nodes),
        Series(f"more hours, {NODES} nodes: CPU grows with hours^{line_through(by_hours)[0]:.2f}", "#b87511", by_hours),
    )
    return drawn("What a simulated fleet costs", series, x_name="nodes x hours", y_name="CPU time, s")


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        nodes, hours, faults = sys.argv[2:]
        print(json.dumps(asdict(run(int(nodes), float(hours), faults))))
        return
    growth = [apart(nodes, hours, "heavy") for nodes, hours in GROWTH]
    by_nodes, _ = line_through([(cost.nodes, cost.cpu_s) for cost in growth if cost.hours == HOURS])
    by_hours, _ = line_through([(cost.hours, cost.cpu_s) for cost in growth if cost.nodes == NODES])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "simulation.svg").write_text(picture(growth), encoding="utf-8")
    print(f"CPU grows with nodes^{by_nodes:.2f} and hours^{by_hours:.2f}", flush=True)
    fleets = [apart(*fleet) for fleet in FLEETS[: 1 if "--quick" in sys.argv else None]]
    first = fleets[0]
    print(
        f"{first.cpu_s:.1f} of {LIMIT_S:g} s and {first.peak_mb:.0f} of {LIMIT_MB:g} MB:"
        f" {'held' if first.cpu_s <= LIMIT_S and first.peak_mb <= LIMIT_MB else 'NOT held'}",
        flush=True,
    )
    document = {"runs": [asdict(cost) for cost in growth + fleets], "nodes_slope": by_nodes, "hours_slope": by_hours}
    (RESULTS / "simulation.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
