"""What people are shown of rollouts and tokens."""

import json
from typing import cast

import pytest

from ganglion.entrypoints.cli.context import HubOptions, Session
from ganglion.entrypoints.cli.node import make_token
from ganglion.entrypoints.cli.output import OutputFormat
from ganglion.entrypoints.cli.rollout import show_rollout
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.wire.resources import TokenReply
from ganglion.wire.rollout_resources import RolloutView, StageView

ROLLOUT = RolloutView("r1", "gate", "2", "running", 0, [StageView("5%", ["n1"]), StageView("100%", [])], "", 0.0, 0.0)


class OneOfEach:
    """A hub with one rollout."""

    url = "https://hub.example:8443"

    def rollout(self, _rollout_id: str) -> RolloutView:
        return ROLLOUT

    def rollouts(self) -> list[RolloutView]:
        return [ROLLOUT]

    def create_node_token(self, _request: object) -> TokenReply:
        return TokenReply("secret.pin", "edge-1", 0.0)


def session_with(output: OutputFormat) -> Session:
    session = Session(HubOptions(), output)
    vars(session)["client"] = cast("HubClient", OneOfEach())
    return session


def test_people_see_stages_counted_from_one(capsys: pytest.CaptureFixture[str]) -> None:
    show_rollout(session_with(OutputFormat.TABLE), "r1")

    assert ["STAGE", "1", "of", "2"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_programs_see_the_stage_as_the_api_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    show_rollout(session_with(OutputFormat.JSON), "r1")

    assert json.loads(capsys.readouterr().out)["stage"] == 0


def test_a_join_token_comes_with_the_command_that_uses_it_at_this_hub(capsys: pytest.CaptureFixture[str]) -> None:
    make_token(session_with(OutputFormat.TABLE), "edge-1")

    shown = capsys.readouterr()
    assert "ganglion node join https://hub.example:8443 --token TOKEN" in shown.err
    assert "secret" not in shown.err
