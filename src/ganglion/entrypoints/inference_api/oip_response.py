"""Encodes a model's answer: JSON, or JSON followed by the bytes of tensors.

JSON has no NaN: an output that is not a number is null there. Clients that need it ask for binary data.
"""

import numpy as np
import orjson

from ganglion.core.steps import DATATYPES, Tensor
from ganglion.entrypoints.inference_api.messages import Response
from ganglion.entrypoints.inference_api.oip_request import OutputChoice
from ganglion.node.services.serving import Inferred

_BINARY_TYPE = "application/octet-stream"
_HEADER_LENGTH = "Inference-Header-Content-Length"


def encode(inferred: Inferred, choice: OutputChoice) -> Response:
    """Return the response with the chosen outputs, in the order in which they were asked for."""
    outputs: list[dict[str, object]] = []
    blobs: list[bytes] = []
    for name in choice.names or inferred.answer.outputs:
        tensor = inferred.answer.outputs[name]
        item: dict[str, object] = {"name": name, "datatype": DATATYPES[tensor.dtype], "shape": tensor.shape}
        if choice.is_binary(name):
            blob = tensor.tobytes()
            blobs.append(blob)
            item["parameters"] = {"binary_data_size": len(blob)}
        else:
            item["data"] = _flat(tensor)
        outputs.append(item)
    document = {
        "model_name": inferred.name.model,
        "model_version": inferred.name.version,
        "id": inferred.name.request_id,
        "outputs": outputs,
    }
    head = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if not blobs:
        return Response(200, (head,))
    return Response(200, (head, *blobs), _BINARY_TYPE, ((_HEADER_LENGTH, str(len(head))),))


def _flat(tensor: Tensor) -> Tensor:
    return np.ascontiguousarray(tensor).reshape(-1)
