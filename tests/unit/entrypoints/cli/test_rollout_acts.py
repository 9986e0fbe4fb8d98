"""Which rollout a person means."""

from collections.abc import Sequence
from typing import cast

import pytest

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.entrypoints.cli.context import Session
from ganglion.entrypoints.cli.rollout_acts import named
from ganglion.wire.rollout_resources import RolloutView

NEWEST_FIRST = [
    RolloutView(rollout_id.ljust(32, "0"), "digits", version, "running", 0, [], "", 0.0, 0.0, [])
    for rollout_id, version in (("ab12", "3"), ("ab99", "2"), ("c0", "2"))
]


class HubAtHand:
    """A session and its client, with the rollouts of its hub."""

    def __init__(self, rollouts: Sequence[RolloutView] = NEWEST_FIRST) -> None:
        self.client, self.asked, self._rollouts = self, 0, rollouts

    def rollouts(self) -> Sequence[RolloutView]:
        self.asked += 1
        return self._rollouts


def meant(text: str, hub: HubAtHand | None = None) -> str:
    return named(cast("Session", hub or HubAtHand()), text)


def test_the_beginning_of_an_id_is_enough() -> None:
    assert meant("ab1") == NEWEST_FIRST[0].rollout_id
    assert meant("c") == NEWEST_FIRST[2].rollout_id


def test_a_whole_id_is_taken_as_it_is_and_costs_no_question() -> None:
    hub = HubAtHand()

    assert meant("f" * 32, hub) == "f" * 32
    assert hub.asked == 0


def test_a_model_and_version_mean_the_newest_rollout_of_it() -> None:
    assert meant("digits:2") == NEWEST_FIRST[1].rollout_id


def test_a_beginning_that_several_ids_share_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="2 rollouts have an id that begins with 'ab'"):
        meant("ab")


def test_a_version_that_was_never_rolled_out_is_not_found() -> None:
    with pytest.raises(NotFound, match="digits:9 has no rollout"):
        meant("digits:9")


def test_what_no_id_begins_with_is_left_to_the_hub_to_refuse() -> None:
    assert meant("ff") == "ff"
