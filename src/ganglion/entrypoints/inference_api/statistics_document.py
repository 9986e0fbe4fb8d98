"""The statistics extension: how often each version was asked, and where the time went."""

from collections.abc import Iterator, Mapping

from ganglion.core.errors import NotFound
from ganglion.core.histogram import Histogram
from ganglion.node.services.serving.counts import BatchSize, Statistics
from ganglion.node.services.serving.versions import ServedModel

_QUANTILES = (0.5, 0.9, 0.99, 0.999)
_NS_PER_US = 1000
_NS_PER_MS = 1_000_000


def statistics(models: Mapping[str, ServedModel], model: str, version: str) -> dict[str, object]:
    """Return the document for one version, all versions of a model, or everything. Raises: NotFound."""
    if model and model not in models:
        raise NotFound(f"there is no model {model[:80]!r} on this node")
    chosen = {model: models[model]} if model else models
    entries = list(_entries(chosen, version))
    if version and not entries:
        raise NotFound(f"there is no version {version[:80]!r} of model {model!r} on this node")
    return {"model_stats": entries}


def _entries(models: Mapping[str, ServedModel], version: str) -> Iterator[dict[str, object]]:
    for name, served in models.items():
        for loaded in served.versions.values():
            if version in ("", loaded.name):
                yield _entry(name, loaded.name, loaded.statistics)


def _entry(model: str, version: str, counts: Statistics) -> dict[str, object]:
    success, stages = counts.success.count, counts.stages
    return {
        "name": model,
        "version": version,
        "last_inference": counts.last_utc_ns // _NS_PER_MS,
        "inference_count": counts.rows,
        "execution_count": counts.executions,
        "inference_stats": {
            "success": _span(success, counts.success.total),
            "fail": _span(counts.failed, counts.failed_us),
            "queue": _span(success, stages["queue"].total),
            "compute_input": _span(success, stages["decode"].total + stages["pre"].total),
            "compute_infer": _span(success, stages["infer"].total),
            "compute_output": _span(success, stages["post"].total),
            "cache_hit": _span(0, 0),
            "cache_miss": _span(0, 0),
        },
        "batch_stats": [_batch(rows, batch) for rows, batch in sorted(counts.batches.items())],
        # Beyond the extension: what was given up, and the whole distributions.
        "expired_count": counts.expired,
        "cancelled_count": counts.cancelled,
        "batches_started": dict(sorted(counts.batches_started.items())),
        "batches_rerun": counts.batches_rerun,
        "latency_us": {"total": _histogram(counts.success), **{name: _histogram(h) for name, h in stages.items()}},
    }


def _span(count: int, total_us: float) -> dict[str, int]:
    return {"count": count, "ns": round(total_us * _NS_PER_US)}


def _batch(rows: int, batch: BatchSize) -> dict[str, object]:
    return {
        "batch_size": rows,
        "compute_input": _span(batch.count, batch.pre_us),
        "compute_infer": _span(batch.count, batch.infer_us),
        "compute_output": _span(batch.count, batch.post_us),
    }


def _histogram(histogram: Histogram) -> dict[str, object]:
    """Return quantiles, and the buckets of scale 5: bucket I counts values in (2^(I/32), 2^((I+1)/32)]."""
    quantiles = {f"p{share * 100:g}": round(histogram.quantile(share), 1) for share in _QUANTILES if histogram.count}
    return {
        "count": histogram.count,
        "sum": histogram.total,
        **quantiles,
        "zeros": histogram.zeros,
        "buckets": {str(index): count for index, count in sorted(histogram.buckets.items())},
    }
