"""Finding samples when the question needs both databases, a page at a time: inputs can be large."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ganglion.ports.hub_store import ControlStore
from ganglion.ports.telemetry_store import SampleRow, TelemetryStore

_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which samples are asked for, newest first."""

    model: str | None = None
    node_id: str | None = None
    unlabelled: bool = False
    reason: str | None = None
    """Why they were kept; None: for any reason."""
    before: tuple[int, str] | None = None
    """(corrected_at_ns, sample_id): only older ones."""
    limit: int
    bytes_max: int = 4_000_000
    """It stops before the inputs are more than that, but not before the first sample."""


def find(control: ControlStore, telemetry: TelemetryStore, wanted: Wanted) -> list[SampleRow]:
    """Return the newest samples that are wanted."""
    found: list[SampleRow] = []
    before, room_bytes = wanted.before, wanted.bytes_max
    while len(found) < wanted.limit:
        limit = min(_PAGE, wanted.limit - len(found))
        with telemetry.read() as tx:
            page = tx.samples(
                model=wanted.model, node_id=wanted.node_id, before=before, limit=limit, bytes_max=room_bytes
            )
        if not page:
            break
        before = (page[-1].corrected_at_ns, page[-1].sample_id)
        fitting = [row for row in page if wanted.reason in (None, row.reason)]
        if wanted.unlabelled:
            fitting = _unlabelled(control, fitting)
        room_bytes -= sum(len(row.inputs) for row in fitting)
        if found and room_bytes < 0:
            break
        found += fitting
    return found


def among(telemetry: TelemetryStore, sample_ids: Sequence[str], *, model: str | None = None) -> Iterator[SampleRow]:
    """Yield the samples that have one of these ids, and belong to the model when one is given."""
    for start in range(0, len(sample_ids), _PAGE):
        some = sample_ids[start : start + _PAGE]
        with telemetry.read() as tx:
            page = tx.samples(model=model, sample_ids=some, limit=len(some))
        yield from page


def _unlabelled(control: ControlStore, page: Sequence[SampleRow]) -> list[SampleRow]:
    with control.read() as tx:
        labels = tx.labels([row.sample_id for row in page])
    return [row for row in page if row.sample_id not in labels]
