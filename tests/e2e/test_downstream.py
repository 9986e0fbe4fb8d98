"""What a hub sends down beside models, with real processes: settings on trial, and reference files."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca
from ganglion.testing.processes import HubProcess, NodeProcess, free_port, join
from ganglion.testing.waiting import wait_until
from ganglion.wire.resources import TokenRequest

SOON_S = 60.0
SETTINGS = "[node]\nrestart_s_max = 0.5\n[node.agent]\nreport_s = 1.0\nbackoff_s_max = 1.0\n"

pytestmark = pytest.mark.e2e


@dataclass(frozen=True, slots=True)
class OneNode:
    api: HubClient
    node: NodeProcess
    data: Path

    def says(self, state: str) -> bool:
        return f": {state}" in self.api.node("gate").settings

    def has_counted(self, starts: int) -> bool:
        """Say whether the agent has come up so many times within the trial."""
        return any(
            entry.get("event") == "settings.moved" and entry.get("starts") == starts for entry in self.node.log_lines()
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[OneNode]:
    with ExitStack() as stack:
        hub = stack.enter_context(HubProcess(tmp_path / "hub", port=free_port()))
        api = HubClient(hub.url, ca_pem=fetch_ca(hub.url, hub.ca_pin), token=hub.first_token())
        stack.enter_context(api)
        join(hub.url, api.create_node_token(TokenRequest(name="gate")).token, tmp_path / "gate")
        (tmp_path / "node.toml").write_text(SETTINGS, encoding="utf-8")
        node = NodeProcess(tmp_path / "gate", port=free_port(), config=tmp_path / "node.toml")
        stack.enter_context(node)
        wait_until(lambda: api.node("gate").last_seen_at_s, what="the node", timeout_s=SOON_S)
        yield OneNode(api, node, tmp_path / "gate")


def test_settings_with_which_the_agent_dies_again_and_again_are_taken_back_and_told(world: OneNode) -> None:
    world.api.change_settings("fleet", "", put={"collection.random_share": "0.5"})
    wait_until(lambda: world.says("trying"), what="the trial", timeout_s=SOON_S)

    for starts in (1, 2, 3):
        world.node.kill_child("agent")
        wait_until(partial(world.has_counted, starts), what=f"start {starts}", timeout_s=SOON_S)

    wait_until(lambda: world.says("failed"), what="the end of the trial", timeout_s=SOON_S)
    assert "started 3 times with them" in world.api.node_settings("gate").told
    assert "settings.failed" in [event.name for event in world.api.events()]


def holds(file: Path, content: str) -> bool:
    return file.exists() and file.read_text() == content


def test_a_reference_file_comes_to_a_node_is_replaced_and_goes(world: OneNode, tmp_path: Path) -> None:
    place, source = world.data / "files" / "labels.txt", tmp_path / "labels.txt"
    for content in ("cat\ndog\n", "cat\ndog\nhorse\n"):
        source.write_text(content)
        world.api.put_file("site", "default", "labels.txt", source)
        wait_until(partial(holds, place, content), what="the file", timeout_s=SOON_S)
        wait_until(lambda: world.api.node_files("gate")[0].state == "applied", what="the report", timeout_s=SOON_S)

    world.node.kill()
    place.write_text("damaged\n")
    world.node.start()
    wait_until(lambda: place.read_text() == "cat\ndog\nhorse\n", what="the file again", timeout_s=SOON_S)

    world.api.remove_file("site", "default", "labels.txt")
    wait_until(lambda: not place.exists(), what="the end of the file", timeout_s=SOON_S)
