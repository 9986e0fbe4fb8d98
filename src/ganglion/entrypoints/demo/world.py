"""The demo's cast: one hub, four nodes behind a cable that can be cut, a client at each node, and two people."""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ganglion.entrypoints.demo.digits import LABELS, Digits
from ganglion.entrypoints.demo.script import CANARY_LABEL, MODEL, REVIEWER, SITES, Script
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca
from ganglion.testing.ledger import Ledger, compare
from ganglion.testing.processes import HubProcess, NodeProcess, free_port, join
from ganglion.testing.relay import ThreadedRelay
from ganglion.testing.traffic import SteadyClient
from ganglion.wire.people_resources import AccountRequest
from ganglion.wire.resources import NodeView, TokenRequest

_PAGE = 1000
_NODE_SETTINGS = """\
[node.agent]
# Four nodes need no spreading: they come back soon after the cable does.
backoff_s_max = 2.0
report_s = 5.0
"""


@dataclass(frozen=True, slots=True)
class World:
    """Everything that runs."""

    hub: HubProcess
    token: str
    api: HubClient
    reviewer: HubClient
    """The same hub, as a second person sees it."""
    cable: ThreadedRelay
    nodes: Mapping[str, NodeProcess]
    clients: Mapping[str, SteadyClient]

    def views(self) -> dict[str, NodeView]:
        """Return what the hub knows of each node."""
        return {view.name: view for view in self.api.nodes()}

    def ledger(self, name: str, until_s: float) -> Ledger:
        """Compare what the client of `name` was answered before `until_s` with what the hub has stored."""
        answered = [e.request_id for e in self.clients[name].since(0.0, until_s) if e.is_answered]
        return compare(answered, self._stored(name))

    def _stored(self, name: str) -> Iterator[str]:
        after = ("", 0)
        while True:
            page = self.api.results(name, after=after, limit=_PAGE)
            yield from (result.request_id for result in page)
            if len(page) < _PAGE:
                return
            after = (page[-1].epoch, page[-1].seq)


@contextmanager
def open_world(data: Path, digits: Digits, script: Script, *, keep_hub: bool) -> Iterator[World]:
    """Start everything; on the way out, however it comes, end what was started."""
    with ExitStack() as stack:
        hub = HubProcess(data / "hub", port=free_port())
        stack.push(_Stopper(hub, keep=keep_hub))
        hub.start()
        token = hub.first_token()
        ca_pem = fetch_ca(hub.url, hub.ca_pin)
        api = stack.enter_context(HubClient(hub.url, ca_pem=ca_pem, token=token))
        reviewing = api.create_account(AccountRequest(name=REVIEWER, role="operator"))
        reviewer = stack.enter_context(HubClient(hub.url, ca_pem=ca_pem, token=reviewing))
        cable = stack.enter_context(ThreadedRelay("127.0.0.1", hub.port))
        nodes = {name: stack.enter_context(_start_node(data, name, site, cable, api)) for name, site in _names()}
        clients = {
            name: stack.enter_context(_client(name, index, node, digits, script))
            for index, (name, node) in enumerate(nodes.items())
        }
        yield World(hub=hub, token=token, api=api, reviewer=reviewer, cable=cable, nodes=nodes, clients=clients)


def _names() -> list[tuple[str, str]]:
    return [(f"meter-{site}", site) for site in SITES]


def _start_node(data: Path, name: str, site: str, cable: ThreadedRelay, api: HubClient) -> NodeProcess:
    labels = dict([CANARY_LABEL]) if site == SITES[0] else {}
    token = api.create_node_token(TokenRequest(name=name, site=site, labels=labels)).token
    join(f"https://127.0.0.1:{cable.port}", token, data / name)
    settings = data / f"{name}.toml"
    settings.write_text(_NODE_SETTINGS, encoding="utf-8")
    return NodeProcess(data / name, port=free_port(), config=settings)


def _client(name: str, index: int, node: NodeProcess, digits: Digits, script: Script) -> SteadyClient:
    """Every client sends the whole stream, each from another place in it."""
    start = index * len(digits.stream) // len(SITES)
    rows = [*digits.stream[start:], *digits.stream[:start]]
    return SteadyClient(name, node.port, MODEL, rows, LABELS, rate=script.rate)


class _Stopper(contextlib.AbstractContextManager[None]):
    """Ends the hub, unless the demo went well and the hub was asked for."""

    def __init__(self, hub: HubProcess, *, keep: bool) -> None:
        self._hub, self._keep = hub, keep

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None or not self._keep:
            self._hub.stop()
