"""Which answers of a model people have called right or wrong.

Labels are few and samples are many: whoever asks goes from the labels to the samples, and reads no input.
"""

from dataclasses import dataclass

from ganglion.ports.hub_store import ControlStore
from ganglion.ports.telemetry_store import TelemetryStore

BY_CHANCE = "random"
"""The reason of samples that chance has kept. A node keeps the others for what its version made of them."""
LABELS_MAX = 20_000
"""Of more labels the newest are looked at: they tell as much as anybody wants to know."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """An answer and the newest word on it."""

    node_id: str
    version: str
    at_ns: int
    is_right: bool


def labelled(control: ControlStore, telemetry: TelemetryStore, *, model: str, since_s: float) -> list[Labelled]:
    """Return the labelled answers of a model on inputs that chance has kept since then.

    An answer without a prediction is neither right nor wrong, and left out.
    """
    with control.read() as tx:
        labels = tx.labels(since_s=since_s)
    newest = sorted(labels, key=lambda sample_id: labels[sample_id].labelled_at_s)[-LABELS_MAX:]
    with telemetry.read() as records:
        found = records.answers(newest, model=model, reason=BY_CHANCE, since_ns=int(since_s * 1e9))
    return [
        Labelled(row.node_id, row.version, row.corrected_at_ns, row.label == labels[row.sample_id].label)
        for row in found
        if row.label
    ]
