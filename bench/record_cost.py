"""What keeping a record costs the serving process: one answered request, from the values to the journal file.

Ways taken in turns, in one process: a bare `os.write` of as many bytes, the recorder with room in the journal, and the
recorder with a full journal that sheds; then what it costs to decide that an input is not kept, by the settings as they
come, and when every reason is looked at. Prints medians and quartiles of the rounds, and writes
bench/results/record_cost.json.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ganglion.adapters.journal import JournalLimits, JournalWriter
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core.manifest import DriftReference, HistogramReference
from ganglion.core.pipeline import Answer, Prediction
from ganglion.core.typicality import typicality
from ganglion.node.services.serving.records import Recorder, RequestName
from ganglion.node.services.serving.runs import Run
from ganglion.wire.desired import CollectionSettings

RESULTS = Path(__file__).parent / "results"
PROMISE_US = 5.0
NOTHING_SAMPLED = CollectionSettings(confidence_below=0.0, random_share=0.0)
BY_DEFAULT = CollectionSettings(random_share=0.0)
BY_EVERYTHING = CollectionSettings(
    random_share=0.0, margin_below=0.1, out_of_distribution_above=0.99, keep_when="label=person and confidence<0.6"
)
HELD_OUT = typicality(
    DriftReference(HistogramReference(tuple(at / 20 for at in range(21)), (50,) * 20), {"person": 500, "car": 500})
)
NAME = RequestName("9f3ac1d2b7e4-00000042", "street", "7")
RUN = Run(Answer({"p": np.zeros((1, 10), np.float32)}, (Prediction("person", 0.873, 0.8),)), 312, ("person",), (0.873,))
INPUTS = {"x": np.zeros((1, 64), np.float32)}


def recorder_in(folder: Path, *, total_bytes_max: int, collection: CollectionSettings = NOTHING_SAMPLED) -> Recorder:
    folder.mkdir()
    writer = JournalWriter(folder, JournalLimits(total_bytes_max=total_bytes_max))
    return Recorder(journal=writer, clock=SystemClock(), chance=SystemChance(), collection=collection)


def recording(recorder: Recorder) -> Callable[[], None]:
    clock = SystemClock()
    return lambda: recorder.result(NAME, RUN, at_ns=clock.utc_ns())


def deciding(folder: Path, collection: CollectionSettings) -> Callable[[], None]:
    recorder = recorder_in(folder, total_bytes_max=2_000_000_000, collection=collection)
    return lambda: recorder.consider_sample(NAME, INPUTS, RUN, typicality=HELD_OUT)


def timed_us(call: Callable[[], object], count: int) -> float:
    began_ns = time.perf_counter_ns()
    for _ in range(count):
        call()
    return (time.perf_counter_ns() - began_ns) / count / 1e3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--records", type=int, default=5000, help="per block")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        full = recording(recorder_in(folder / "full", total_bytes_max=50_000))
        timed_us(full, 5000)
        with (folder / "bare").open("wb", buffering=0) as bare:
            ways: dict[str, Callable[[], object]] = {
                "os.write of 100 bytes": lambda: os.write(bare.fileno(), b"x" * 100),
                "record, room": recording(recorder_in(folder / "roomy", total_bytes_max=2_000_000_000)),
                "record, full": full,
                "decision, as it comes": deciding(folder / "default", BY_DEFAULT),
                "decision, every reason": deciding(folder / "every", BY_EVERYTHING),
            }
            rounds = [
                {kind: timed_us(call, options.records) for kind, call in ways.items()} for _ in range(options.rounds)
            ]
    summary = {}
    for kind in rounds[0]:
        low, middle, high = statistics.quantiles([figures[kind] for figures in rounds], n=4)
        summary[kind] = {"median_us": round(middle, 2), "low_us": round(low, 2), "high_us": round(high, 2)}
        print(f"{kind:24} {middle:6.2f} us ({low:.2f}-{high:.2f})")
    RESULTS.mkdir(exist_ok=True)
    report = {"promise_us": PROMISE_US, "load": os.getloadavg(), "summary": summary}
    (RESULTS / "record_cost.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return int(summary["record, room"]["median_us"] + summary["decision, as it comes"]["median_us"] > PROMISE_US)


if __name__ == "__main__":
    sys.exit(main())
