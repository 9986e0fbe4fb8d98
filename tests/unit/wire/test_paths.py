import pytest

from ganglion.core.ids import Digest, RolloutId
from ganglion.wire import paths

CONSTANTS = {name: value for name, value in vars(paths).items() if name.isupper()}


def test_every_path_lies_under_the_versioned_api() -> None:
    assert all(value.startswith("/api/v1") for value in CONSTANTS.values())


def test_no_two_names_are_one_path() -> None:
    assert len(set(CONSTANTS.values())) == len(CONSTANTS)


@pytest.mark.parametrize(
    ("built", "path"),
    [
        (paths.rollout(RolloutId("r1")), "/api/v1/rollouts/r1"),
        (paths.rollout(RolloutId("r1"), "abort"), "/api/v1/rollouts/r1/abort"),
        (paths.dataset("meters", 2), "/api/v1/datasets/meters/2"),
        (paths.target_path("digits", "1", "int8"), "models/digits/1/int8.ganglion"),
        (paths.artifact_name(Digest("ab" + "0" * 62)), "ab/ab" + "0" * 62),
    ],
)
def test_a_path_is_built_in_one_way(built: str, path: str) -> None:
    assert built == path
