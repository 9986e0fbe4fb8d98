"""Whatever process dies, whenever it dies: no answer is lost, and none is stored twice."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ganglion.entrypoints import learning
from ganglion.entrypoints.demo import digits
from ganglion.entrypoints.demo.chapters import INPUTS
from ganglion.entrypoints.demo.script import MODEL, Script
from ganglion.entrypoints.demo.world import World, open_world
from ganglion.testing.ledger import Ledger
from ganglion.testing.processes import clock_s
from ganglion.testing.waiting import wait_until
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

KILLS = 10
SCRIPT = Script(rate=15.0)
WAIT_S = 60.0

pytestmark = pytest.mark.e2e


@contextmanager
def serving_world(directory: Path) -> Iterator[World]:
    parts = digits.load()
    made = learning.train_version(
        MODEL, "1", parts.labelled, directory=directory, held_out=parts.held_out, inputs=INPUTS
    )
    with open_world(directory, parts, SCRIPT, keep_hub=False) as world:
        world.api.release(made.package_file)
        view = world.api.start_rollout(
            RolloutRequest(
                model=MODEL,
                version="1",
                stages=["100%"],
                gate=GateSettings(inferences_min=10, soak_s=0.0),
                probation=ProbationSettings(probation_s=0.5, inferences_min=5),
            )
        )
        wait_until(
            lambda: world.api.rollout(view.rollout_id).state == "completed", what="the rollout", timeout_s=WAIT_S
        )
        yield world


def kill_something(world: World, chance: random.Random) -> str:
    victim = chance.choice(["hub", "supervisor", "agent", "serving"])
    name = chance.choice(sorted(world.nodes))
    node = world.nodes[name]
    if victim == "hub":
        world.hub.kill()
        world.hub.start()
    elif victim == "supervisor":
        node.kill()
        node.start()
    else:
        node.kill_child(victim)
    return f"{victim} of {name}"


def let_clients_get(world: World, answers: int) -> None:
    """Wait until every client got that many more answers: the kill falls somewhere in the middle of the work."""
    since_s = clock_s()
    wait_until(
        lambda: all(
            sum(exchange.is_answered for exchange in client.since(since_s)) >= answers
            for client in world.clients.values()
        ),
        what=f"{answers} more answers for every client",
        timeout_s=WAIT_S,
    )


def summed(world: World, until_s: float) -> Ledger:
    return sum((world.ledger(name, until_s) for name in world.clients), start=Ledger(0, 0, 0, 0))


@pytest.mark.parametrize("seed", [1])
def test_ten_random_kills_lose_no_answer_and_store_none_twice(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with serving_world(tmp_path) as world:
        killed = []
        for _ in range(KILLS):
            let_clients_get(world, chance.randint(1, 30))
            killed.append(kill_something(world, chance))
        let_clients_get(world, 20)
        until_s = clock_s()

        wait_until(lambda: summed(world, until_s).lost == 0, what=f"all records after {killed}", timeout_s=WAIT_S)

        ledger = summed(world, until_s)
        assert ledger.holds, (seed, killed, ledger)
        assert ledger.answered > KILLS * len(world.clients)
        assert sum(sum(view.shed.values()) for view in world.views().values()) == 0
