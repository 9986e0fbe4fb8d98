import pytest

from ganglion.core.transitions import IllegalTransition
from ganglion.node.domain.update.table import ON_ENTRY, TRANSITIONS, Update, UpdateEffect, UpdateEvent
from ganglion.wire.desired import DeploymentPolicy, UpdateState
from unit.node.builders import an_assignment

HAPPY_PATH = (
    UpdateEvent.PRECHECKED,
    UpdateEvent.TRUSTED,
    UpdateEvent.DOWNLOADED,
    UpdateEvent.LOADED,
    UpdateEvent.PROVED,
    UpdateEvent.SWITCHED,
)


def update_after(*events: UpdateEvent, policy: DeploymentPolicy | None = None) -> Update:
    update = Update(assignment=an_assignment(policy=policy))
    for event in events:
        update = update.after(event)
    return update


def test_a_healthy_probation_commits_the_version() -> None:
    update = update_after(*HAPPY_PATH)

    committed = update.after(UpdateEvent.HEALTHY)

    assert committed.state is UpdateState.COMMITTED
    assert committed.effect is UpdateEffect.COMMIT


def test_a_failed_probation_rolls_back_with_its_reason() -> None:
    update = update_after(*HAPPY_PATH)

    failed = update.after(UpdateEvent.FAILED, reason="error rate 0.4")

    assert (failed.state, failed.reason) == (UpdateState.ROLLED_BACK, "error rate 0.4")


@pytest.mark.parametrize("state", [state for state in UpdateState if state not in TRANSITIONS.final])
def test_every_open_state_knows_failure_withdrawal_and_both_kinds_of_restart(state: UpdateState) -> None:
    events = set(TRANSITIONS.events(state))

    assert {UpdateEvent.FAILED, UpdateEvent.WITHDRAWN, UpdateEvent.RESTARTED, UpdateEvent.SERVING_LOST} <= events


def test_every_state_has_an_effect() -> None:
    assert set(ON_ENTRY) == set(UpdateState)


def test_an_interrupted_download_is_resumed_after_a_restart() -> None:
    update = update_after(UpdateEvent.PRECHECKED, UpdateEvent.TRUSTED)

    assert update.after(UpdateEvent.RESTARTED).effect is UpdateEffect.DOWNLOAD


@pytest.mark.parametrize("count", [4, 5])
def test_a_restart_between_loading_and_switching_loads_and_proves_again(count: int) -> None:
    update = update_after(*HAPPY_PATH[:count])

    assert update.after(UpdateEvent.RESTARTED).state is UpdateState.VERIFIED


def test_a_restart_of_the_agent_does_not_disturb_a_probation() -> None:
    update = update_after(*HAPPY_PATH)

    assert update.after(UpdateEvent.RESTARTED).state is UpdateState.PROBATION


def test_a_version_that_takes_serving_down_again_and_again_is_given_up() -> None:
    update = update_after(*HAPPY_PATH, policy=DeploymentPolicy(start_attempts_max=2))

    once = update.after(UpdateEvent.SERVING_LOST)
    twice = once.after(UpdateEvent.SERVING_LOST)

    assert once.state is UpdateState.VERIFIED
    assert twice.state is UpdateState.ROLLED_BACK
    assert "lost 2 times" in twice.reason


def test_a_lost_serving_process_does_not_count_against_a_version_that_it_never_held() -> None:
    update = update_after(UpdateEvent.PRECHECKED, UpdateEvent.TRUSTED)

    for _ in range(10):
        update = update.after(UpdateEvent.SERVING_LOST)

    assert (update.state, update.starts) == (UpdateState.DOWNLOADING, 0)


def test_a_final_state_accepts_nothing() -> None:
    update = update_after(UpdateEvent.FAILED)

    with pytest.raises(IllegalTransition):
        update.after(UpdateEvent.PRECHECKED)
