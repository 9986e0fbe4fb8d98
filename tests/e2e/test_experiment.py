"""Two versions side by side on real nodes, or inside of them, and the way back of a node that was away at the end."""

import http.client
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from e2e.bad_versions import GOOD, MODEL, Fault, rows_of
from e2e.fleet_of_nodes import SOON_S, Fleet, open_fleet
from ganglion.testing.processes import NodeProcess, clock_s
from ganglion.testing.waiting import wait_until
from ganglion.wire.experiment_resources import (
    ArmRequest,
    ArmResult,
    ExperimentAction,
    ExperimentGuard,
    ExperimentRequest,
)
from ganglion.wire.rollout_resources import ProbationSettings

pytestmark = pytest.mark.e2e

NAME = "one-or-another"
SHARE, KEYS = 0.3, [f"customer-{number}" for number in range(100)]
FIRST, SECOND = "node-00", "node-01"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    directory = tmp_path_factory.mktemp("fleet")
    # Whoever kills the process while a version runs must not have that version blamed.
    with open_fleet(directory, nodes=2, sites=1, stages=["100%"], rate=20.0, deaths_max=3, layers=1) as running:
        yield running


@pytest.fixture(scope="module")
def version(fleet: Fleet) -> str:
    """Release a challenger for the inside of nodes, which is as good as the control if nobody looks at its speed."""
    return fleet.release(Fault.SLOW)


def experiment_with(version: str) -> ExperimentRequest:
    """Return one that looks at errors: nodes that share a few cores have latencies of their own."""
    return ExperimentRequest(
        name=NAME,
        model=MODEL,
        control=GOOD,
        arms=[ArmRequest(version)],
        guard=ExperimentGuard(latency_ratio_max=1000.0),
        probation=ProbationSettings(probation_s=1.0, inferences_min=20, compared_min=20, latency_ratio_max=100.0),
    )


def inside(version: str, mode: str) -> ExperimentRequest:
    """Return one of two versions on every node."""
    return replace(
        experiment_with(version),
        name=f"inside-{mode}",
        mode=mode,
        share=SHARE,
        metric="confidence",
        requests_min=1,
        probation=ProbationSettings(latency_ratio_max=1000.0, shadow_cpu_share=1.0),
    )


def begin(fleet: Fleet, version: str, mode: str) -> str:
    name = fleet.api.create_experiment(inside(version, mode)).name
    fleet.api.act_on_experiment(name, "start", ExperimentAction())
    wait_until(lambda: challenger(fleet, name).serving == 2, what=f"both nodes to begin {name}", timeout_s=SOON_S)
    return name


def challenger(fleet: Fleet, name: str) -> ArmResult:
    return fleet.api.experiment(name).arms[1]


def by_key(node: NodeProcess, keys: Iterable[str] = KEYS) -> dict[str, str]:
    """Return which version answers each key."""
    values = rows_of(0, seed=0)[0].values
    tensor = {"name": "pixels", "datatype": "FP32", "shape": [1, len(values)], "data": values}
    body = json.dumps({"inputs": [tensor]})
    answers = {}
    with closing(http.client.HTTPConnection("127.0.0.1", node.port, timeout=SOON_S)) as connection:
        for key in keys:
            connection.request("POST", f"/v2/models/{MODEL}/infer", body=body, headers={"Ganglion-Key": key})
            answers[key] = str(json.loads(connection.getresponse().read())["model_version"])
    return answers


def answers_as(node: NodeProcess, expected: dict[str, str]) -> bool:
    try:
        return by_key(node, expected) == expected
    except (OSError, http.client.HTTPException, KeyError):
        return False


def test_an_arm_serves_its_version_and_goes_back_even_if_it_was_away_at_the_end(fleet: Fleet) -> None:
    # Wrong on a site on which no node stands: another version that is as good here.
    version = fleet.release(Fault.ONE_SITE, site=1)
    fleet.api.create_experiment(experiment_with(version))

    started = fleet.api.act_on_experiment(NAME, "start", ExperimentAction())
    (tried,) = started.arms[1].node_names
    wait_until(
        lambda: fleet.api.experiment(NAME).arms[1].serving == 1, what="the challenger's commit", timeout_s=SOON_S
    )
    wait_until(lambda: fleet.answered_with(version), what="an answer of the challenger", timeout_s=SOON_S)
    wait_until(lambda: fleet.api.experiment(NAME).arms[1].requests >= 20, what="its counts", timeout_s=SOON_S)
    fleet.nodes[tried].stop()
    ended = fleet.api.act_on_experiment(NAME, "conclude", ExperimentAction(reason="no better", winner=GOOD))
    fleet.nodes[tried].start()
    wait_until(lambda: fleet.is_at_rest(GOOD), what="the way back", timeout_s=SOON_S)

    assert (ended.state, ended.rollout_id) == ("concluded", "")
    assert fleet.answered_with(version) == {tried}
    assert [arm.nodes for arm in ended.arms] == [1, 1]


def test_requests_are_shared_by_key_through_kills_and_by_nobody_after_the_end(fleet: Fleet, version: str) -> None:
    name = begin(fleet, version, "traffic")
    first, second = fleet.nodes[FIRST], fleet.nodes[SECOND]

    answers = by_key(first)
    count = sum(each == version for each in answers.values())
    assert set(answers.values()) == {GOOD, version}
    assert abs(count - len(KEYS) * SHARE) < 3 * math.sqrt(len(KEYS) * SHARE * (1 - SHARE))
    few = dict(list(answers.items())[:20])
    assert set(few.values()) == {GOOD, version}
    assert by_key(second, few) == few, "the same key gets the same version on every node"
    (model,) = fleet.api.node(FIRST).models
    assert (model.version, model.committed, model.shares) == (GOOD, GOOD, {GOOD: 0.7, version: SHARE})

    first.kill_child("serving")
    wait_until(lambda: answers_as(first, few), what="the split of a new serving process", timeout_s=SOON_S)
    wait_until(lambda: challenger(fleet, name).compared > 0, what="comparisons at the hub", timeout_s=SOON_S)
    assert challenger(fleet, name).requests > 0

    second.stop()
    ended = fleet.api.act_on_experiment(name, "conclude", ExperimentAction(reason="no better", winner=GOOD))
    alone = dict.fromkeys(few, GOOD)
    wait_until(lambda: answers_as(first, alone), what="the control to answer alone", timeout_s=SOON_S)
    second.start()
    wait_until(lambda: answers_as(second, alone), what="the control alone where nobody was", timeout_s=SOON_S)
    wait_until(lambda: fleet.is_at_rest(GOOD), what="reports of the end", timeout_s=SOON_S)
    assert (ended.state, [arm.rolled_back for arm in ended.arms]) == ("concluded", [0, 0])


def test_a_version_in_the_shadow_is_measured_and_answers_nobody(fleet: Fleet, version: str) -> None:
    began_s = clock_s()
    name = begin(fleet, version, "shadow")

    wait_until(lambda: challenger(fleet, name).compared >= 60, what="what it was heard to say", timeout_s=SOON_S)
    shown = {each.metric: each.mean for each in challenger(fleet, name).metrics}
    assert set(shown) == {"confidence", "latency", "agreement"}
    assert 0.0 < shown["confidence"] <= 1.0
    assert shown["agreement"] > 0.5

    fleet.api.act_on_experiment(name, "stop", ExperimentAction())
    wait_until(lambda: fleet.is_at_rest(GOOD), what="the end", timeout_s=SOON_S)
    answered = [exchange.version for client in fleet.clients.values() for exchange in client.since(began_s)]
    assert set(answered) == {GOOD}
