"""What a model takes and gives, in the words of the model configuration extension."""

from collections.abc import Sequence

from ganglion.core.batching_rules import BatchingRules
from ganglion.core.manifest import Manifest, TensorSpec
from ganglion.entrypoints.inference_api import documents


def model_config(manifest: Manifest, batching: BatchingRules | None = None) -> dict[str, object]:
    """Return the configuration of one version; `batching` are the rules that it is served by."""
    has_batch = all(spec.has_batch for spec in (*manifest.inputs, *manifest.outputs))
    document: dict[str, object] = {
        "name": manifest.name,
        "platform": documents.platform_of(manifest),
        "backend": manifest.target.runtime,
        "max_batch_size": manifest.limits.batch_max if has_batch else 0,
        "input": _tensors(manifest.inputs, has_batch=has_batch),
        "output": _tensors(manifest.outputs, has_batch=has_batch),
        "model_transaction_policy": {"decoupled": False},
    }
    if batching is not None and batching.is_on:
        document["dynamic_batching"] = {
            "preferred_batch_size": list(batching.preferred_sizes),
            "max_queue_delay_microseconds": batching.max_delay_us,
        }
    return document


def _tensors(specs: Sequence[TensorSpec], *, has_batch: bool) -> list[dict[str, object]]:
    return [
        {
            "name": spec.name,
            "data_type": "TYPE_STRING" if spec.datatype == "BYTES" else f"TYPE_{spec.datatype}",
            "dims": list(spec.shape[1:] if has_batch else spec.shape),
        }
        for spec in specs
    ]
