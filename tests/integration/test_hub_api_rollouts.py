"""Rollouts over HTTP and from the command line: plans, approvals, parts of the fleet, and the way back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from ganglion.core.errors import Conflict
from ganglion.core.identity_errors import Forbidden
from ganglion.entrypoints.cli.app import app
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.testing.waiting import wait_until
from ganglion.wire import codec, paths
from ganglion.wire.desired import DesiredState, ModelStatus, NodeReport
from ganglion.wire.people_resources import AccountRequest
from ganglion.wire.rollout_resources import RolloutRequest
from integration.hub_api_world import FACTS, CallingNode, ServedHub, make_package, serving

MODEL = "digits"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedHub]:
    """A hub with one node and one release. Its log must not mix with what commands print."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0, tick_s=0.05)) as hub:
        hub.join("gate-1").report()
        with client_of(hub) as client:
            client.release(make_package(tmp_path))
        yield hub
    structlog.reset_defaults()


def client_of(served: ServedHub, token: str = "") -> HubClient:
    return HubClient(served.url, ca_pem=served.hub.tls.ca_path.read_bytes(), token=token or served.token)


def command(served: ServedHub, tmp_path: Path, *words: str) -> Result:
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "home"), "HOME": str(tmp_path / "home"), "NO_COLOR": "1"}
    options = ["--hub", served.url, "--token", served.token, "--ca-pin", served.hub.tls.ca_pin]
    return CliRunner().invoke(app, [*words, *options], env=environment)


def take_and_report(node: CallingNode, *models: ModelStatus) -> None:
    """Report with the newest desired state in hand."""
    wished = codec.decode_json(node.desired(-1, 0.0).body, DesiredState)
    told = NodeReport(wished.incarnation, wished.revision, models, FACTS, epoch="e1", made=0, waiting=0)
    assert node.call("POST", paths.REPORT, codec.encode_json(told)).status < 300


def test_a_plan_says_who_would_get_what_and_stores_nothing(served: ServedHub) -> None:
    with client_of(served) as client:
        plan = client.plan_rollout(RolloutRequest(MODEL, "1", stages=["100%"]))

        assert [[node.node for node in stage.nodes] for stage in plan.stages] == [["gate-1"]]
        assert plan.download_bytes > 0
        assert client.rollouts() == []


def test_a_dry_run_prints_the_plan_and_starts_nothing(served: ServedHub, tmp_path: Path) -> None:
    words = ("rollout", "start", f"{MODEL}:1", "--stages", "100%", "--dry-run", "-o", "json")

    shown = command(served, tmp_path, *words)
    listed = command(served, tmp_path, "rollout", "list", "-o", "json")

    assert shown.exit_code == 0, shown.exception
    assert json.loads(shown.stdout)["stages"][0]["nodes"][0]["node"] == "gate-1"
    assert json.loads(listed.stdout) == []


def test_an_approval_needs_another_person_and_no_program(served: ServedHub) -> None:
    with client_of(served) as client:
        bob = client.create_account(AccountRequest("bob", role="operator"))
        waiting = client.start_rollout(RolloutRequest(MODEL, "1", stages=["100%"], approvals=1))

        with pytest.raises(Forbidden, match="another person who is operator or admin runs"):
            client.act_on_rollout(waiting.rollout_id, "approve")
        reply = served.post(paths.PROGRAM_TOKENS, {"name": "ci", "role": "operator"}).json
        assert isinstance(reply, dict)
        with client_of(served, reply["token"]) as program, pytest.raises(Forbidden, match="the word of a person"):
            program.act_on_rollout(waiting.rollout_id, "approve")
    with client_of(served, bob) as other:
        approved = other.act_on_rollout(waiting.rollout_id, "approve", reason="read it")

    assert (waiting.state, approved.state) == ("awaiting_approval", "running")
    assert approved.stages[0].approved_by == ["bob"]


def test_every_option_of_a_start_arrives(served: ServedHub, tmp_path: Path) -> None:
    words = (
        *("rollout", "start", f"{MODEL}:1", "--stages", "100%", "--select", "site=north", "--start-at", "+1d"),
        *("--deadline", "2100-01-01T00:00Z", "--on-deadline", "abort", "--approvals", "1", "--if-busy", "queue"),
        *("--site-parallel", "3", "--site-bandwidth", "500000", "--window", "mon-fri 22:00-05:00", "--reason", "why"),
    )

    shown = command(served, tmp_path, *words, "-o", "json")

    assert shown.exit_code == 0, shown.exception
    view = json.loads(shown.stdout)
    limits = view["limits"]
    assert view["state"] == "scheduled"
    assert limits["starts_at_s"] > view["created_at_s"]
    assert (limits["select"], limits["deadline_at_s"], limits["deadline_act"]) == ("site=north", 4102444800.0, "abort")
    assert (limits["approvals"], limits["site_parallel_max"], limits["site_bytes_per_s_max"]) == (1, 3, 500_000)
    assert limits["windows"] == ["mon-fri 22:00-05:00"]
    assert view["history"][0]["reason"] == f"{MODEL}:1; why"


def test_an_emergency_on_the_command_line_needs_a_reason(served: ServedHub, tmp_path: Path) -> None:
    refused = command(served, tmp_path, "rollout", "start", f"{MODEL}:1", "--stages", "100%", "--emergency")

    assert refused.exit_code != 0
    assert "an emergency needs a reason" in str(refused.exception)


@pytest.mark.parametrize("action", ["skip", "retry"])
def test_what_has_not_begun_is_neither_skipped_nor_retried(served: ServedHub, action: str) -> None:
    with client_of(served) as client:
        waiting = client.start_rollout(RolloutRequest(MODEL, "1", stages=["100%"], starts_at_s=4e9))

        with pytest.raises(Conflict, match="its time has not come"):
            client.act_on_rollout(waiting.rollout_id, action)  # type: ignore[arg-type]  # a parameter is a plain text


def test_a_scheduled_rollout_begins_by_itself(served: ServedHub) -> None:
    with client_of(served) as client:
        soon = RolloutRequest(MODEL, "1", stages=["100%"], starts_at_s=served.hub.now_s() + 0.5)
        waiting = client.start_rollout(soon)

        wait_until(
            lambda: client.rollout(waiting.rollout_id).state == "running", what="the rollout to begin", timeout_s=20.0
        )

    assert waiting.state == "scheduled"


def test_an_abort_shows_each_node_on_its_way_back_until_it_is_there(served: ServedHub, tmp_path: Path) -> None:
    node = served.join("gate-2")
    node.report()
    with client_of(served) as client:
        started = client.start_rollout(RolloutRequest(MODEL, "1", stages=["100%"], select="name=gate-2"))
        take_and_report(node, ModelStatus(MODEL, "1", "1"))
        aborted = client.act_on_rollout(started.rollout_id, "abort", reason="wrong labels")
        take_and_report(node)

        wait_until(
            lambda: "reverted" in [entry.event for entry in client.rollout(started.rollout_id).history],
            what="the revert to be noted",
            timeout_s=20.0,
        )
        shown = client.rollout(started.rollout_id).revert

    assert aborted.revert is not None
    assert (aborted.revert.returned, len(aborted.revert.nodes)) == (0, 1)
    assert shown is not None
    assert (shown.returned, shown.silent, shown.failed) == (1, 0, 0)
    text = command(served, tmp_path, "rollout", "show", started.rollout_id).stdout
    assert "1 of 1 node is back, 0 returning, 0 silent, 0 failed, done" in text
