"""The manifest that a bare model file would have: what the file says, and nothing that it does not say.

There are no labels, no steps and no golden inputs; members are not listed, because nobody vouches for the file.
"""

import re
from collections.abc import Sequence

import msgspec

from ganglion.core.ids import ModelName, Variant, Version
from ganglion.core.manifest import Limits, Manifest, Target, TensorSpec

NAME_LEN_MAX = 64
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_SERIES = "T"


def manifest_of(
    name: ModelName,
    version: Version,
    *,
    file: str,
    target: Target,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    batch_max: int,
) -> Manifest:
    """Return a manifest for the model in `file`."""
    return Manifest(
        name=name,
        version=version,
        variant=Variant("bare"),
        target=target,
        model=file,
        inputs=tuple(_marked(spec) for spec in inputs),
        outputs=tuple(_marked(spec) for spec in outputs),
        limits=Limits(batch_max=batch_max),
        golden=None,
        members={},
    )


def name_from(file_name: str) -> ModelName:
    """Return the model name that a file or folder name gives: other characters become dashes."""
    plain = _NOT_IN_NAMES.sub("-", file_name).strip("._-")[:NAME_LEN_MAX].rstrip("._-")
    return ModelName(re.sub(r"\.{2,}", ".", plain) or "model")


def _marked(spec: TensorSpec) -> TensorSpec:
    """A single open dimension is the length of one series: its values depend on each other, unlike rows of a batch."""
    return msgspec.structs.replace(spec, layout=_SERIES) if spec.shape == (-1,) else spec
