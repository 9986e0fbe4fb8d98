"""Put a package together: a drafted manifest, a model file and golden inputs become a manifest and its members."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from ganglion.core import golden, npy
from ganglion.core import manifest as manifests
from ganglion.core.errors import CheckFailed
from ganglion.core.manifest import Golden, Manifest
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import Tensors
from ganglion.ports.runtime import CanInfer


@dataclass(frozen=True, slots=True)
class PackageContent:
    """A valid manifest and the members that it lists, by path."""

    manifest: Manifest
    files: dict[str, bytes]


def assemble(
    draft: Manifest,
    model: bytes,
    engine: CanInfer,
    golden_inputs: Tensors,
    *,
    beside: Mapping[str, bytes] = MappingProxyType({}),
) -> PackageContent:
    """Complete `draft`: run the golden inputs for their outputs, and list every member.

    `beside` are files that belong to the model, by member path.

    Raises: InvalidRequest: the golden inputs are not those that the draft declares.
        CheckFailed: the model does not answer the same twice. InvalidPackage, ModelFailed.
    """
    expected = Pipeline(draft, engine.infer).answer(golden_inputs).outputs
    inputs, input_files = _members("inputs", golden_inputs)
    outputs, output_files = _members("outputs", expected)
    files = {draft.model: model, **beside, **input_files, **output_files}
    manifest = msgspec.structs.replace(
        draft,
        golden=msgspec.structs.replace(golden.golden_of(draft), inputs=inputs, outputs=outputs),
        members={path: manifests.describe_member(data) for path, data in files.items()},
    )
    manifests.check(manifest)
    _check_repeatable(Pipeline(manifest, engine.infer), golden_inputs, expected)
    return PackageContent(manifest, files)


def empty_golden(*, absolute_tolerance: float, relative_tolerance: float = 1e-3) -> Golden:
    """Return the golden part of a draft: the tolerances are known, the files not yet."""
    return Golden({}, {}, absolute_tolerance=absolute_tolerance, relative_tolerance=relative_tolerance)


def _check_repeatable(pipeline: Pipeline, inputs: Tensors, expected: Tensors) -> None:
    """A model that draws random numbers, or answers NaN, would fail its golden inputs on every node."""
    result = golden.prove(pipeline, inputs, expected)
    if not result.passed:
        raise CheckFailed(f"asked twice, the model gives two answers or no number: {result.reason}")


def _members(folder: str, tensors: Tensors) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return (path by tensor name, bytes by path). Tensor names may hold anything, so paths are numbered."""
    paths = {name: f"golden/{folder}/{index}.npy" for index, name in enumerate(tensors)}
    return paths, {paths[name]: npy.encode(tensor) for name, tensor in tensors.items()}
