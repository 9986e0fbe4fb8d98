"""A request that a model answers, made from its own golden inputs: what to try first, and what to measure with."""

import numpy as np
import orjson

from ganglion.adapters.package_files import read_golden
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import Tensor
from ganglion.entrypoints.local_packages import OpenPackage


def example_request(package: OpenPackage) -> bytes:
    """Return the body of an Open Inference Protocol request: one golden row of every input, as JSON."""
    inputs, _ = read_golden(package.directory, package.manifest)
    tensors = [_tensor(spec, inputs[spec.name]) for spec in package.manifest.inputs]
    return orjson.dumps({"inputs": tensors}, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)


def _tensor(spec: TensorSpec, golden: Tensor) -> dict[str, object]:
    has_batch = bool(spec.shape) and spec.shape[0] == -1
    row = np.ascontiguousarray(golden[:1] if has_batch else golden)
    # A half-precision number has no form in JSON that every client agrees on; a single-precision one has.
    values = row.astype(np.float32) if row.dtype == np.float16 else row
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(row.shape), "data": values.ravel()}
