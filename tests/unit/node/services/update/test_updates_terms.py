"""A model with a signed term is served without its hub for that long, and no longer."""

from pathlib import Path

import msgspec
import pytest

from ganglion.node.domain.update.reconcile import ModelState, NodeState
from unit.node.builders import an_installed
from unit.node.update_bench import Bench

HOUR_S = 3600


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A node that serves a model for an hour without its hub, and another one for ever."""
    hourly = msgspec.structs.replace(an_installed("1"), offline_s_max=HOUR_S)
    models = {"meter": ModelState(committed=hourly), "other": ModelState(committed=an_installed("1"))}
    made = Bench(tmp_path, NodeState(models=models))
    made.step_until_still()
    made.run(made.updates.note_contact)
    return made


def test_within_its_term_a_model_is_served_without_the_hub(bench: Bench) -> None:
    bench.clock.advance(HOUR_S - 1)
    bench.step_until_still()

    assert bench.serving.active == {"meter": "1", "other": "1"}


def test_past_its_term_a_model_answers_no_more_and_the_others_do(bench: Bench) -> None:
    bench.clock.advance(HOUR_S + 1)
    bench.step_until_still()

    assert bench.serving.loaded == {"meter": set(), "other": {"1"}}
    assert set(bench.files[-1].models) == {"other"}, "serving that starts anew must not serve it either"
    assert "3,600 s without" in bench.updates.statuses(None)[0].reason


def test_a_version_with_a_term_is_no_spare_for_a_start_without_an_agent(tmp_path: Path) -> None:
    hourly = msgspec.structs.replace(an_installed("1"), offline_s_max=HOUR_S)
    bench = Bench(tmp_path, NodeState(models={"meter": ModelState(committed=an_installed("2"), spare=hourly)}))

    bench.step_until_still()

    assert bench.files[-1].models["meter"].spare is None


def test_a_word_of_the_hub_brings_the_model_back(bench: Bench) -> None:
    bench.clock.advance(HOUR_S + 1)
    bench.step_until_still()

    bench.run(bench.updates.note_contact)
    bench.step_until_still()

    assert bench.serving.active["meter"] == "1"
    assert set(bench.files[-1].models) == {"meter", "other"}


def test_a_restart_does_not_begin_the_term_anew(bench: Bench) -> None:
    bench.clock.advance(HOUR_S - 1)
    bench.restart_and_step()
    bench.clock.advance(2)

    bench.step_until_still()

    assert bench.serving.loaded["meter"] == set()


def test_a_clock_that_is_set_back_does_not_stretch_the_term_of_a_running_node(bench: Bench) -> None:
    bench.clock.jump(-10 * HOUR_S)
    bench.clock.advance(HOUR_S + 1)

    bench.step_until_still()

    assert bench.serving.loaded["meter"] == set()


def test_a_machine_whose_clock_begins_anew_at_every_start_uses_its_term_up_all_the_same(bench: Bench) -> None:
    for _ in range(3):
        bench.clock.advance(HOUR_S / 3)
        bench.step_until_still()
        bench.clock.jump(-50 * 365 * 24 * HOUR_S)
        bench.restart_and_step()
    bench.clock.advance(200)

    bench.step_until_still()

    assert bench.serving.loaded == {"meter": set(), "other": {"1"}}


def test_a_word_of_the_hub_gives_the_whole_term_again_over_restarts(bench: Bench) -> None:
    bench.clock.advance(HOUR_S - 1)
    bench.step_until_still()
    bench.run(bench.updates.note_contact)
    bench.restart_and_step()

    bench.clock.advance(HOUR_S - 1)
    bench.step_until_still()

    assert bench.serving.active["meter"] == "1"
