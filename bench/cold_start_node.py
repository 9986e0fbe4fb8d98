"""From the power coming back to the first answer of a node that finds no network and a wrong clock.

A real hub brings the tiny model to a real node, which commits it. Then all is killed at once, the hub stays away,
and the newest time that the node has seen is moved fifty years ahead, so that its clock is that far behind. Each round
starts `ganglion node run` once, and in turn what could be in its place: FastAPI with ONNX Runtime by hand, and the
interpreter with ONNX Runtime and the loaded model, which no server in Python can be faster than. The first round warms
the file cache and is not counted.

Prints medians and spreads, and writes bench/results/cold_start_node.json. Says whether the promise is kept.
"""

import json
import os
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from _models import tiny
from _one_node import Fleet, one_node
from cold_start import BY_HAND, GANGLION, LIMIT, Start, first_answer, megabytes, processes, run_once, start_server, told
from ganglion.testing.processes import NodeProcess, free_port

RESULTS = Path(__file__).parent / "results"
ROUNDS = 11
PROMISE_S = 0.3
FIFTY_YEARS_S = 50 * 365 * 86_400


def lose_power(node: NodeProcess) -> None:
    """Kill every process of a node at once, and return when they are gone."""
    pids = processes(node.pid)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    node.kill()
    while any(Path("/proc", str(pid)).exists() for pid in pids):
        time.sleep(0.001)


def prepare(fleet: Fleet) -> Path:
    """Bring the model to the node, lose the power of everything, and return the node's directory."""
    fleet.release(tiny(), "1")
    fleet.roll_out(tiny(), "1")
    lose_power(fleet.node)
    fleet.hub.kill()
    newest = fleet.node.data / "tuf" / "metadata" / "newest-time"
    assert newest.exists(), "the node remembers when metadata was found good"
    newest.write_text(f"{time.time() + FIFTY_YEARS_S:.0f}")
    return fleet.node.data


def start_node(data: Path) -> Start:
    node = NodeProcess(data, port=free_port())
    began_s = time.perf_counter()
    node.start()
    first_answer(node.port)
    taken_s = time.perf_counter() - began_s
    time.sleep(0.5)
    start = Start(taken_s, tuple(megabytes(pid) for pid in processes(node.pid)))
    lose_power(node)
    return start


def by_hand(model: str) -> Start:
    port = free_port()
    return start_server(sys.executable, "-c", textwrap.dedent(BY_HAND), model, str(port), port=port)


def serve(model: str) -> Start:
    port = free_port()
    return start_server(*GANGLION, model, "--port", str(port), port=port)


def measure(data: Path, model: str) -> dict[str, list[Start]]:
    """Start every program once a round, in turn."""
    starts: dict[str, Callable[[], Start]] = {
        "limit": lambda: run_once(sys.executable, "-c", textwrap.dedent(LIMIT), model),
        "fastapi by hand": lambda: by_hand(model),
        "ganglion serve": lambda: serve(model),
        "ganglion node run": lambda: start_node(data),
    }
    rounds = [{name: start() for name, start in starts.items()} for _ in range(ROUNDS + 1)][1:]
    return {name: [each[name] for each in rounds] for name in starts}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, one_node(Path(folder)) as fleet:
        data, model = prepare(fleet), Path(folder, "demo.onnx")
        model.write_bytes(tiny().content)
        measured = measure(data, str(model))
    figures = {name: told(name, starts, measured["limit"]) for name, starts in measured.items()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "cold_start_node.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    took_s = float(str(figures["ganglion node run"]["median_s"]))
    print(
        f"promised: at most {PROMISE_S} s, {'kept' if took_s <= PROMISE_S else f'missed by {took_s - PROMISE_S:.3f} s'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
