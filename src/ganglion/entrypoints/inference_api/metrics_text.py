"""Counts and latencies in the text format of Prometheus."""

from collections.abc import Callable, Iterator, Mapping

from ganglion.core.histogram import Histogram
from ganglion.node.services.serving_versions import LoadedVersion, ServedModel

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_QUANTILES = (0.5, 0.9, 0.99, 0.999)
_US = 1e-6


_COUNTERS: tuple[tuple[str, str, Callable[[LoadedVersion], int]], ...] = (
    ("requests_total", "Requests that reached a model version.", lambda version: version.statistics.requests),
    ("request_errors_total", "Requests that the model version failed.", lambda version: version.statistics.failed),
    ("requests_expired_total", "Requests whose time was over too soon.", lambda version: version.statistics.expired),
    ("requests_cancelled_total", "Requests that were taken back.", lambda version: version.statistics.cancelled),
    ("rows_total", "Rows of answered requests.", lambda version: version.statistics.rows),
)


def metrics(models: Mapping[str, ServedModel], shed: Mapping[str, int]) -> str:
    """Return all families. Quantiles come from exponential histograms and are off by 1.1 % at the most."""
    versions = [
        (f'model="{_escape(name)}",version="{_escape(version.name)}"', version, served.active is version)
        for name, served in models.items()
        for version in served.versions.values()
    ]
    lines: list[str] = []
    for name, text, count in _COUNTERS:
        lines += _family(f"ganglion_{name}", "counter", text)
        lines += [f"ganglion_{name}{{{labels}}} {count(version)}" for labels, version, _ in versions]
    lines += [
        *_family("ganglion_version_active", "gauge", "1 for the version that answers."),
        *[f"ganglion_version_active{{{labels}}} {int(active)}" for labels, _, active in versions],
        *_family("ganglion_request_seconds", "summary", "Time of an answered request in this process."),
        *[line for labels, version, _ in versions for line in _of_requests(labels, version)],
        *_family("ganglion_request_stage_seconds", "summary", "Time of each stage of an answered request."),
        *[line for labels, version, _ in versions for line in _of_stages(labels, version)],
        *_family("ganglion_records_shed_total", "counter", "Records that the journal had no room for."),
        *[f'ganglion_records_shed_total{{class="{name}"}} {count}' for name, count in shed.items()],
    ]
    return "\n".join(lines) + "\n"


def _of_requests(labels: str, version: LoadedVersion) -> Iterator[str]:
    yield from _summary("ganglion_request_seconds", labels, version.statistics.success)


def _of_stages(labels: str, version: LoadedVersion) -> Iterator[str]:
    for stage, histogram in version.statistics.stages.items():
        yield from _summary("ganglion_request_stage_seconds", f'{labels},stage="{stage}"', histogram)


def _summary(name: str, labels: str, histogram_us: Histogram) -> Iterator[str]:
    if histogram_us.count:
        for share in _QUANTILES:
            yield f'{name}{{{labels},quantile="{share:g}"}} {histogram_us.quantile(share) * _US:.9g}'
    yield f"{name}_sum{{{labels}}} {histogram_us.total * _US:.9g}"
    yield f"{name}_count{{{labels}}} {histogram_us.count}"


def _family(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
