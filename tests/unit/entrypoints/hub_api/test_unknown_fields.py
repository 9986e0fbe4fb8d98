"""A body with a field that nobody declared is refused, and says which one was meant."""

import pytest

from ganglion.entrypoints.hub_api.unknown_fields import unknown_field
from ganglion.wire.experiment_resources import ExperimentRequest
from ganglion.wire.fleet_resources import FleetImport
from ganglion.wire.rollout_resources import RolloutRequest


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"stagez": []}, "'stagez' here; did you mean stages?"),
        ({"gate": {"soak": 1}}, "'gate.soak' here; did you mean gate.soak_s?"),
        ({"zzz": 1}, "'zzz' here"),
    ],
)
def test_the_field_is_named_and_what_may_have_been_meant(body: object, told: str) -> None:
    said = unknown_field(RolloutRequest, body)

    assert said == f"body: there is no field {told}"


def test_fields_within_a_list_are_looked_at() -> None:
    said = unknown_field(ExperimentRequest, {"arms": [{"version": "2"}, {"vision": "3"}]})

    assert said == "body: there is no field 'arms.1.vision' here; did you mean arms.1.version?"


def test_fields_of_what_has_a_name_are_looked_at() -> None:
    said = unknown_field(FleetImport, {"fleet": {"sites": {"porto": {"timezone": "Europe/Lisbon"}}}})

    assert said == (
        "body: there is no field 'fleet.sites.porto.timezone' here; did you mean fleet.sites.porto.time_zone?"
    )


@pytest.mark.parametrize("body", [{"stages": ["100%"], "gate": {"soak_s": 1.0}}, {}, [], None, "text", {"gate": 3}])
def test_what_is_declared_or_no_object_is_left_to_the_types(body: object) -> None:
    said = unknown_field(RolloutRequest, body)

    assert said == ""
