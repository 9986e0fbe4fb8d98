"""The shell of the update machine, with a fake link, a fake serving process and a store in memory."""

from pathlib import Path

import anyio
import msgspec
import pytest

from ganglion.core.errors import GanglionError, HubUnreachable
from ganglion.core.identity_errors import Unauthenticated
from ganglion.core.trust_errors import ArtifactUntrusted, AssignmentOutdated
from ganglion.node.domain.update.reconcile import ModelState, NodeState
from ganglion.node.domain.update.table import Update, UpdateEffect
from ganglion.node.services.places import Places
from ganglion.node.services.update.effects import Outcome
from ganglion.ports.serving_control import (
    ServingStatus,
)
from ganglion.wire.desired import DeploymentPolicy, DesiredState, UpdateState
from unit.node.builders import a_desired, an_assignment, an_installed
from unit.node.update_bench import Bench, healthy, serving_version_1


def test_a_version_that_nobody_asks_commits_when_the_policy_demands_no_answers(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.take(a_desired(1, an_assignment("1", policy=DeploymentPolicy(probation_s=1.0, inferences_min=0))))
    bench.step_until_still()

    bench.clock.advance(2.0)
    bench.step_until_still()

    assert bench.model.committed == an_installed("1")


def test_an_offered_version_reaches_probation_and_then_waits_for_traffic(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)

    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    assert bench.state_now is UpdateState.PROBATION
    assert bench.serving.active == {"meter": "2"}


def test_probation_with_good_behaviour_commits_and_becomes_what_serving_starts_from(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    bench.serving.behaviour["2"] = healthy()
    bench.run(bench.updates.step)
    bench.clock.advance(6.0)
    bench.step_until_still()

    assert bench.model.committed == an_installed("2")
    assert bench.model.spare == an_installed("1")
    written = bench.files[-1].models["meter"]
    assert (written.version, written.spare and written.spare.version) == ("2", "1")
    assert bench.serving.loaded["meter"] == {"2"}
    assert bench.event_names() == ["update.offered", "update.committed"]


def test_a_version_that_answers_wrong_is_rolled_back_with_the_network_gone(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2", policy=DeploymentPolicy(compared_min=20))))
    bench.step_until_still()
    wrong = healthy()
    wrong.count_comparison(compared=40, agreed=4, latency_us=100)

    bench.serving.behaviour["2"] = wrong
    bench.step_until_still()

    assert bench.serving.active == {"meter": "1"}
    assert bench.serving.loaded["meter"] == {"1"}
    assert bench.store.events[-1].name == "update.rolled_back"
    assert "agreement" in bench.store.events[-1].reason
    assert bench.files[-1].models["meter"].version == "1"


def test_the_hub_can_call_a_version_back_during_its_probation(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    bench.take(a_desired(2, an_assignment("1", rollout="r2")))
    bench.step_until_still()

    assert bench.serving.active == {"meter": "1"}
    assert bench.model.update is None
    assert bench.event_names() == ["update.offered", "update.rolled_back"]


@pytest.mark.parametrize("trouble", [HubUnreachable("no route"), Unauthenticated("revoked")])
def test_a_hub_that_gives_no_answer_delays_an_update_and_does_not_fail_it(
    tmp_path: Path, trouble: GanglionError
) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.DOWNLOAD] = trouble
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    del bench.effects.failing[UpdateEffect.DOWNLOAD]
    bench.clock.advance(60.0)
    bench.step_until_still()

    assert bench.state_now is UpdateState.PROBATION


def test_bytes_that_were_not_signed_end_the_update_and_nothing_changes(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.DOWNLOAD] = ArtifactUntrusted("another hash")

    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    assert bench.model.failed == an_assignment("2")
    assert bench.serving.active == {"meter": "1"}
    assert "artifact_untrusted" in bench.store.events[-1].reason


def test_a_failed_version_is_not_tried_again_when_the_same_wish_arrives_again(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.PROVE] = ArtifactUntrusted("x")
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()
    bench.effects.failing.clear()

    bench.take(a_desired(2, an_assignment("2")))
    bench.step_until_still()

    assert bench.state_now is None
    assert bench.serving.active == {"meter": "1"}


@pytest.mark.parametrize("state", [*[*UpdateState][:6], UpdateState.PROBATION])
def test_an_agent_that_was_killed_in_any_state_finishes_the_update(tmp_path: Path, state: UpdateState) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    while bench.state_now is not state:
        bench.run(bench.updates.step)
    assert bench.store.saved is not None

    bench.updates = bench.restarted(msgspec.msgpack.decode(bench.store.saved, type=NodeState))
    bench.run(bench.updates.resume)
    bench.step_until_still()
    bench.serving.behaviour["2"] = healthy()
    bench.run(bench.updates.step)
    bench.clock.advance(6.0)
    bench.step_until_still()

    assert bench.model.committed == an_installed("2")
    assert bench.event_names() == ["update.offered", "update.committed"]


def test_serving_that_dies_once_during_probation_is_given_the_version_again(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    bench.serving.die()
    bench.step_until_still()

    assert bench.state_now is UpdateState.PROBATION
    assert bench.serving.active == {"meter": "2"}


def test_serving_that_dies_again_and_again_goes_back_to_the_known_good_version(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))

    for _ in range(2):
        bench.step_until_still()
        bench.serving.die()
    bench.step_until_still()

    assert bench.serving.active == {"meter": "1"}
    assert bench.model.committed == an_installed("1")
    assert "lost 2 times" in bench.store.events[-1].reason


def test_a_model_that_the_hub_wants_no_more_is_unloaded(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)

    bench.take(a_desired(1))
    bench.step_until_still()

    assert bench.serving.loaded["meter"] == set()
    assert bench.event_names() == ["model.removed"]


def test_a_root_that_arrives_before_the_word_it_asks_for_delays_an_update_and_does_not_fail_it(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.TRUST] = AssignmentOutdated("the root names another key")
    bench.take(a_desired(1, msgspec.structs.replace(an_assignment("2"), statement_key="old")))
    bench.step_until_still()

    assert bench.state_now is UpdateState.PRECHECKED
    assert bench.model.failed is None
    (status,) = bench.updates.statuses(None)
    assert status.reason.startswith("assignment_outdated")


def test_an_assignment_signed_with_the_next_key_goes_on_with_the_same_update(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.TRUST] = HubUnreachable("no route")
    bench.take(a_desired(1, msgspec.structs.replace(an_assignment("2"), statement_key="old")))
    bench.step_until_still()

    bench.take(a_desired(2, msgspec.structs.replace(an_assignment("2"), statement_key="next")))
    bench.effects.failing.clear()
    bench.step_until_still()

    assert bench.model.update is not None
    assert bench.model.update.assignment.statement_key == "next"
    assert bench.state_now is UpdateState.PROBATION
    assert bench.event_names() == ["update.offered"], "it is one attempt"


def test_a_version_that_replaces_another_under_way_is_told_of_as_offered(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))

    bench.take(a_desired(2, an_assignment("3", rollout="r3")))

    told = [(event.name, event.version) for event in bench.store.events]
    assert told == [("update.offered", "2"), ("update.rolled_back", "2"), ("update.offered", "3")]


def test_a_download_is_wanted_until_the_hub_wants_something_else(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.LOAD] = HubUnreachable("stays here")
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()
    before = bench.updates.state.models["meter"].update
    assert before is not None
    assert before.state is UpdateState.VERIFIED
    is_wanted = bench.effects.is_wanted
    assert is_wanted()

    bench.take(a_desired(2, an_assignment("1", rollout="r2")))

    assert not is_wanted()


def test_room_on_the_disk_is_asked_for_with_all_updates_in_mind(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    other = msgspec.structs.replace(an_assignment("7"), model="other")

    bench.take(a_desired(1, an_assignment("2"), other))
    bench.run(bench.updates.step)

    assert bench.effects.others in ((other,), (an_assignment("2"),))


def test_an_older_wish_changes_nothing(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(5, an_assignment("1")))

    assert bench.take(a_desired(4, an_assignment("2"))) is False
    assert bench.state_now is None


@pytest.mark.parametrize(
    "wish", [a_desired(2, an_assignment("1", rollout="r2")), a_desired(2)], ids=["abort", "removal"]
)
def test_a_version_that_is_called_back_while_it_is_brought_does_not_come_to_life(
    tmp_path: Path, wish: DesiredState
) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))

    async def the_hub_changes_its_mind_in_the_middle_of_a_download() -> None:
        reached, ended = anyio.Event(), anyio.Event()
        perform = bench.effects.perform

        async def slowly(update: Update, model: ModelState, status: ServingStatus, **options: object) -> Outcome:
            if update.effect is UpdateEffect.DOWNLOAD:
                reached.set()
                await ended.wait()
            return await perform(update, model, status)

        bench.effects.perform = slowly  # type: ignore[method-assign]  # the script of this test
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drive)
            await reached.wait()
            await bench.updates.take(wish)
            ended.set()

    async def drive() -> None:
        while await bench.updates.step():
            pass

    anyio.run(the_hub_changes_its_mind_in_the_middle_of_a_download)
    bench.step_until_still()

    assert "2" not in bench.serving.loaded["meter"]
    assert all(model.update is None for model in bench.updates.state.models.values())
    assert "update.committed" not in bench.event_names()


def test_what_was_downloaded_of_a_withdrawn_version_is_removed(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    places = Places(tmp_path)
    places.downloads.mkdir()
    part = places.download(an_assignment("2")).with_suffix(".part")
    bench.take(a_desired(1, an_assignment("2")))
    part.write_bytes(b"half of it")
    bench.run(bench.updates.keep_house)
    kept = part.exists()

    bench.take(a_desired(2, an_assignment("1", rollout="r2")))
    bench.step_until_still()

    assert (kept, part.exists()) == (True, False)
