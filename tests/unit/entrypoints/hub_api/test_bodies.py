"""A large body that is not what it has to be is refused for its first place, and not for each of a million."""

import pytest

from ganglion.entrypoints.hub_api.bodies import VALUES_MANY, first_misfit
from ganglion.wire.fleet_resources import FleetImport
from ganglion.wire.rollout_resources import RolloutRequest

REQUEST = {"model": "digits", "version": "2"}


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        (
            RolloutRequest,
            {**REQUEST, "windows": [1] * VALUES_MANY},
            "body: Expected `str`, got `int` - at `$.windows[0]`",
        ),
        (FleetImport, {"fleet": {"nodes": [{}] * 2 * VALUES_MANY}}, "body: Object missing required field `name`"),
        (FleetImport, {"fleet": {"groups": {f"g{n}": 1 for n in range(VALUES_MANY + 1)}}}, "body: Expected `object`"),
    ],
)
def test_the_first_place_alone_is_told(kind: object, body: object, told: str) -> None:
    said = first_misfit(kind, body)

    assert said.startswith(told)


@pytest.mark.parametrize(
    "body",
    [
        {**REQUEST, "windows": ["sun"] * 2 * VALUES_MANY},
        {**REQUEST, "windows": [1]},
        {"model": ["x"] * (VALUES_MANY - 1)},
        None,
        "x" * 10 * VALUES_MANY,
    ],
)
def test_what_fits_and_what_is_small_is_left_to_the_types(body: object) -> None:
    said = first_misfit(RolloutRequest, body)

    assert said == ""
