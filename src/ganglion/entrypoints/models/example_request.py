"""A request that a model answers: what to try first, and what to measure and to warm up with.

It is made from the golden inputs. A model without any is tried with made-up ones, until it answers.
"""

import numpy as np
import orjson

from ganglion.adapters.package_files import read_golden
from ganglion.core import made_up
from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.core.manifest import Manifest, TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import OBJECT, Tensor, Tensors
from ganglion.entrypoints.models.local_packages import OpenPackage


def example_request(package: OpenPackage) -> bytes:
    """Return the body of an Open Inference Protocol request for one row of every input, as JSON.

    Raises: InvalidRequest: the model has no golden inputs, and answers none of those that were made up.
    """
    manifest = package.manifest
    if manifest.golden is not None:
        inputs, _ = read_golden(package.directory, manifest)
        return request_body(manifest, inputs)
    made = made_up_inputs(package.pipeline())
    if made is None:
        raise InvalidRequest(f"{manifest.name} answers none of the inputs that were made up for it: give it real ones")
    return request_body(manifest, made)


def made_up_inputs(pipeline: Pipeline) -> Tensors | None:
    """Return made-up inputs that the model answers, or None when it takes none of them."""
    try:
        for inputs in made_up.candidates(pipeline.manifest.inputs):
            if _answers(pipeline, inputs):
                return inputs
    except InvalidRequest:
        return None  # They would be too large.
    return None


def request_body(manifest: Manifest, inputs: Tensors) -> bytes:
    """Return the JSON body that asks for one row of `inputs`."""
    tensors = [_tensor(spec, inputs[spec.name]) for spec in manifest.inputs]
    return orjson.dumps({"inputs": tensors}, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)


def _answers(pipeline: Pipeline, inputs: Tensors) -> bool:
    try:
        pipeline.answer(inputs)
    except GanglionError:
        return False
    return True


def _tensor(spec: TensorSpec, tensor: Tensor) -> dict[str, object]:
    row = np.asarray(tensor[:1] if spec.has_batch else tensor, order="C")
    if row.dtype == OBJECT:
        return {"name": spec.name, "datatype": spec.datatype, "shape": list(row.shape), "data": _texts(spec, row)}
    # A half-precision number has no form in JSON that every client agrees on; a single-precision one has.
    values = row.astype(np.float32) if row.dtype == np.float16 else row
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(row.shape), "data": values.ravel()}


def _texts(spec: TensorSpec, row: Tensor) -> list[str]:
    try:
        return [bytes(element).decode() for element in row.ravel()]
    except UnicodeDecodeError as error:
        hint = "send the file itself to .../predict, as in `curl --data-binary @photo.jpg`"
        raise InvalidRequest(f"input {spec.name!r} takes files, which JSON cannot hold: {hint}") from error
