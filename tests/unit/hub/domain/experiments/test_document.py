"""The table of an experiment: what may happen in which state."""

import itertools

import pytest

from ganglion.core.transitions import IllegalTransition
from ganglion.hub.domain.experiments.document import (
    SAID_AGAIN,
    TRANSITIONS,
    WHY_NOT,
    Experiment,
    ExperimentEvent,
    ExperimentState,
    began,
    drafted,
    ended,
    is_said_again,
)
from ganglion.hub.domain.rollouts.document import Cause
from ganglion.wire.experiment_resources import ArmRequest, ExperimentRequest

REQUEST = ExperimentRequest("two-or-one", "meter", "1", [ArmRequest("2")], length_s=60.0)
CAUSE = Cause(100.0, "ana", "because")


def draft() -> Experiment:
    return drafted(REQUEST, [0.5, 0.5], CAUSE)


def running() -> Experiment:
    return began(draft(), CAUSE, experiment_id="e1", members=[["a"], ["b"]], previous={}, left_out={})


def test_every_state_knows_refuses_or_has_obeyed_every_event() -> None:
    for state, event in itertools.product(ExperimentState, ExperimentEvent):
        is_obeyed_already = (state, event) in SAID_AGAIN
        assert not (TRANSITIONS.allows(state, event) and is_obeyed_already)
        assert WHY_NOT[state]


def test_what_has_ended_does_not_begin_again() -> None:
    stopped = ended(running(), ExperimentEvent.STOP, CAUSE)

    with pytest.raises(IllegalTransition):
        began(stopped, CAUSE, experiment_id="e2", members=[["a"], ["b"]], previous={}, left_out={})
    with pytest.raises(IllegalTransition):
        ended(stopped, ExperimentEvent.CONCLUDE, CAUSE, winner="2")


def test_a_draft_has_nothing_to_conclude_and_can_be_given_up() -> None:
    with pytest.raises(IllegalTransition):
        ended(draft(), ExperimentEvent.CONCLUDE, CAUSE, winner="2")

    assert ended(draft(), ExperimentEvent.STOP, CAUSE).state is ExperimentState.STOPPED


def test_the_same_winner_named_twice_is_said_again_and_another_one_is_not() -> None:
    concluded = ended(running(), ExperimentEvent.CONCLUDE, CAUSE, winner="2")

    assert is_said_again(concluded, ExperimentEvent.CONCLUDE, winner="2")
    assert not is_said_again(concluded, ExperimentEvent.CONCLUDE, winner="1")


def test_its_time_is_over_after_its_length_and_not_before_its_start() -> None:
    assert not draft().is_over(1e12)
    assert not running().is_over(159.9)
    assert running().is_over(160.0)


def test_every_change_stands_in_the_history_with_who_and_why() -> None:
    concluded = ended(running(), ExperimentEvent.CONCLUDE, Cause(120.0, "ben", "half the errors"), winner="2")

    assert [entry.event for entry in concluded.history] == ["created", "started", "concluded"]
    assert (concluded.history[-1].actor, concluded.history[-1].reason) == ("ben", "half the errors")
