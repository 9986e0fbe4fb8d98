"""How long `ganglion --help` takes, beside the interpreter alone: 0.3 s is what we promise.

Each round starts a fresh process of both, alternating, so that a slow moment hits both. The first round
warms the file cache and is not counted. Prints the figures, writes bench/results/cli_startup.json, and
fails when the median is over the promise.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
ROUNDS = 15
PROMISE_S = 0.3
COMMANDS = {
    "python": (sys.executable, "-c", "pass"),
    "ganglion --help": (sys.executable, "-m", "ganglion.entrypoints.cli.main", "--help"),
    "ganglion version": (sys.executable, "-m", "ganglion.entrypoints.cli.main", "version"),
}


def seconds_of(command: tuple[str, ...]) -> float:
    started_s = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started_s


def measure() -> dict[str, list[float]]:
    rounds = [{name: seconds_of(command) for name, command in COMMANDS.items()} for _ in range(ROUNDS + 1)]
    return {name: [figures[name] for figures in rounds[1:]] for name in COMMANDS}


def main() -> int:
    figures = measure()
    for name, times_s in figures.items():
        print(f"{name:18} median {statistics.median(times_s):.3f} s, worst of {ROUNDS} {max(times_s):.3f} s")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "cli_startup.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return int(statistics.median(figures["ganglion --help"]) > PROMISE_S)


if __name__ == "__main__":
    sys.exit(main())
