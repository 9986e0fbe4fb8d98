"""Counts and latencies in the text format of Prometheus, where a histogram is told as a summary of quantiles."""

from collections.abc import Iterable, Iterator

from ganglion.core.histogram import Histogram
from ganglion.entrypoints.inference_api.metric_families import Family, Labels

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_QUANTILES = (0.5, 0.9, 0.99, 0.999)
_US = 1e-6


def metrics(families: Iterable[Family]) -> str:
    """Return all families. Quantiles come from exponential histograms and are off by 1.1 % at the most."""
    return "\n".join([line for family in families for line in _lines(family)]) + "\n"


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.text}"
    yield f"# TYPE {family.name} {'summary' if family.kind == 'histogram' else family.kind}"
    for labels, value in family.series:
        if isinstance(value, Histogram):
            yield from _summary(family.name, labels, value)
        else:
            yield f"{family.name}{_in_braces(labels)} {value}"


def _summary(name: str, labels: Labels, histogram_us: Histogram) -> Iterator[str]:
    if histogram_us.count:
        for share in _QUANTILES:
            quantile = _in_braces((*labels, ("quantile", f"{share:g}")))
            yield f"{name}{quantile} {histogram_us.quantile(share) * _US:.9g}"
    yield f"{name}_sum{_in_braces(labels)} {histogram_us.total * _US:.9g}"
    yield f"{name}_count{_in_braces(labels)} {histogram_us.count}"


def _in_braces(labels: Labels) -> str:
    text = ",".join([f'{name}="{_escape(value)}"' for name, value in labels])
    return f"{{{text}}}" if text else ""


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
