"""Which of several chosen values a node gets: laws of the order default, fleet, group, site, node."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain.nodes import node_settings
from ganglion.hub.domain.nodes.node_settings import Documents, Layer, Whose

KEYS = ("collection.random_share", "collection.confidence_below")
GROUPS = ("alpha", "beta", "gamma")
VALUES = st.integers(1, 99).map(lambda hundredths: f"0.{hundredths:02}".rstrip("0"))
LAYERS = st.dictionaries(st.sampled_from(KEYS), VALUES)
WHOSE = Whose(node_id="n", name="gate", site="north", groups=GROUPS)


def layer(values: dict[str, str]) -> Layer:
    return {key: msgspec.Raw(value.encode()) for key, value in values.items()}


@st.composite
def documents(draw: st.DrawFn) -> Documents:
    return Documents(
        fleet=layer(draw(LAYERS)),
        groups={name: layer(draw(LAYERS)) for name in GROUPS},
        priorities=draw(st.dictionaries(st.sampled_from(GROUPS), st.integers(-3, 3))),
        sites={"north": layer(draw(LAYERS)), "south": layer(draw(LAYERS))},
        nodes={"n": layer(draw(LAYERS)), "other": layer(draw(LAYERS))},
    )


def from_narrow_to_wide(found: Documents) -> list[tuple[str, Layer]]:
    """Return the order as the documentation states it, written another way."""
    ranked = sorted(((found.priorities.get(name, 0), name) for name in GROUPS), reverse=True)
    groups = [(f"group {name}", found.groups[name]) for _, name in ranked]
    return [("node gate", found.nodes["n"]), ("site north", found.sites["north"]), *groups, ("fleet", found.fleet)]


@given(documents())
def test_the_narrowest_that_says_anything_wins_for_each_key_by_itself(found: Documents) -> None:
    chosen = node_settings.explained(found, WHOSE)

    for key in KEYS:
        said = [(source, bytes(values[key]).decode()) for source, values in from_narrow_to_wide(found) if key in values]
        told = [(chosen[key].source, chosen[key].value), *chosen[key].overridden]
        assert told[: len(said)] == said
        assert len(told) == len(said) + 1
        assert told[-1][0] == "default"


@given(documents(), st.permutations(GROUPS))
def test_in_which_order_a_node_came_to_its_groups_does_not_matter(found: Documents, order: list[str]) -> None:
    shuffled = Whose(node_id="n", name="gate", site="north", groups=tuple(order))

    assert node_settings.explained(found, shuffled) == node_settings.explained(found, WHOSE)


@given(documents())
def test_what_is_said_of_others_changes_nothing(found: Documents) -> None:
    alone = msgspec.structs.replace(
        found, sites={"north": found.sites["north"]}, nodes={"n": found.nodes["n"]}, groups={}, priorities={}
    )
    outside = Whose(node_id="n", name="gate", site="north")

    assert node_settings.explained(found, outside) == node_settings.explained(alone, outside)


@given(documents(), st.sampled_from(KEYS))
def test_unsetting_what_is_narrowest_leaves_what_it_overrode(found: Documents, key: str) -> None:
    before = node_settings.explained(found, WHOSE)[key]
    own = node_settings.changed(found.nodes["n"], put={}, drop=[key])

    after = node_settings.explained(msgspec.structs.replace(found, nodes={"n": own}), WHOSE)[key]

    expected = before.overridden[0] if before.source == "node gate" else (before.source, before.value)
    assert (after.source, after.value) == expected


def test_the_time_zone_of_a_declared_site_wins_over_the_fleets_and_not_over_the_sites_own_settings() -> None:
    fleet = Documents(fleet=layer({"agent.time_zone": '"Etc/UTC"'}))
    at_site = Whose(node_id="n", name="gate", site="north", site_zone="Europe/Lisbon")

    declared = node_settings.explained(fleet, at_site)["agent.time_zone"]
    own = Documents(sites={"north": layer({"agent.time_zone": '"Asia/Tokyo"'})})

    assert (declared.value, declared.source) == ('"Europe/Lisbon"', "site north")
    assert node_settings.explained(own, at_site)["agent.time_zone"].value == '"Asia/Tokyo"'


def test_a_key_that_this_release_does_not_know_has_no_effect() -> None:
    found = Documents(fleet=layer({"collection.from_another_release": "7"}))

    assert "collection.from_another_release" not in node_settings.explained(found, WHOSE)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("collection.random_share", "1.5"),
        ("collection.random_share", "NaN"),
        ("collection.random_share", "-0.1"),
        ("agent.log_level", "loud"),
        ("agent.time_zone", "x" * 3000),
        ("agent.nothing", "1"),
    ],
)
def test_what_can_be_no_value_is_refused(key: str, text: str) -> None:
    with pytest.raises(InvalidRequest):
        node_settings.parsed(key, text)
