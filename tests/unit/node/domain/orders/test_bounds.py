"""A node takes what lies within its limits, refuses the rest with a reason, and goes on with what it has."""

from dataclasses import replace

import msgspec
import pytest

from ganglion.node.domain.orders import bounds
from ganglion.node.domain.orders.bounds import Bounded
from ganglion.trust.envelope import AllowedModel, Bounds, NamedAction
from ganglion.trust.limits import BUILT_IN, BUILT_IN_SETTINGS, InForce, why_out_of
from ganglion.wire.desired import (
    AgentOptions,
    Assignment,
    CollectionSettings,
    DeploymentPolicy,
    DesiredState,
    NodeCommand,
)
from unit.node.builders import a_desired, an_assignment


def within(desired: DesiredState, limits: InForce = BUILT_IN, held: DesiredState | None = None) -> Bounded:
    return bounds.bounded(desired, limits, held=held)


def taken(found: Bounded) -> DesiredState:
    assert found.desired is not None
    return found.desired


def with_settings(**settings: Bounds) -> InForce:
    told = {key.replace("__", "."): value for key, value in settings.items()}
    return replace(BUILT_IN, settings={**BUILT_IN_SETTINGS, **told})


def collecting(**fields: object) -> DesiredState:
    return msgspec.structs.replace(a_desired(2), collection=msgspec.structs.replace(CollectionSettings(), **fields))


def test_what_lies_within_the_limits_is_taken_as_it_is() -> None:
    desired = a_desired(1, an_assignment("2"))

    assert within(desired) == Bounded(desired)


def test_a_setting_out_of_bounds_is_refused_and_the_rest_goes_on() -> None:
    found = within(collecting(random_share=5.0, confidence_below=0.3))

    assert taken(found).collection == CollectionSettings(confidence_below=0.3)
    assert found.reason == "collection.random_share: 5 is above 1"


def test_a_refused_setting_stays_at_what_the_node_has() -> None:
    found = within(collecting(random_share=-1.0), held=collecting(random_share=0.5))

    assert taken(found).collection.random_share == 0.5


def test_neither_a_default_nor_an_old_value_gets_out_of_narrower_bounds() -> None:
    narrow = with_settings(collection__random_share=Bounds(max=0.01), collection__bytes_per_hour=Bounds(max=10.5))

    found = within(collecting(), narrow, held=collecting(random_share=0.5))

    assert taken(found).collection.random_share == 0.01
    assert taken(found).collection.bytes_per_hour == 10
    assert len(found.refusals) == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_what_is_no_number_is_refused_whether_or_not_it_has_bounds(value: float) -> None:
    unbounded = replace(BUILT_IN, settings={})

    assert taken(within(collecting(confidence_below=value), unbounded)).collection == CollectionSettings()


@pytest.mark.parametrize("section", [CollectionSettings, AgentOptions, DeploymentPolicy])
@pytest.mark.parametrize("value", [-1, 1 << 52])
def test_no_number_of_a_hub_is_without_bounds_on_both_sides(section: type[msgspec.Struct], value: int) -> None:
    plain, names = section(), {CollectionSettings: "collection", AgentOptions: "agent", DeploymentPolicy: "policy"}
    numbers = [each for each in section.__struct_fields__ if type(getattr(plain, each)) in (int, float)]

    unbounded = [each for each in numbers if not out_of(f"{names[section]}.{each}", value)]

    assert len(numbers) >= 5
    assert unbounded == []


def out_of(key: str, value: float) -> str:
    return why_out_of(BUILT_IN_SETTINGS.get(key, Bounds()), value)


def test_endless_texts_are_refused() -> None:
    desired = msgspec.structs.replace(a_desired(2), agent=AgentOptions(log_level="x" * 5000))

    assert taken(within(desired, replace(BUILT_IN, settings={}))).agent == AgentOptions()


def test_a_model_that_may_not_run_is_refused_and_the_others_go_on() -> None:
    limits = replace(BUILT_IN, models=(AllowedModel(name="met*"),))
    foreign = msgspec.structs.replace(an_assignment("9"), model="miner")

    found = within(a_desired(2, an_assignment("2"), foreign), limits)

    assert taken(found).assignments == (an_assignment("2"),)
    assert found.kept == {"miner"}
    assert "'miner' '9': the envelope does not let it run here" in found.reason


def refused_wishes() -> list[Assignment]:
    wish = an_assignment("2")
    return [
        msgspec.structs.replace(wish, size_bytes=1 << 60),
        msgspec.structs.replace(wish, size_bytes=-1),
        msgspec.structs.replace(wish, policy=DeploymentPolicy(error_rate_max=2.0)),
        msgspec.structs.replace(wish, policy=DeploymentPolicy(probation_s=1e12)),
        msgspec.structs.replace(wish, policy=DeploymentPolicy(latency_ratio_max=float("inf"))),
        msgspec.structs.replace(wish, policy=DeploymentPolicy(install_windows=("x",) * 1000)),
    ]


@pytest.mark.parametrize("wish", refused_wishes())
def test_a_model_whose_wish_is_refused_stays_with_the_wish_before(wish: Assignment) -> None:
    found = within(a_desired(2, wish), held=a_desired(1, an_assignment("1")))

    assert taken(found).assignments == (an_assignment("1"),)
    assert found.kept == {"meter"}


def test_a_site_may_demand_a_longer_probation_than_the_hub_asks_for() -> None:
    limits = with_settings(policy__probation_s=Bounds(min=60.0))

    assert "policy.probation_s: 5 is below 60" in within(a_desired(2, an_assignment("2")), limits).reason


@pytest.mark.parametrize(
    "desired",
    [
        a_desired(2, *(msgspec.structs.replace(an_assignment(), model=f"m{number}") for number in range(65))),
        msgspec.structs.replace(a_desired(2), commands=tuple(NodeCommand(str(n), "report", 1.0) for n in range(33))),
        msgspec.structs.replace(a_desired(2), agent=AgentOptions(log_level="x" * 2_000_000)),
        a_desired(2, an_assignment("1"), an_assignment("2")),
    ],
)
def test_a_state_that_cannot_be_meant_is_refused_as_a_whole(desired: DesiredState) -> None:
    found = within(desired, held=a_desired(1, an_assignment("1")))

    assert found.desired is None
    assert found.reason


def test_many_refusals_are_told_in_a_line_of_bounded_length() -> None:
    limits = replace(BUILT_IN, models=())
    wishes = [msgspec.structs.replace(an_assignment(), model=f"m{n}", version="v" * 900) for n in range(60)]

    reason = within(a_desired(2, *wishes), limits).reason

    assert len(reason) <= 1000


def test_commands_that_no_envelope_names_are_refused_by_id() -> None:
    disk = NamedAction(name="disk", command=("/bin/df",))
    asked = tuple(NodeCommand(name, name, 1.0) for name in ("report", "disk", "reboot", "collect"))
    desired = msgspec.structs.replace(a_desired(2), commands=asked)

    bare = within(desired)
    named = within(desired, replace(BUILT_IN, actions=(disk,), built_in=("report",)))

    assert [command.name for command in taken(bare).commands] == ["report", "collect"]
    assert dict(bare.refused_commands).keys() == {"disk", "reboot"}
    assert [command.name for command in taken(named).commands] == ["report", "disk"]
    assert dict(named.refused_commands).keys() == {"reboot", "collect"}


@pytest.mark.parametrize(
    ("entries", "signers", "may"),
    [
        (None, (), True),
        ((AllowedModel(name="*"),), ("abcdef0123456789",), True),
        ((AllowedModel(name="meter", publishers=("abcdef01",)),), ("abcdef0123456789",), True),
        ((AllowedModel(name="meter", publishers=("abcdef01",)),), ("0123456789abcdef",), False),
        ((AllowedModel(name="meter", publishers=("abcdef01",)),), (), False),
        ((AllowedModel(name="meter", publishers=("abcdef01",)),), ("abcdef0123456789", "0123456789abcdef"), False),
    ],
)
def test_a_model_runs_when_a_publisher_whom_the_envelope_names_signs_it(
    entries: tuple[AllowedModel, ...] | None, signers: tuple[str, ...], *, may: bool
) -> None:
    limits = replace(BUILT_IN, models=entries)

    assert (bounds.why_not_published("meter", signers, limits) == "") is may
