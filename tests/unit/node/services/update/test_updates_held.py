"""A version that is held on trial shares the requests with the committed one, or listens; it never takes its place."""

from pathlib import Path

import msgspec
import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.node.domain.update.reconcile import NodeState
from ganglion.wire.desired import DeploymentPolicy, UpdateState
from unit.node.builders import a_desired, an_assignment, an_installed
from unit.node.update_bench import Bench, healthy, serving_version_1

SPLIT = DeploymentPolicy(
    probation_s=0.0,
    inferences_min=10,
    error_rate_max=0.05,
    agreement_min=0.9,
    compared_min=20,
    compare_share=0.5,
    held=True,
    traffic_share=0.2,
)
HEARD = msgspec.structs.replace(SPLIT, traffic_share=0.0)
HOUR_S, WEEK_S = 3600.0, 7 * 86_400.0


def on_trial(directory: Path, policy: DeploymentPolicy = SPLIT) -> Bench:
    bench = serving_version_1(directory)
    bench.serving.behaviour["1"] = healthy()
    bench.take(a_desired(1, an_assignment("2", rollout="x", policy=policy)))
    bench.step_until_still()
    return bench


def work(bench: Bench, requests: int, *, errors: int = 0, agreed: int | None = None, latency_us: int = 100) -> None:
    """Let both versions answer as many requests, all of them compared."""
    control = bench.serving.behaviour["1"]
    challenger = bench.serving.behaviour.setdefault("2", Behaviour())
    for index in range(requests):
        control.count_answer(100, ["7"], [0.9])
        control.count_comparison(1, int(agreed is None or index < agreed), latency_us)
        if index < errors:
            challenger.count_error()
        else:
            challenger.count_answer(latency_us, ["7"], [0.9])
    bench.step_until_still()


def test_the_requests_are_shared_and_the_committed_version_stays_the_active_one(tmp_path: Path) -> None:
    bench = on_trial(tmp_path)

    (status,) = bench.updates.statuses(bench.serving.status())

    assert bench.state_now is UpdateState.PROBATION
    assert bench.serving.active == {"meter": "1"}
    assert bench.serving.weights == {"meter": {"1": 0.8, "2": 0.2}}
    assert bench.serving.listening == {"meter": ("2", 0.5)}
    assert (status.version, status.committed, status.update_version) == ("1", "1", "2")
    assert status.shares == {"1": 0.8, "2": 0.2}


@pytest.mark.parametrize("policy", [SPLIT, HEARD])
def test_a_week_in_order_commits_nothing_and_writes_nothing(tmp_path: Path, policy: DeploymentPolicy) -> None:
    bench = on_trial(tmp_path, policy)
    state = bench.store.saved

    for _ in range(20):
        work(bench, 100)
        bench.clock.advance(WEEK_S / 20)

    assert bench.model.update is not None
    assert bench.model.update.is_settled
    assert bench.model.committed == an_installed("1")
    assert (bench.store.saved, bench.updates.is_under_way) == (state, False)
    assert set(bench.files[-1].models) == {"meter"}
    assert bench.files[-1].models["meter"].version == "1"


def test_a_version_that_only_listens_answers_nobody(tmp_path: Path) -> None:
    bench = on_trial(tmp_path, HEARD)
    work(bench, 300)

    assert bench.state_now is UpdateState.SHADOW
    assert (bench.serving.active, bench.serving.weights["meter"]) == ({"meter": "1"}, {})
    assert bench.serving.listening["meter"][0] == "2"
    assert bench.updates.statuses(bench.serving.status())[0].shares == {}


def test_a_shadow_that_was_asked_for_comes_before_the_first_request(tmp_path: Path) -> None:
    bench = on_trial(tmp_path, msgspec.structs.replace(SPLIT, shadow_comparisons_min=40))

    assert (bench.state_now, bench.serving.weights["meter"]) == (UpdateState.SHADOW, {})
    work(bench, 40)

    assert bench.state_now is UpdateState.PROBATION
    assert bench.serving.weights["meter"] == {"1": 0.8, "2": 0.2}


@pytest.mark.parametrize("policy", [SPLIT, HEARD])
def test_the_end_gives_all_requests_back_to_the_committed_version(tmp_path: Path, policy: DeploymentPolicy) -> None:
    bench = on_trial(tmp_path, policy)

    bench.take(a_desired(2, an_assignment("1", rollout="x")))
    bench.step_until_still()

    assert (bench.state_now, bench.model.committed) == (None, an_installed("1"))
    assert (bench.serving.active, bench.serving.weights) == ({"meter": "1"}, {"meter": {}})
    assert bench.serving.loaded == {"meter": {"1"}}
    assert bench.event_names() == ["update.offered", "update.rolled_back"]
    assert bench.updates.statuses(None)[0].update_state == ""


def test_a_winner_that_is_rolled_out_answers_in_the_committed_versions_place(tmp_path: Path) -> None:
    bench = on_trial(tmp_path)
    work(bench, 100)

    committing = msgspec.structs.replace(SPLIT, held=False, traffic_share=0.0)
    bench.take(a_desired(2, an_assignment("2", rollout="r9", policy=committing)))
    bench.step_until_still()

    assert bench.model.committed == an_installed("2")
    assert (bench.serving.active, bench.serving.weights["meter"]) == ({"meter": "2"}, {})


@pytest.mark.parametrize(
    ("policy", "trouble", "told"),
    [
        (SPLIT, {"errors": 30}, "trial: error rate"),
        (SPLIT, {"agreed": 60}, "trial: agreement"),
        (SPLIT, {"latency_us": 90_000}, "trial: p99 latency"),
        (HEARD, {"agreed": 60}, "trial: agreement"),
        (HEARD, {"latency_us": 90_000}, "trial: p99 latency"),
    ],
)
def test_the_nodes_own_brakes_end_it(
    tmp_path: Path, policy: DeploymentPolicy, trouble: dict[str, int], told: str
) -> None:
    bench = on_trial(tmp_path, policy)

    work(bench, 100, **trouble)

    assert bench.state_now is None
    assert told in bench.model.failed_reason
    assert (bench.serving.active, bench.serving.weights["meter"]) == ({"meter": "1"}, {})
    assert bench.serving.loaded["meter"] == {"1"}


def test_what_turns_bad_after_days_is_ended_by_its_last_hour(tmp_path: Path) -> None:
    bench = on_trial(tmp_path)
    for _ in range(10):
        work(bench, 2000)
        bench.clock.advance(HOUR_S)
    bench.step_until_still()

    work(bench, 600, errors=60)

    assert bench.state_now is None
    assert "trial: error rate 0.100" in bench.model.failed_reason


def test_inputs_that_only_one_of_them_can_take_end_it(tmp_path: Path) -> None:
    bench = on_trial(tmp_path)

    for _ in range(250):
        bench.serving.behaviour["1"].count_answer(100, ["7"], [0.9])
    bench.step_until_still()

    assert "none could be compared" in bench.model.failed_reason


def test_serving_that_dies_comes_back_to_the_split(tmp_path: Path) -> None:
    bench = on_trial(tmp_path)

    bench.serving.die()
    bench.step_until_still()

    assert bench.state_now is UpdateState.PROBATION
    assert bench.serving.weights == {"meter": {"1": 0.8, "2": 0.2}}


def test_two_deaths_of_serving_end_it_and_an_hour_in_order_between_them_does_not(tmp_path: Path) -> None:
    bench = on_trial(tmp_path)
    bench.serving.die()
    bench.step_until_still()
    work(bench, 100)
    bench.clock.advance(HOUR_S + 1)
    bench.step_until_still()

    bench.serving.die()
    bench.step_until_still()
    assert bench.state_now is UpdateState.PROBATION
    bench.serving.die()
    bench.step_until_still()

    assert bench.state_now is None
    assert "lost 2 times" in bench.model.failed_reason
    assert bench.serving.active == {"meter": "1"}


def test_an_agent_that_was_killed_goes_on_with_the_split(tmp_path: Path) -> None:
    bench = on_trial(tmp_path)
    assert bench.store.saved is not None

    bench.updates = bench.restarted(msgspec.msgpack.decode(bench.store.saved, type=NodeState))
    bench.run(bench.updates.resume)
    bench.step_until_still()

    assert bench.state_now is UpdateState.PROBATION
    assert bench.serving.weights == {"meter": {"1": 0.8, "2": 0.2}}


def test_a_split_that_somebody_took_away_is_set_up_again(tmp_path: Path) -> None:
    bench = on_trial(tmp_path)

    bench.serving.weights.clear()
    bench.step_until_still()

    assert bench.serving.weights == {"meter": {"1": 0.8, "2": 0.2}}


def test_a_node_without_another_version_takes_no_version_on_trial(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    bench.take(a_desired(1, an_assignment("2", policy=SPLIT)))
    bench.step_until_still()

    assert bench.state_now is None
    assert "no version answers beside which" in bench.model.failed_reason


def test_a_committed_version_that_is_lost_takes_the_trial_with_it(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("3", policy=msgspec.structs.replace(SPLIT, held=False))))
    bench.step_until_still()
    bench.serving.behaviour["3"] = healthy()
    bench.step_until_still()
    assert bench.model.committed == an_installed("3")
    bench.take(a_desired(2, an_assignment("2", rollout="x", policy=SPLIT)))
    bench.step_until_still()

    bench.serving.quarantined.add("3")
    bench.serving.die()
    bench.step_until_still()

    assert (bench.model.committed, bench.serving.active) == (an_installed("1"), {"meter": "1"})
    assert bench.state_now is None
    assert "version 3, beside which it was tried, is committed no more" in bench.model.failed_reason


def test_the_version_before_may_be_tried_again_and_is_not_simply_gone_back_to(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2", policy=msgspec.structs.replace(SPLIT, held=False))))
    bench.step_until_still()
    bench.serving.behaviour["2"] = healthy()
    bench.step_until_still()

    bench.take(a_desired(2, an_assignment("1", rollout="x", policy=SPLIT)))
    bench.step_until_still()

    assert (bench.model.committed, bench.state_now) == (an_installed("2"), UpdateState.PROBATION)
    assert bench.serving.weights == {"meter": {"2": 0.8, "1": 0.2}}


@pytest.mark.parametrize("whose", ["the challenger's", "the committed version's"])
def test_a_term_without_the_hub_that_is_over_ends_the_trial(tmp_path: Path, whose: str) -> None:
    bench = on_trial(tmp_path)
    update, committed = bench.model.update, bench.model.committed
    assert update is not None
    assert committed is not None
    if whose == "the challenger's":
        update = msgspec.structs.replace(update, offline_s_max=60)
    else:
        committed = msgspec.structs.replace(committed, offline_s_max=60)
    model = msgspec.structs.replace(bench.model, update=update, committed=committed)
    bench.updates = bench.restarted(bench.updates.state.with_model("meter", model))
    bench.run(bench.updates.note_contact)
    bench.step_until_still()
    assert bench.state_now is UpdateState.PROBATION

    bench.clock.advance(61.0)
    bench.step_until_still()

    assert bench.state_now is None
    assert "no word of the hub" in bench.model.failed_reason
    assert bench.serving.loaded["meter"] == ({"1"} if whose == "the challenger's" else set())


def test_a_trial_that_costs_more_than_its_budget_compares_less(tmp_path: Path) -> None:
    bench = on_trial(tmp_path, msgspec.structs.replace(SPLIT, shadow_cpu_share=0.1, latency_ratio_max=1e6))

    work(bench, 200, latency_us=30_000)
    bench.clock.advance(30.0)
    bench.step_until_still()

    # 6 s of a core in 30 s, and a tenth of a core is granted: half as much.
    assert bench.serving.listening["meter"] == ("2", 0.25)
    assert bench.serving.weights == {"meter": {"1": 0.8, "2": 0.2}}
