"""A data set from labelled samples: which order, which bytes, which manifest. No I/O.

The same samples with the same labels give the same bytes on every machine, so a version's digest says what is in it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from ganglion.core.errors import Conflict
from ganglion.core.ids import Digest
from ganglion.core.steps import DATATYPES, Tensor
from ganglion.hub.domain.records import sample_inputs
from ganglion.wire.records import SampleTensor
from ganglion.wire.resources import DatasetManifest, DatasetTensor


@dataclass(frozen=True, slots=True)
class LabelledSample:
    """A sample and the newest word on it."""

    sample_id: str
    label: str
    inputs: Mapping[str, SampleTensor]


def in_order(samples: Sequence[LabelledSample]) -> list[LabelledSample]:
    """Return the samples in the order of a data set: by id."""
    return sorted(samples, key=lambda sample: sample.sample_id)


def stack(samples: Sequence[LabelledSample]) -> dict[str, Tensor]:
    """Return each input of all samples as one tensor [samples, ...]; there is at least one sample.

    Raises: Conflict: samples differ in their inputs' names, shapes or datatypes.
    """
    first = _form(samples[0])
    for sample in samples:
        if _form(sample) != first:
            other = samples[0].sample_id
            raise Conflict(f"sample {sample.sample_id} has the inputs {_form(sample)}, but {other} has {first}")
    return {
        name: np.concatenate([sample_inputs.array_of(name, sample.inputs[name]) for sample in samples])
        for name in sorted(first)
    }


def describe(tensor: Tensor, sha256: str) -> DatasetTensor:
    """Return the manifest's entry for a stacked input whose file has this digest."""
    return DatasetTensor(sha256=sha256, datatype=DATATYPES[tensor.dtype], shape=list(tensor.shape))


def encode(manifest: DatasetManifest) -> bytes:
    """Return the one canonical form: sorted keys, no spaces."""
    return msgspec.json.encode(manifest, order="sorted")


def digest_of(manifest: DatasetManifest) -> Digest:
    """Return the digest of the canonical form."""
    return Digest(hashlib.sha256(encode(manifest)).hexdigest())


def decode(data: bytes) -> DatasetManifest:
    """Return a manifest from bytes that `encode` made."""
    return msgspec.json.decode(data, type=DatasetManifest)


def numbered(manifest: DatasetManifest, version: int) -> DatasetManifest:
    """Return the same content as another version."""
    return replace(manifest, version=version)


def _form(sample: LabelledSample) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (tensor.datatype, tensor.shape) for name, tensor in sample.inputs.items()}
