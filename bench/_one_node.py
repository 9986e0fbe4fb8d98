"""A real hub with one real node that has committed the tiny model, as a user would have made them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from _models import BenchModel, write_version
from ganglion.adapters.package_files import pack
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca
from ganglion.testing.processes import HubProcess, NodeProcess, free_port, join
from ganglion.testing.waiting import wait_until
from ganglion.wire.resources import TokenRequest
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

GATE = GateSettings(inferences_min=0, soak_s=0.0, compared_min=0)
AT_ONCE = ProbationSettings(probation_s=0.0, inferences_min=0)
SETTINGS = "[node.agent]\nreport_s = 0.5\nflush_s = 0.2\n"
_SOON_S = 120.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """A hub and its one node, both running."""

    hub: HubProcess
    node: NodeProcess
    api: HubClient
    scratch: Path

    def release(self, model: BenchModel, version: str) -> int:
        """Release a version and return the size of its package in bytes."""
        file = self.scratch / f"{model.name}-{version}.ganglion"
        pack(write_version(self.scratch, model, version), file)
        self.api.release(file)
        return file.stat().st_size

    def roll_out(self, model: BenchModel, version: str) -> None:
        """Let the node take a version, and return when it has committed it."""
        request = RolloutRequest(model=model.name, version=version, stages=["100%"], gate=GATE, probation=AT_ONCE)
        self.api.start_rollout(request)
        wait_until(
            lambda: [one.committed for one in self.api.node("bench").models if one.model == model.name] == [version],
            what=f"the commit of {model.name}:{version}",
            timeout_s=_SOON_S,
        )


@contextmanager
def one_node(scratch: Path) -> Iterator[Fleet]:
    """Run a hub and a node with nothing on it, until the block ends."""
    config = scratch / "node.toml"
    config.write_text(SETTINGS, encoding="utf-8")
    with ExitStack() as stack:
        hub = stack.enter_context(HubProcess(scratch / "hub", port=free_port()))
        api = stack.enter_context(HubClient(hub.url, ca_pem=fetch_ca(hub.url, hub.ca_pin), token=hub.first_token()))
        join(hub.url, api.create_node_token(TokenRequest(name="bench")).token, scratch / "node")
        node = stack.enter_context(NodeProcess(scratch / "node", port=free_port(), config=config))
        wait_until(lambda: api.node("bench").last_seen_at_s, what="the node", timeout_s=_SOON_S)
        yield Fleet(hub, node, api, scratch)
