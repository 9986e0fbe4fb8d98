"""What the simulated world costs: time and memory, and how both grow with nodes and hours.

`python bench/simulation.py` runs the two fleets that the documentation names; `--quick` skips the larger one.
Each run has a process of its own, for the peak of memory is that of a process.
"""

import json
import math
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from ganglion.testing.world.scenario import Devices, Scenario
from ganglion.testing.world.world import simulate

RESULTS = Path(__file__).parent / "results"
FLEETS = ((500, 72.0, "heavy"), (10_000, 24.0, "light"))
GROWTH = ((25, 24.0), (50, 24.0), (100, 24.0), (200, 24.0), (50, 48.0), (50, 96.0), (50, 192.0))


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
    scenario = Scenario(hours=hours, devices=Devices(nodes=nodes, sites=min(20, nodes)))
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


def slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of a straight line through points on a plot with two logarithmic axes."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(each[i] for each in logs) / len(logs) for i in (0, 1))
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        nodes, hours, faults = sys.argv[2:]
        print(json.dumps(asdict(run(int(nodes), float(hours), faults))))
        return
    growth = [apart(nodes, hours, "heavy") for nodes, hours in GROWTH]
    by_nodes = slope([(cost.nodes, cost.cpu_s) for cost in growth if cost.hours == 24.0])
    by_hours = slope([(cost.hours, cost.cpu_s) for cost in growth if cost.nodes == 50])
    print(f"CPU grows with nodes^{by_nodes:.2f} and hours^{by_hours:.2f}", flush=True)
    fleets = [apart(*fleet) for fleet in FLEETS[: 1 if "--quick" in sys.argv else None]]
    RESULTS.mkdir(exist_ok=True)
    document = {"runs": [asdict(cost) for cost in growth + fleets], "nodes_slope": by_nodes, "hours_slope": by_hours}
    (RESULTS / "simulation.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
