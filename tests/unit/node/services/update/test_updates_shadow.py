"""A version in the shadow: it hears live inputs beside the one that answers, and answers nobody."""

from pathlib import Path

import msgspec

from ganglion.node.domain.update.reconcile import NodeState
from ganglion.wire.desired import DeploymentPolicy, UpdateState
from unit.node.builders import a_desired, an_assignment, an_installed
from unit.node.update_bench import Bench, healthy, serving_version_1

POLICY = DeploymentPolicy(
    probation_s=0.0,
    inferences_min=10,
    compared_min=20,
    agreement_min=0.9,
    compare_share=0.5,
    shadow_comparisons_min=40,
    shadow_cpu_share=0.1,
)


def in_the_shadow(directory: Path, policy: DeploymentPolicy = POLICY) -> Bench:
    bench = serving_version_1(directory)
    bench.serving.behaviour["1"] = healthy()
    bench.take(a_desired(1, an_assignment("2", policy=policy)))
    bench.step_until_still()
    return bench


def state_of(bench: Bench) -> UpdateState | None:
    return bench.state_now


def hear(bench: Bench, inputs: int, *, agreed: int, latency_us: int = 100) -> None:
    """Let version 1 answer, and version 2 be asked for comparison."""
    for index in range(inputs):
        bench.serving.behaviour["1"].count_answer(100, ["7"], [0.9])
        bench.serving.behaviour["1"].count_comparison(1, int(index < agreed), latency_us)
    bench.step_until_still()


def test_a_version_in_the_shadow_answers_nobody(tmp_path: Path) -> None:
    bench = in_the_shadow(tmp_path)

    assert state_of(bench) is UpdateState.SHADOW
    assert bench.serving.active == {"meter": "1"}
    assert bench.serving.listening == {"meter": ("2", 0.5)}


def test_a_version_that_agrees_long_enough_goes_on_to_its_probation(tmp_path: Path) -> None:
    bench = in_the_shadow(tmp_path)

    hear(bench, 39, agreed=39)
    assert state_of(bench) is UpdateState.SHADOW
    hear(bench, 1, agreed=1)

    assert state_of(bench) is UpdateState.PROBATION
    assert bench.serving.active == {"meter": "2"}


def test_a_version_that_disagrees_is_given_up_before_it_answers_anybody(tmp_path: Path) -> None:
    bench = in_the_shadow(tmp_path)

    hear(bench, 20, agreed=10)

    assert bench.state_now is None
    assert bench.serving.active == {"meter": "1"}
    assert bench.serving.loaded["meter"] == {"1"}
    assert "shadow: agreement" in bench.model.failed_reason


def test_a_version_that_is_slow_in_the_shadow_is_given_up(tmp_path: Path) -> None:
    bench = in_the_shadow(tmp_path, msgspec.structs.replace(POLICY, shadow_comparisons_min=1000))

    hear(bench, 60, agreed=60, latency_us=50_000)

    assert "shadow: p99 latency" in bench.model.failed_reason


def test_a_version_that_never_can_be_compared_is_given_up(tmp_path: Path) -> None:
    bench = in_the_shadow(tmp_path)

    for _ in range(200):
        bench.serving.behaviour["1"].count_answer(100, ["7"], [0.9])
    bench.step_until_still()

    assert "none could be compared" in bench.model.failed_reason


def test_comparisons_of_an_earlier_probation_do_not_count(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.serving.behaviour["1"] = healthy()
    bench.serving.behaviour["1"].count_comparison(500, 500, 100)

    bench.take(a_desired(1, an_assignment("2", policy=POLICY)))
    bench.step_until_still()

    assert state_of(bench) is UpdateState.SHADOW
    bench.run(bench.updates.step)
    assert "0 of 40 comparisons" in bench.updates.reason_waiting["meter"]


def test_a_version_that_costs_more_than_its_budget_hears_fewer_inputs(tmp_path: Path) -> None:
    bench = in_the_shadow(
        tmp_path, msgspec.structs.replace(POLICY, shadow_comparisons_min=1000, latency_ratio_max=99.0)
    )

    bench.clock.advance(2.0)
    hear(bench, 40, agreed=40, latency_us=10_000)

    # 0.4 s in 2 s, and a tenth of a core is granted: half as many inputs.
    assert bench.serving.listening == {"meter": ("2", 0.25)}
    bench.clock.advance(2.0)
    hear(bench, 5, agreed=5, latency_us=10_000)
    assert bench.serving.listening == {"meter": ("2", 0.5)}


def test_a_first_version_has_no_shadow_to_stand_in(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    bench.take(a_desired(1, an_assignment("1", policy=POLICY)))
    bench.step_until_still()

    assert state_of(bench) is UpdateState.PROBATION


def test_an_agent_that_was_killed_in_the_shadow_listens_anew(tmp_path: Path) -> None:
    bench = in_the_shadow(tmp_path)
    hear(bench, 30, agreed=30)
    assert bench.store.saved is not None

    bench.updates = bench.restarted(msgspec.msgpack.decode(bench.store.saved, type=NodeState))
    bench.run(bench.updates.resume)
    bench.step_until_still()
    hear(bench, 39, agreed=39)
    assert state_of(bench) is UpdateState.SHADOW
    hear(bench, 1, agreed=1)

    assert state_of(bench) is UpdateState.PROBATION


def test_serving_that_dies_in_the_shadow_loads_the_version_again(tmp_path: Path) -> None:
    bench = in_the_shadow(tmp_path)

    bench.serving.die()
    bench.step_until_still()

    assert state_of(bench) is UpdateState.SHADOW
    assert bench.serving.active == {"meter": "1"}
    assert bench.model.committed == an_installed("1")
