import hashlib

import msgspec
import numpy as np
import pytest

from ganglion.core.errors import InvalidRequest, TooLarge
from ganglion.wire import codec, sample_parting
from ganglion.wire.records import SampleByContent
from unit.hub.records import result, sample

INLINE_BYTES_MAX = 1000


def payload_of(size_bytes: int, *, seed: int = 1, confidence: float = 0.5) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (1, size_bytes), dtype=np.uint8)
    return codec.encode_packed(sample(noise, confidence=confidence))


def parted(payload: bytes) -> tuple[SampleByContent, bytes]:
    found = sample_parting.part(payload, inline_bytes_max=INLINE_BYTES_MAX)
    assert found is not None
    return codec.decode_packed(found.payload, SampleByContent), found.content


def test_a_parted_sample_is_put_together_to_the_very_bytes_that_the_node_made() -> None:
    payload = payload_of(5000)

    named, content = parted(payload)

    assert sample_parting.join(named, content) == payload
    assert named.sha256 == hashlib.sha256(content).hexdigest()
    assert len(named.before) + len(named.after) < 200


def test_fields_of_a_later_release_survive_the_parting() -> None:
    document = msgspec.msgpack.decode(payload_of(5000))
    payload = msgspec.msgpack.encode({"weather": "rain", **document, "mood": "good"})

    assert sample_parting.join(*parted(payload)) == payload


def test_the_same_inputs_are_the_same_content_whatever_was_answered() -> None:
    one, other = parted(payload_of(5000, confidence=0.1))[0], parted(payload_of(5000, confidence=0.9))[0]

    assert one.sha256 == other.sha256
    assert one != other


@pytest.mark.parametrize(
    "payload",
    [
        payload_of(500),
        codec.encode_packed(sample(np.zeros((1, 100_000), np.uint8))),
        codec.encode_packed(result()) * 100,
        b"\xc1" * 5000,
        b"",
    ],
    ids=["small", "small when compressed", "no sample", "nonsense", "nothing"],
)
def test_what_is_small_or_no_sample_travels_as_it_is(payload: bytes) -> None:
    assert sample_parting.part(payload, inline_bytes_max=INLINE_BYTES_MAX) is None


@pytest.mark.parametrize("size_bytes", [-1, 0, 60, 4999, 6000, 1 << 60])
def test_a_record_that_lies_about_its_size_is_refused(size_bytes: int) -> None:
    named, content = parted(payload_of(5000))

    with pytest.raises((InvalidRequest, TooLarge)):
        sample_parting.join(msgspec.structs.replace(named, size_bytes=size_bytes), content)
