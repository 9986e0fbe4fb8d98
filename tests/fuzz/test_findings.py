"""What campaigns found, by name: each input broke the program once, and goes on being tried."""

import pytest

from fuzz.campaign import Case
from fuzz.honest import post
from fuzz.http_target import HttpTarget


def binary(model: str, head: bytes, blob: bytes) -> bytes:
    return post(f"/v2/models/{model}/infer", head + blob, len(head))


FOUND = {
    "an output that is no text is asked for as text": binary(
        "words",
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"BYTES","parameters":{"binary_data_size":10}}]}',
        b"\x01\0\0\0a\x01\0\0\0\xff",
    ),
    "scores to classify hold a signalling NaN": binary(
        "bf16",
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"BF16","parameters":{"binary_data_size":4}}],'
        b'"outputs":[{"name":"probabilities","parameters":{"classification":1}}]}',
        b"\x81\x7f\0\0",
    ),
    "the lowest 64-bit number is no half-precision number": post(
        "/v2/models/fp16/infer",
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP16","data":[1,-9223372036854775808]}]}',
    ),
    "the lowest 64-bit number is a single-precision number": post(
        "/v2/models/steer/infer",
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,-9223372036854775808]}]}',
    ),
}
ACCEPTED = {"scores to classify hold a signalling NaN", "the lowest 64-bit number is a single-precision number"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_is_answered_as_it_should_be(name: str) -> None:
    target = HttpTarget()

    answer = target.run(Case("framed", (FOUND[name],), (5,)))

    target.close()
    assert answer == ("200" if name in ACCEPTED else "400")
