import msgspec
import pytest

from ganglion.core import manifest
from ganglion.core.batching_rules import BatchingRules
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Manifest, TensorSpec, describe_member


def a_manifest(**members: object) -> Manifest:
    return msgspec.structs.replace(
        Manifest(
            name=ModelName("gate"),
            version=Version("1"),
            inputs=(TensorSpec("x", "FP32", (-1, 2)),),
            outputs=(TensorSpec("y", "FP32", (-1, 2)),),
            members={"model.onnx": describe_member(b"m")},
        ),
        **members,
    )


def test_batching_is_off_unless_somebody_asks_for_it() -> None:
    assert not BatchingRules().is_on
    assert BatchingRules(max_size=2).is_on


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_size": 0},
        {"max_size": 65_537},
        {"max_size": 4, "preferred_sizes": [8]},
        {"max_size": 4, "preferred_sizes": [0]},
        {"max_delay_us": -1},
        {"queue_len_max": 0},
        {"max_sise": 4},
    ],
)
def test_rules_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, BatchingRules)


def test_a_package_may_advise_rules() -> None:
    advised = a_manifest(batching=BatchingRules(max_size=16, preferred_sizes=(8,)))

    assert manifest.parse(manifest.encode(advised)).batching == advised.batching


def test_a_manifest_without_advice_says_nothing_of_it() -> None:
    encoded = manifest.encode(a_manifest())

    assert b"batching" not in encoded
    assert manifest.parse(encoded).batching is msgspec.UNSET
