"""What a camera's day costs on the wire: every result one by one, a share of them, or counts alone.

Made-up answers of a detector, ten a second for a day, go through the node's own folding, batching and compression; only
the network is missing. Pictures are counted at 20 kB each, as a 640 x 480 JPEG has. Prints a table and writes
bench/results/traffic.json.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganglion.node.domain.sending.summaries import MINUTE_NS, Folding
from ganglion.wire import codec
from ganglion.wire.records import Batch, Envelope, RecordClass, ResultRecord

RESULTS = Path(__file__).parent / "results"
PICTURE_BYTES = 20_000
LABELS = ("car", "person", "bicycle", "truck", "nothing")
BATCH_RECORDS, BATCH_S = 500, 60
SHARES = (1.0, 0.1, 0.01, 0.0)


@dataclass(slots=True)
class Sender:
    """Collects records and counts the bytes of batches as they would leave."""

    waiting: list[Envelope]
    sent_bytes: int = 0
    batches: int = 0
    seq: int = 0

    def add(self, record_class: RecordClass, at_ns: int, payload: bytes) -> None:
        self.seq += 1
        self.waiting.append(Envelope(self.seq, record_class, at_ns, payload))
        if len(self.waiting) >= BATCH_RECORDS:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            batch = Batch(f"epoch-{self.seq}", self.waiting[-1].at_ns, "epoch", tuple(self.waiting), {}, self.seq)
            self.sent_bytes += len(codec.compress(codec.encode_packed(batch)))
            self.batches += 1
            self.waiting.clear()


def day(share: float, *, per_s: int, seconds: int) -> Sender:
    rng = np.random.default_rng(1)
    folding, sender = Folding(), Sender([])
    for second in range(seconds):
        labels = rng.choice(len(LABELS), per_s, p=(0.2, 0.2, 0.05, 0.05, 0.5))
        confidences = 1.0 - rng.beta(1.2, 9.0, per_s)
        latencies = 9000 + rng.gamma(2.0, 400.0, per_s)
        for number in range(per_s):
            at_ns = second * 1_000_000_000 + number * 1_000_000_000 // per_s
            record = ResultRecord(
                f"9f3ac1d2b7e4-{second * per_s + number:08d}",
                "street",
                "7",
                int(latencies[number]),
                (LABELS[labels[number]],),
                (round(float(confidences[number]), 6),),
            )
            payload = codec.encode_packed(record)
            if folding.keep(RecordClass.RESULT, payload, at_ns=at_ns, results_share=share):
                sender.add(RecordClass.RESULT, at_ns, payload)
        now_ns = (second + 1) * 1_000_000_000
        for summary in folding.close(now_ns=now_ns):
            sender.add(RecordClass.SUMMARY, now_ns, codec.encode_packed(summary))
        if (second + 1) % BATCH_S == 0:
            sender.flush()
    assert MINUTE_NS == BATCH_S * 1_000_000_000, "a batch a minute carries that minute's summary"
    return sender


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-second", type=int, default=10)
    parser.add_argument("--hours", type=float, default=24.0)
    options = parser.parse_args()
    seconds = int(options.hours * 3600)
    raw_bytes = options.per_second * seconds * PICTURE_BYTES
    print(f"pictures: {raw_bytes / 1e9:.1f} GB in {options.hours:g} h")
    rows = []
    for share in SHARES:
        sender = day(share, per_s=options.per_second, seconds=seconds)
        ratio = raw_bytes / sender.sent_bytes
        rows.append(
            {"results_share": share, "sent_bytes": sender.sent_bytes, "batches": sender.batches, "ratio": ratio}
        )
        sent = f"{sender.sent_bytes / 1e3:12,.0f} kB in {sender.batches:6} batches"
        print(f"results_share {share:<5} {sent}, 1 : {ratio:,.0f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "traffic.json").write_text(json.dumps({"raw_bytes": raw_bytes, "rows": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
