"""How a client names a sequence in the Open Inference Protocol."""

import json

import numpy as np
import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.inference_api.oip_request import RequestDecoder
from ganglion.node.domain.serving.sequences import SequencePlace


def json_body(parameters: dict[str, object]) -> bytes:
    item = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0.25, 0.75]}
    return json.dumps({"parameters": parameters, "inputs": [item]}).encode()


def binary_body(parameters: dict[str, object]) -> tuple[bytes, bytes]:
    """Return a body, and the length of its JSON."""
    item = {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    head = json.dumps({"parameters": parameters, "inputs": [item]}).encode()
    return head + np.zeros(2, np.float32).tobytes(), str(len(head)).encode()


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ({}, None),
        ({"sequence_id": 0, "sequence_start": True}, None),
        ({"sequence_id": ""}, None),
        ({"sequence_id": 7}, SequencePlace("7")),
        ({"sequence_id": "lamp", "sequence_start": True}, SequencePlace("lamp", is_first=True)),
        ({"sequence_id": "lamp", "sequence_end": True}, SequencePlace("lamp", is_last=True)),
    ],
)
def test_a_request_says_its_place_the_first_time_and_every_time(
    parameters: dict[str, object], place: SequencePlace | None
) -> None:
    decoder = RequestDecoder()

    for _ in range(3):
        assert decoder.decode(json_body(parameters), None).manner.place == place
        assert decoder.decode(*binary_body(parameters)).manner.place == place


@pytest.mark.parametrize("parameters", [{"sequence_id": 1.5}, {"sequence_id": ["a"]}, {"sequence_start": "yes"}])
def test_a_place_that_makes_no_sense_is_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match="sequence_"):
        RequestDecoder().decode(json_body(parameters), None)
