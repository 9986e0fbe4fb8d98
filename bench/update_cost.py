"""What an update costs the node that takes it: time from the order to the commit, and memory at its highest.

A real hub, a real node with its three processes, and the sandbox where a version is tried. Version 1 is brought to an
empty node, version 2 beside it while it serves. Without a probation, so that the figures are those of the work itself:
signatures, download, unpacking, the trial in the sandbox, loading, the golden inputs, the switch. Memory is the sum of
the proportional shares (PSS) of every process below `ganglion node run`, looked at a few hundred times a second.

Prints the figures and writes bench/results/update_cost.json.
"""

import contextlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _models import BenchModel, tiny, wide
from _one_node import Fleet, one_node
from cold_start import megabytes, processes

RESULTS = Path(__file__).parent / "results"
LOOK_S = 0.003
CALM_S = 1.0


class Watched:
    """The memory of a process and everything below it, as often as it can be looked at."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._is_over = threading.Event()
        self.peak_mb = 0.0
        self.looks = 0

    def now_mb(self) -> float:
        total = 0.0
        for pid in processes(self._pid):
            # A process may end between the two looks.
            with contextlib.suppress(OSError, IndexError):
                total += megabytes(pid)
        return total

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look again and again until the block ends."""
        looking = threading.Thread(target=self._look)
        looking.start()
        try:
            yield
        finally:
            self._is_over.set()
            looking.join()

    def _look(self) -> None:
        while not self._is_over.wait(LOOK_S):
            with contextlib.suppress(OSError):
                self.peak_mb = max(self.peak_mb, self.now_mb())
                self.looks += 1


def update(fleet: Fleet, model: BenchModel, version: str) -> dict[str, float]:
    """Bring one version to the node and return what that took."""
    size_bytes = fleet.release(model, version)
    time.sleep(CALM_S)
    watched = Watched(fleet.node.pid)
    before_mb = watched.now_mb()
    with watched.watching():
        began_s = time.perf_counter()
        fleet.roll_out(model, version)
        took_s = time.perf_counter() - began_s
    time.sleep(CALM_S)
    return {
        "package_mb": size_bytes / 1e6,
        "took_s": took_s,
        "before_mb": before_mb,
        "peak_mb": watched.peak_mb,
        "after_mb": watched.now_mb(),
        "looks": watched.looks,
    }


def main() -> int:
    figures: dict[str, dict[str, float]] = {}
    for model in (tiny(), wide()):
        with tempfile.TemporaryDirectory() as folder, one_node(Path(folder)) as fleet:
            for version, what in (("1", "first"), ("2", "next")):
                told = figures[f"{model.name}, {what} version"] = update(fleet, model, version)
                print(
                    f"{model.name:5s} {told['package_mb']:6.1f} MB, {what:5s} version: {told['took_s']:6.2f} s, memory "
                    f"{told['before_mb']:6.1f} MB before, {told['peak_mb']:6.1f} at most, {told['after_mb']:6.1f} after"
                )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "update_cost.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
