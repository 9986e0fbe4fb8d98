"""Experiments over HTTP and from the command line, with a hub and nodes that report."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import structlog
from typer.testing import CliRunner, Result

from ganglion.adapters.system import SystemClock
from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.entrypoints.cli.tree import tree
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.testing.waiting import wait_until
from ganglion.wire import codec, paths
from ganglion.wire.desired import DesiredState, ModelStatus, NodeReport
from ganglion.wire.experiment_resources import ArmRequest, ExperimentAction, ExperimentRequest
from ganglion.wire.records import RecordClass
from ganglion.wire.resources import LabelRequest
from ganglion.wire.rollout_resources import GateSettings, JudgedVersion, RolloutRequest
from integration.hub_api_world import FACTS, CallingNode, ServedHub, make_package, make_sample, serving

MODEL = "digits"
REQUEST = ExperimentRequest("two-or-one", MODEL, "1", [ArmRequest("2")])


class Fleet:
    """A hub with two nodes that serve version 1, and a version 2."""

    def __init__(self, served: ServedHub, client: HubClient, directory: Path) -> None:
        self.served, self.client, self._home = served, client, directory / "home"
        for version in ("1", "2"):
            (directory / version).mkdir()
            client.release(make_package(directory / version, version, weights=version.encode()))
        self.nodes = {name: served.join(name) for name in ("gate-1", "gate-2")}
        for node in self.nodes.values():
            node.report()
        gate = GateSettings(inferences_min=0, soak_s=0.0, compared_min=0)
        rollout = client.start_rollout(RolloutRequest(MODEL, "1", stages=["100%"], gate=gate)).rollout_id
        self.obey()
        wait_until(lambda: client.rollout(rollout).state == "completed", timeout_s=20.0, what="the first rollout ends")

    def obey(self) -> dict[str, str]:
        """Let every node commit what is wanted of it; return that."""
        return {name: _obeyed(node) for name, node in self.nodes.items()}

    def command(self, *words: str) -> Result:
        """Run a command of `ganglion experiment`."""
        environment = {"XDG_CONFIG_HOME": str(self._home), "HOME": str(self._home), "NO_COLOR": "1", "COLUMNS": "300"}
        options = ["--hub", self.served.url, "--token", self.served.token, "--ca-pin", self.served.hub.tls.ca_pin]
        return CliRunner().invoke(tree(["experiment", *words]), ["experiment", *words, *options], env=environment)


def _obeyed(node: CallingNode) -> str:
    wished = codec.decode_json(node.desired(-1, 0.0).body, DesiredState)
    (wish,) = wished.assignments
    status = ModelStatus(MODEL, version=wish.version, committed=wish.version)
    told = NodeReport(wished.incarnation, wished.revision, (status,), FACTS, epoch="e1", made=0, waiting=0)
    assert node.call("POST", paths.REPORT, codec.encode_json(told)).status < 300
    return wish.version


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Its hub's log must not mix with what commands print."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0, tick_s=0.05)) as hub:
        client = HubClient(hub.url, ca_pem=hub.hub.tls.ca_path.read_bytes(), token=hub.token)
        with client:
            yield Fleet(hub, client, tmp_path)
    structlog.reset_defaults()


def test_an_experiment_from_its_declaration_to_the_rollout_of_its_winner(fleet: Fleet) -> None:
    created = fleet.command("create", "two-or-one", MODEL, "--control", "1", "--arm", "2=50%", "-o", "json")
    started = fleet.command("start", "two-or-one", "-o", "json")
    wanted = fleet.obey()
    shown = fleet.command("show", "two-or-one", "-o", "json")
    ended = fleet.command("conclude", "two-or-one", "--winner", "2", "--reason", "half the errors", "-o", "json")

    assert json.loads(created.stdout)["state"] == "draft"
    (challenger,) = json.loads(started.stdout)["arms"][1]["node_names"]
    assert wanted == {name: "2" if name == challenger else "1" for name in ("gate-1", "gate-2")}
    assert [arm["serving"] for arm in json.loads(shown.stdout)["arms"]] == [1, 1]
    answer = json.loads(ended.stdout)
    assert (answer["state"], answer["winner"]) == ("concluded", "2")
    rollout = fleet.client.rollout(answer["rollout_id"])
    assert (rollout.version, rollout.state, rollout.stages[0].size) == ("2", "running", 1)


def test_a_person_sees_an_experiment_on_a_terminal(fleet: Fleet) -> None:
    empty = fleet.command("list", "-o", "table")
    fleet.command("create", "two-or-one", MODEL, "--control", "1", "--arm", "2")
    fleet.command("start", "two-or-one")

    listed = fleet.command("list", "-o", "table")
    shown = fleet.command("show", "two-or-one", "-o", "table")

    assert "No experiments yet" in empty.output
    for result in (listed, shown):
        assert result.exit_code == 0, result.exception
        assert "1=50%, 2=50%" in result.stdout
    assert "No figures yet" in shown.output


def test_labels_of_samples_that_chance_has_kept_tell_how_often_each_version_is_right(fleet: Fleet) -> None:
    fleet.client.create_experiment(REQUEST)
    fleet.client.act_on_experiment("two-or-one", "start", ExperimentAction())
    for name, version in fleet.obey().items():
        kept = msgspec.structs.replace(make_sample("one"), version=version, reason="random")
        doubted = msgspec.structs.replace(kept, reason="low_confidence")
        records = [(RecordClass.SAMPLE, each) for each in (kept, kept, doubted)]
        fleet.nodes[name].send(*records, at_ns=SystemClock().utc_ns())
    samples = fleet.client.samples(model=MODEL, reason="random")
    doubtful = fleet.client.samples(model=MODEL, reason="low_confidence")
    is_right = {sample.sample_id: sample.version == "2" for sample in (*samples, *doubtful)}

    fleet.client.label([LabelRequest(each, "one" if right else "zero") for each, right in is_right.items()])
    arms = fleet.client.experiment("two-or-one").arms
    shown = fleet.command("show", "two-or-one", "-o", "table")
    ended = fleet.client.act_on_experiment("two-or-one", "conclude", ExperimentAction("it is right", "2"))

    assert (len(samples), len(doubtful)) == (4, 2)
    assert [(each.right, each.labelled) for arm in arms for each in arm.metrics] == [(0, 2), (2, 2)]
    assert "2 of 2 right" in shown.stdout
    assert fleet.client.rollout(ended.rollout_id).judged == []
    first = next(each for each in fleet.client.rollouts() if each.version == "1")
    told = fleet.client.rollout(first.rollout_id).judged
    assert told == [JudgedVersion("1", 0, 2), JudgedVersion("2", 2, 2)]


def test_after_a_stop_both_nodes_are_given_the_control(fleet: Fleet) -> None:
    fleet.client.create_experiment(REQUEST)
    fleet.client.act_on_experiment("two-or-one", "start", ExperimentAction())
    assert sorted(fleet.obey().values()) == ["1", "2"]

    view = fleet.client.act_on_experiment("two-or-one", "stop", ExperimentAction(reason="enough"))

    assert (view.state, view.reason) == ("stopped", "enough")
    assert fleet.obey() == {"gate-1": "1", "gate-2": "1"}


def test_the_hub_ends_an_experiment_whose_time_is_over(fleet: Fleet) -> None:
    fleet.client.create_experiment(ExperimentRequest("short", MODEL, "1", [ArmRequest("2")], length_s=0.001))
    fleet.client.act_on_experiment("short", "start", ExperimentAction())

    wait_until(
        lambda: fleet.client.experiment("short").state == "stopped", timeout_s=30.0, what="the hub ends the experiment"
    )

    assert fleet.client.experiment("short").reason == "its time is over"
    assert fleet.obey() == {"gate-1": "1", "gate-2": "1"}


def test_orders_that_make_no_sense_are_refused_with_a_reason(fleet: Fleet) -> None:
    fleet.client.create_experiment(REQUEST)

    with pytest.raises(NotFound, match="there is no experiment 'another'"):
        fleet.client.act_on_experiment("another", "start", ExperimentAction())
    with pytest.raises(Conflict, match="it was not started"):
        fleet.client.act_on_experiment("two-or-one", "conclude", ExperimentAction(reason="x", winner="2"))
    with pytest.raises(InvalidRequest, match="metric is 'beauty'"):
        fleet.client.create_experiment(ExperimentRequest("x", MODEL, "1", [ArmRequest("2")], metric="beauty"))
    for arm in ("2=2", "2=much", "2="):
        assert fleet.command("create", "x", MODEL, "--control", "1", "--arm", arm).exit_code != 0
