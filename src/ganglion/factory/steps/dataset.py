"""A labelled data set of the hub as rows to train on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import Manifest
from ganglion.core.steps import Tensor
from ganglion.factory.domain.rows import LabelledRows, make_rows
from ganglion.wire.resources import DatasetManifest


@dataclass(frozen=True, slots=True)
class LabelledDataset:
    """A data set as the hub gives it: its manifest, and one array per input. Shapes: [samples, ...]."""

    manifest: DatasetManifest
    arrays: Mapping[str, Tensor]


def dataset_rows(dataset: LabelledDataset, parent: Manifest, labels: Sequence[str]) -> LabelledRows:
    """Return the samples as rows for the next version of `parent`, whose classes are `labels`.

    Raises: InvalidRequest: the data set is of another model, or has labels that are not among `labels`.
    """
    manifest, name = dataset.manifest, parent.inputs[0].name
    if manifest.model != parent.name:
        raise InvalidRequest(f"data set {manifest.name}:{manifest.version} is of {manifest.model}, not {parent.name}")
    if name not in dataset.arrays or len(dataset.arrays[name]) != len(manifest.labels):
        raise InvalidRequest(f"data set {manifest.name}:{manifest.version} has no {name!r} for every label")
    return make_rows(dataset.arrays[name], manifest.labels, labels)
