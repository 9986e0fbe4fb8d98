"""How fast the advisor is: workloads placed on four tiers in a second, and a simulation of 10^5 draws.

Figures are wall-clock times of one core.
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

from ganglion.advisor.cost import advice as cost
from ganglion.advisor.cost.case import read
from ganglion.advisor.cost.sensitivity import simulate
from ganglion.advisor.place import placement, workload
from ganglion.advisor.ranges import Tree

RESULTS = Path(__file__).parent / "results"
DRAWS = 100_000
TIERS: list[Tree] = [
    {
        "name": "camera",
        "kind": "device",
        "service_time": "90 ms",
        "workers": "1",
        "memory": "1 GB",
        "price": "4 USD/month",
    },
    {
        "name": "shop",
        "kind": "site",
        "service_time": "14 ms",
        "link": {"rtt": "3 ms", "bandwidth": "1 Gbit/s"},
        "workers": "4",
        "memory": "8 GB",
        "price": "60 USD/month",
    },
    {
        "name": "region",
        "service_time": "9 ms",
        "kind": "region",
        "link": {"rtt": "24 ms", "bandwidth": "50 Mbit/s"},
        "workers": "16",
        "price": "0.0002 USD/inference",
    },
    {
        "name": "cloud",
        "service_time": "8 ms",
        "link": {"rtt": "90 ms", "bandwidth": "50 Mbit/s"},
        "workers": "64",
        "price": "0.0001 USD/inference",
    },
]
COST: dict[str, Tree] = {
    "sites": "500",
    "volume": {"low": "500 inferences/hour", "likely": "1000 inferences/hour", "high": "1500 inferences/hour"},
    "price": {"low": "0.001 USD", "high": "0.003 USD"},
    "device_price": {"low": "400 USD", "high": "600 USD"},
    "edge": {"power": "15 W", "operations": "20 USD/month .. 90 USD/month", "network": "8 USD/month"},
    "electricity_price": "0.10 USD/kWh .. 0.40 USD/kWh",
    "horizon": "36 months",
    "device_life": "24 months",
}


def case(number: int) -> dict[str, Tree]:
    return {
        "workload": {
            "latency_budget": f"{20 + number % 200} ms",
            "rate": f"{1 + number % 40}/s",
            "input_size": f"{10 + number % 90} kB",
            "model": {"size": f"{10 + number % 3000} MB"},
            "residency": ("none", "site", "region")[number % 3],
        },
        "tiers": TIERS,
    }


def placed_per_s(count: int) -> tuple[float, float]:
    """Return workloads in a second: judged after they were read, and from the text on."""
    cases = [workload.read(case(number)) for number in range(count)]
    start = time.perf_counter()
    for each in cases:
        placement.judge(each)
    judged = time.perf_counter() - start
    start = time.perf_counter()
    for number in range(count):
        placement.advise(case(number))
    return count / judged, count / (time.perf_counter() - start)


def simulated_s() -> float:
    known = read(COST)
    start = time.perf_counter()
    assert simulate(known.facts, known.given, draws=DRAWS, seed=1) is not None
    return time.perf_counter() - start


def ranges_of(tree: dict[str, Tree]) -> int:
    return sum(each.is_range for each in read(tree).given.values())


def whole_answer_s() -> float:
    start = time.perf_counter()
    cost.advise(COST)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    judged, read_too = placed_per_s(options.workloads)
    draws = [simulated_s() for _ in range(options.rounds)]
    answers = [whole_answer_s() for _ in range(options.rounds)]
    print(f"{options.workloads:,} workloads x 4 tiers: {judged:,.0f}/s judged, {read_too:,.0f}/s from the text on")
    print(
        f"{DRAWS:,} draws over {ranges_of(COST)} ranges: {statistics.median(draws):.3f} s; "
        f"a whole answer: {statistics.median(answers):.3f} s"
    )
    RESULTS.mkdir(exist_ok=True)
    document = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "workloads": options.workloads,
        "tiers": len(TIERS),
        "judged_per_s": round(judged),
        "read_and_judged_per_s": round(read_too),
        "draws": DRAWS,
        "simulation_s": [round(each, 4) for each in draws],
        "whole_answer_s": [round(each, 4) for each in answers],
    }
    (RESULTS / "advisor.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
