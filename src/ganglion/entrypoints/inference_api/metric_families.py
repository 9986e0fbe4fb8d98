"""What is told about served models to whoever monitors them; the formats are for others to write."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ganglion.core.histogram import Histogram
from ganglion.node.services.serving.versions import LoadedVersion, ServedModel

Labels: TypeAlias = tuple[tuple[str, str], ...]
Kind: TypeAlias = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all its series. The values of a histogram are microseconds; it is told in seconds."""

    name: str
    kind: Kind
    text: str
    series: tuple[tuple[Labels, float | Histogram], ...]


_COUNTERS: tuple[tuple[str, str, Callable[[LoadedVersion], int]], ...] = (
    ("requests_total", "Requests that reached a model version.", lambda version: version.statistics.requests),
    ("request_errors_total", "Requests that the model version failed.", lambda version: version.statistics.failed),
    ("requests_expired_total", "Requests whose time was over too soon.", lambda version: version.statistics.expired),
    ("requests_cancelled_total", "Requests that were taken back.", lambda version: version.statistics.cancelled),
    ("rows_total", "Rows of answered requests.", lambda version: version.statistics.rows),
    ("executions_total", "Successful runs of the engine.", lambda version: version.statistics.executions),
    ("batches_rerun_total", "Batches that failed as a whole.", lambda version: version.statistics.batches_rerun),
)


def families(
    models: Mapping[str, ServedModel], shed: Mapping[str, int], *, is_shell_open: bool = False
) -> Iterator[Family]:
    """Yield everything that is known; `shed` are counts of records by class."""
    shell = "1 while a person has a shell open on this machine."
    yield Family("ganglion_shell_open", "gauge", shell, (((), int(is_shell_open)),))
    versions = [
        ((("model", name), ("version", version.name)), version, served)
        for name, served in models.items()
        for version in served.versions.values()
    ]
    for name, text, count in _COUNTERS:
        series = tuple([(labels, count(version)) for labels, version, _ in versions])
        yield Family(f"ganglion_{name}", "counter", text, series)
    batches = tuple(
        [
            ((*labels, ("reason", why)), count)
            for labels, version, _ in versions
            for why, count in version.statistics.batches_started.items()
        ]
    )
    yield Family("ganglion_batches_total", "counter", "Batches by the reason for which they started.", batches)
    actives = tuple([(labels, int(served.active is version)) for labels, version, served in versions])
    yield Family("ganglion_version_active", "gauge", "1 for the version that answers.", actives)
    shares = tuple([(labels, served.share_of(version)) for labels, version, served in versions])
    yield Family("ganglion_version_share", "gauge", "Share of the requests that ask for no version.", shares)
    whole = tuple([(labels, version.statistics.success) for labels, version, _ in versions])
    yield Family("ganglion_request_seconds", "histogram", "Time of an answered request in this process.", whole)
    stages = tuple(
        [
            ((*labels, ("stage", stage)), histogram)
            for labels, version, _ in versions
            for stage, histogram in version.statistics.stages.items()
        ]
    )
    yield Family("ganglion_request_stage_seconds", "histogram", "Time of each stage of an answered request.", stages)
    records = tuple([((("class", name),), count) for name, count in shed.items()])
    yield Family("ganglion_records_shed_total", "counter", "Records that the journal had no room for.", records)
