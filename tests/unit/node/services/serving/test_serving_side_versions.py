"""Several versions of one model that answer at a time: by name, by weight, and nobody who was not declared."""

from collections import Counter

import anyio
import pytest

from ganglion.core.errors import GanglionError, InvalidRequest, NotFound
from ganglion.core.serving_errors import ModelNotReady
from ganglion.node.domain.serving.sequences import SequencePlace
from ganglion.node.services.serving.answers import Inferred, InferRequest, Outcome
from ganglion.node.services.serving.commands import ServingCommands
from ganglion.ports.serving_control import Refused, ServingStatus, Status, Switch, Unload
from unit.node.serving_builders import ServingWorld, package_of, rows, version_of


@pytest.fixture
def world() -> ServingWorld:
    """Three versions are loaded, and none answers yet."""
    made = ServingWorld()
    for name in "123":
        made.add(version_of(name), active=False)
    return made


def switch(
    world: ServingWorld, version: str, *, beside: tuple[str, ...] = (), weights: dict[str, float] | None = None
) -> None:
    world.table.switch("steer", version, compare_with="", compare_share=0.0, beside=beside, weights=weights or {})


def who(world: ServingWorld, version: str = "", *, key: str = "", place: SequencePlace | None = None) -> str:
    """Return the version that answers, or the code of the error."""
    outcomes: list[Outcome] = []
    request = InferRequest("steer", version, "", rows((0.9, 0.1)), key=key, place=place)
    world.serving.answer(request, outcomes.append)
    [outcome] = outcomes
    return outcome.name.version if isinstance(outcome, Inferred) else outcome.code


def test_a_declared_side_version_answers_by_its_name_and_no_other_does(world: ServingWorld) -> None:
    switch(world, "3", beside=("1",))

    assert (who(world), who(world, "3"), who(world, "1")) == ("3", "3", "1")
    assert who(world, "2") == ModelNotReady.code
    assert who(world, "4") == NotFound.code
    assert world.serving.versions("steer") == ("1", "3")


def test_a_switch_that_declares_no_side_versions_takes_the_word_from_those_before(world: ServingWorld) -> None:
    switch(world, "3", beside=("1",))

    switch(world, "2")

    assert (who(world), who(world, "1"), who(world, "3")) == ("2", ModelNotReady.code, ModelNotReady.code)


def test_other_bytes_under_the_name_of_a_side_version_do_not_answer(world: ServingWorld) -> None:
    switch(world, "3", beside=("1",), weights={"1": 1.0, "3": 1.0})

    world.add(version_of("1"), active=False)

    assert who(world, "1") == ModelNotReady.code
    assert {who(world, key=f"user {number}") for number in range(50)} == {"3"}


def test_versions_with_weights_share_what_asks_for_none(world: ServingWorld) -> None:
    switch(world, "3", weights={"1": 1.0, "3": 3.0})

    counts = Counter(who(world) for _ in range(400))

    assert counts.keys() == {"1", "3"}
    assert 60 < counts["1"] < 140
    assert who(world, "1") == "1"


def test_a_key_stays_with_its_version(world: ServingWorld) -> None:
    switch(world, "3", weights={"1": 1.0, "3": 1.0})

    chosen = {key: {who(world, key=key) for _ in range(5)} for key in map(str, range(40))}

    assert all(len(versions) == 1 for versions in chosen.values())
    assert {version for versions in chosen.values() for version in versions} == {"1", "3"}


def test_a_sequence_stays_with_the_version_that_has_its_state(world: ServingWorld) -> None:
    switch(world, "3", weights={"1": 1.0, "3": 1.0})
    place = SequencePlace("row 7")

    assert len({who(world, key=str(number), place=place) for number in range(20)}) == 1


def test_a_version_that_is_asked_for_by_name_is_not_drawn(world: ServingWorld) -> None:
    switch(world, "3", weights={"1": 1.0, "3": 1.0})

    assert {who(world, "3", key=str(number)) for number in range(20)} == {"3"}


def test_an_endless_key_is_refused(world: ServingWorld) -> None:
    switch(world, "3", weights={"1": 1.0, "3": 1.0})

    assert who(world, key="k" * 257) == InvalidRequest.code


def test_a_version_that_goes_leaves_its_share_to_the_others(world: ServingWorld) -> None:
    switch(world, "3", beside=("2",), weights={"1": 1.0, "3": 1.0})

    world.table.remove("steer", "1")

    assert {who(world, key=str(number)) for number in range(20)} == {"3"}
    assert who(world, "1") == NotFound.code


def test_counts_begin_anew_for_versions_that_begin_to_answer_and_go_on_for_the_others(world: ServingWorld) -> None:
    switch(world, "3")
    who(world)

    switch(world, "3", weights={"1": 0.0, "3": 1.0})
    who(world)

    assert world.table.loaded("steer", "3").behaviour.requests == 2


def test_counts_begin_anew_for_a_side_version_that_becomes_the_active_one(world: ServingWorld) -> None:
    switch(world, "3", beside=("1",))
    who(world, "1")
    before = world.table.loaded("steer", "1").behaviour.requests

    switch(world, "1", beside=("3",))

    assert (before, world.table.loaded("steer", "1").behaviour.requests) == (1, 0)


@pytest.mark.parametrize("weights", [{"4": 1.0}, {"3": -1.0}, {"3": 0.0}])
def test_weights_that_cannot_be_honoured_change_nothing(world: ServingWorld, weights: dict[str, float]) -> None:
    switch(world, "3", beside=("1",))

    with pytest.raises(GanglionError):
        switch(world, "2", weights=weights)

    assert (who(world), who(world, "1")) == ("3", "1")


# --- by the agent's commands ----------------------------------------------------------------------


def test_the_agent_can_declare_versions_and_weights_and_sees_them(world: ServingWorld) -> None:
    commands = ServingCommands(
        table=world.table,
        recorder=world.recorder,
        open_package=lambda path: package_of(path.name),
        clock=world.clock,
        instance="i1",
    )

    async def tell() -> tuple[object, ...]:
        return (
            await commands.answer(Switch("steer", "3", beside=("2",), weights={"1": 1.0, "3": 9.0})),
            await commands.answer(Status()),
            await commands.answer(Switch("steer", "3", weights={"3": -1.0})),
            await commands.answer(Unload("steer", "1")),
            await commands.answer(Status()),
        )

    _, before, refused, _, after = anyio.run(tell)

    assert isinstance(before, ServingStatus)
    assert isinstance(after, ServingStatus)
    assert isinstance(refused, Refused)
    assert (before.models["steer"].beside, before.models["steer"].weights) == (("1", "2"), {"1": 1.0, "3": 9.0})
    assert (after.models["steer"].beside, after.models["steer"].weights) == (("2",), {"3": 9.0})
