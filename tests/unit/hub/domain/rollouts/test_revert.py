"""How far each node is on its way back, and when that is done."""

from dataclasses import replace

import pytest

from ganglion.hub.domain.rollouts import revert as rollout_revert
from ganglion.hub.domain.rollouts.document import Previous, Rollout, RolloutState, Stage
from ganglion.hub.domain.rollouts.revert import NodeWay, Sight, Way
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings

ABORTED_S = 1000.0
SILENT_S = 600.0
NAMES = {"a": "gate-a", "b": "gate-b", "new": "gate-new"}
BACK = Sight(name="gate-a", heard_at_s=ABORTED_S + 5, is_current=True, committed="1")


def aborted() -> Rollout:
    return Rollout(
        rollout_id="r1",
        model="meter",
        version="2",
        state=RolloutState.ABORTED,
        stages=(Stage(share="100%", node_ids=("a", "b", "new"), started_at_s=0.0),),
        gate=GateSettings(),
        policy=DeploymentPolicy(),
        previous={"a": Previous("1", "fp32"), "b": Previous("1", "fp32"), "new": None},
        aborted_at_s=ABORTED_S,
        created_at_s=0.0,
        updated_at_s=ABORTED_S,
    )


def way(sight: Sight, node_id: str = "a", *, now_s: float = ABORTED_S + 10) -> Way:
    return rollout_revert.way_of(aborted(), node_id, sight, now_s=now_s, silent_after_s=SILENT_S).way


@pytest.mark.parametrize(
    ("sight", "expected"),
    [
        (BACK, Way.RETURNED),
        (replace(BACK, is_current=False), Way.RETURNING),
        (replace(BACK, committed="2", update_version="1", update_state="downloading"), Way.RETURNING),
        (replace(BACK, committed="2", update_version="1", update_state="rolled_back"), Way.FAILED),
        # What it failed before was the version of the rollout, and not the way back.
        (replace(BACK, committed="2", update_version="2", update_state="rolled_back"), Way.RETURNING),
        (replace(BACK, is_current=False, heard_at_s=ABORTED_S - 1), Way.SILENT),
        (replace(BACK, is_current=False, heard_at_s=None), Way.SILENT),
        (replace(BACK, committed="3", is_superseded=True), Way.RETURNED),
    ],
)
def test_a_node_is_where_its_newest_report_says(sight: Sight, expected: Way) -> None:
    assert way(sight) is expected


def test_a_node_that_fell_silent_on_its_way_is_silent_and_not_returning() -> None:
    assert way(replace(BACK, is_current=False), now_s=ABORTED_S + 5 + SILENT_S + 1) is Way.SILENT


def test_a_node_that_had_nothing_is_back_when_it_serves_nothing() -> None:
    assert way(replace(BACK, committed=""), "new") is Way.RETURNED
    assert way(replace(BACK, committed="2"), "new") is Way.RETURNING


def followed(rollout: Rollout, now_s: float = ABORTED_S + 20, **ways: Way) -> Rollout:
    return rollout_revert.followed(
        rollout, {node_id: NodeWay(each) for node_id, each in ways.items()}, NAMES, now_s=now_s
    )


def test_the_revert_is_done_when_every_node_that_can_be_reached_is_back() -> None:
    half = followed(aborted(), a=Way.RETURNED, b=Way.RETURNING)
    done = followed(half, a=Way.RETURNED, b=Way.RETURNED)

    assert half.reverted_at_s is None
    assert done.reverted_at_s == ABORTED_S + 20
    assert (done.history[-1].event, done.history[-1].reason) == ("reverted", "2 of 2 nodes are back")


def test_silent_nodes_do_not_hold_it_up_and_are_told() -> None:
    done = followed(aborted(), a=Way.RETURNED, b=Way.SILENT)

    assert done.reverted_at_s is not None
    assert done.history[-1].reason == "1 of 2 nodes are back, 1 silent"


def test_a_failed_node_holds_it_up() -> None:
    assert followed(aborted(), a=Way.RETURNED, b=Way.FAILED).reverted_at_s is None


def test_where_nobody_can_be_reached_nothing_is_done() -> None:
    rollout = aborted()

    assert followed(rollout, a=Way.SILENT, b=Way.SILENT) is rollout


def test_a_late_returner_is_noted_by_name_and_time() -> None:
    done = followed(aborted(), a=Way.RETURNED, b=Way.SILENT)

    late = followed(done, now_s=9e6, a=Way.RETURNED, b=Way.RETURNED)

    assert late.returned == {"a": ABORTED_S + 20, "b": 9e6}
    assert late.reverted_at_s == ABORTED_S + 20
    assert (late.history[-1].event, late.history[-1].reason) == ("returned_late", "gate-b; 2 of 2 nodes are back")


def test_nothing_new_changes_nothing() -> None:
    done = followed(aborted(), a=Way.RETURNED, b=Way.SILENT)

    assert followed(done, a=Way.RETURNED, b=Way.SILENT) is done


def test_it_is_followed_until_the_last_one_is_back() -> None:
    done = followed(aborted(), a=Way.RETURNED, b=Way.SILENT)
    late = followed(done, a=Way.RETURNED, b=Way.RETURNED)

    assert not rollout_revert.is_over(done, {"a": NodeWay(Way.RETURNED), "b": NodeWay(Way.SILENT)})
    assert rollout_revert.is_over(late, {"a": NodeWay(Way.RETURNED), "b": NodeWay(Way.RETURNED)})
