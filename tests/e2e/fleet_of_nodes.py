"""A hub, real nodes on several sites with a client each, and what became of a bad version that was rolled out there."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.bad_versions import GOOD, LABELS, LAYERS, MODEL, Fault, package, rows_of
from ganglion.adapters.system import SystemClock
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca
from ganglion.ports.clock import utc_s
from ganglion.testing.processes import HubProcess, NodeProcess, clock_s, free_port, join
from ganglion.testing.traffic import Exchange, Row, SteadyClient
from ganglion.testing.waiting import wait_until
from ganglion.wire.resources import ModelOnNode, NodeView, TokenRequest
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest, RolloutView

SEED = "fleet"
"""The same for every rollout: the nodes of a stage are the same, whatever the version."""
SITES = ("harbour", "valley", "ridge", "plain")
SOON_S, LATE_S = 90.0, 600.0
_STAGE_S = 200.0
"""One node that is asked four times a second has met one input in 500 by then."""
_STARTED_TOGETHER = 2
_SETTINGS = """\
[node]
restart_s_max = 2.0
[node.serving]
threads = 1
deaths_max = {deaths_max}
[node.agent]
report_s = 2.0
flush_s = 0.5
backoff_s_max = 2.0
"""
_UNJUDGED_US = 1_000_000
"""Nodes that share a few cores have latencies of their own: only the rollout of a slow version looks at them."""
_NODE_LATENCY_RATIO_MAX = 100.0
_ANSWERS_MIN: Mapping[Fault | None, int] = {Fault.CRASHING: 600, Fault.SLOW: 160}
"""A stage sees one input in 500 when it answers more than that, and how long answers take when its nodes gave some."""


@dataclass(frozen=True, slots=True)
class Caught:
    """What a bad version did until it was gone. Times in seconds."""

    fault: str
    nodes: int
    stage: int
    """From 1; the last one that was given the version."""
    share: str
    given: int
    named: list[str]
    """The nodes of the stages so far: those that may have been given it."""
    rules: list[str]
    """Of the gate, each with the class or site that it looked at."""
    reason: str
    caught_after_s: float
    """From the start of the rollout to its abort."""
    seen_after_s: float
    """From the first answer of the version that a client got to the abort."""
    returned_after_s: float
    """From the abort to the proof that every node is back."""
    answers: int
    """That clients got of the version."""
    affected: int
    """Those that were wrong or slow, and requests without an answer on nodes that had the version."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything that runs."""

    api: HubClient
    nodes: Mapping[str, NodeProcess]
    clients: Mapping[str, SteadyClient]
    sites: Mapping[str, int]
    """Of each node, by its place in SITES."""
    stages: Sequence[str]
    workshop: Path
    layers: int = LAYERS
    """How much the good version works."""

    def release(self, fault: Fault | None = None, *, site: int = 0) -> str:
        """Make and release a version, and return its name."""
        return self.api.release(package(self.workshop, fault, site=site, layers=self.layers)).version

    def site_of_a_later_stage(self, version: str) -> int:
        """Return a site of which no node is in the first stage."""
        first = self.api.plan_rollout(_request(version, self.stages)).stages[0]
        taken = {self.sites[node.node] for node in first.nodes}
        return next(site for site in sorted(set(self.sites.values())) if site not in taken)

    def roll_out(self, version: str, fault: Fault | None = None) -> RolloutView:
        """Roll a version out and return how that ended."""
        stages = self.stages if fault else ["100%"]
        rollout_id = self.api.start_rollout(_request(version, stages, fault)).rollout_id
        wait_until(
            lambda: self.api.rollout(rollout_id).state in ("completed", "aborted"),
            what=f"the end of the rollout of {version}",
            timeout_s=LATE_S,
        )
        return self.api.rollout(rollout_id)

    def catch(self, fault: Fault, *, site: int = 0) -> Caught:
        """Release a bad version, roll it out, wait until every node is back, and tell what it did."""
        version, began_s = self.release(fault, site=site), clock_s()
        view = self.roll_out(version, fault)
        assert view.state == "aborted", f"{version} reached everybody: {view.reason}"
        back_s = wait_until(
            lambda: now.revert.reverted_at_s if (now := self.api.rollout(view.rollout_id)).revert else None,
            what="the way back of every node",
            timeout_s=SOON_S,
        )
        wait_until(lambda: self.is_at_rest(GOOD), what=f"the nodes to be as before {version}", timeout_s=SOON_S)
        return self._told(fault, view, back_s, self._since(began_s, given_to(view)))

    def is_at_rest(self, version: str) -> bool:
        """Say whether every node answers with a version, has committed it, and is wanted to."""
        models = [_model_of(node) for node in self.api.nodes()]
        return all(model and model.version == model.committed == model.desired == version for model in models)

    def answered_with(self, version: str) -> set[str]:
        """Return the nodes whose clients ever got an answer of a version."""
        return {
            name
            for name, client in self.clients.items()
            if any(exchange.version == version for exchange in list(client.exchanges))
        }

    def _since(self, at_s: float, names: Sequence[str]) -> list[Exchange]:
        return [exchange for name in names for exchange in self.clients[name].since(at_s)]

    def _told(self, fault: Fault, view: RolloutView, back_s: float, exchanges: list[Exchange]) -> Caught:
        caught_at_s = next(entry.at_s for entry in reversed(view.history) if entry.event == "aborted")
        utc_of_monotonic_s = utc_s(SystemClock()) - clock_s()
        bad = [exchange for exchange in exchanges if exchange.version == view.version]
        first_s = min((exchange.at_s for exchange in bad), default=clock_s()) + utc_of_monotonic_s
        wrong = [exchange for exchange in bad if fault is Fault.SLOW or exchange.label != exchange.row.truth]
        lost = [exchange for exchange in exchanges if not exchange.is_answered]
        stage = view.stages[view.stage]
        stopped = [finding for finding in stage.findings if finding.answer == "abort"]
        # Where the time of a stage is over, it is what the gate still waited for that has ended the rollout.
        stopped = stopped or [finding for finding in stage.findings if finding.answer == "wait"]
        return Caught(
            fault=fault.value,
            nodes=len(self.nodes),
            stage=view.stage + 1,
            share=stage.share,
            given=view.given,
            named=given_to(view),
            rules=[f"{each.rule} at {each.scope}" if each.scope else each.rule for each in stopped],
            reason=view.reason,
            caught_after_s=round(caught_at_s - view.created_at_s, 1),
            seen_after_s=round(caught_at_s - first_s, 1),
            returned_after_s=round(back_s - caught_at_s, 1),
            answers=len(bad),
            affected=len(wrong) + len(lost),
        )


def given_to(view: RolloutView) -> list[str]:
    """Return the nodes of the stages that a rollout came to."""
    return [name for stage in view.stages[: view.stage + 1] for name in stage.nodes]


def table(report: Sequence[Caught]) -> str:
    """Return a report for people to read."""
    head = ("fault", "stage", "nodes", "rule", "caught s", "seen s", "back s", "answers", "affected")
    rows = [
        (
            each.fault, f"{each.stage} ({each.share})", f"{each.given} of {each.nodes}", ", ".join(each.rules),
            f"{each.caught_after_s:.1f}", f"{each.seen_after_s:.1f}", f"{each.returned_after_s:.1f}",
            str(each.answers), str(each.affected),
        )
        for each in report
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


@contextmanager
def open_fleet(
    directory: Path,
    *,
    nodes: int,
    sites: int,
    stages: Sequence[str],
    rate: float,
    deaths_max: int = 1,
    layers: int = LAYERS,
) -> Iterator[Fleet]:
    """Start a hub and nodes with a client each that asks `rate` times a second, and bring them the good version.

    A version that takes the serving process down `deaths_max` times is not loaded again. `layers`: how much the good
    version works; what is not about time needs hardly any.
    """
    with ExitStack() as stack:
        hub = stack.enter_context(HubProcess(directory / "hub", port=free_port()))
        api = stack.enter_context(HubClient(hub.url, ca_pem=fetch_ca(hub.url, hub.ca_pin), token=hub.first_token()))
        (directory / "node.toml").write_text(_SETTINGS.format(deaths_max=deaths_max), encoding="utf-8")
        places = {f"node-{number:02}": number % sites for number in range(nodes)}
        with ThreadPoolExecutor(_STARTED_TOGETHER) as pool:
            list(pool.map(lambda name: _join(hub, api, directory / name, SITES[places[name]]), places))
        running = {}
        for name in places:
            node = NodeProcess(directory / name, port=free_port(), config=directory / "node.toml")
            running[name] = stack.enter_context(node)
            node.child("agent")
        clients = {
            name: stack.enter_context(_client(name, node, rows_of(places[name], seed=seed), rate))
            for seed, (name, node) in enumerate(running.items())
        }
        fleet = Fleet(api, running, clients, places, stages, directory / "workshop", layers)
        assert fleet.roll_out(fleet.release()).state == "completed"
        wait_until(lambda: fleet.is_at_rest(GOOD), what="the good version", timeout_s=SOON_S)
        yield fleet


def _join(hub: HubProcess, api: HubClient, data: Path, site: str) -> None:
    join(hub.url, api.create_node_token(TokenRequest(name=data.name, site=site)).token, data)


def _client(name: str, node: NodeProcess, rows: Sequence[Row], rate: float) -> SteadyClient:
    return SteadyClient(name, node.port, MODEL, rows, LABELS, rate=rate)


def _model_of(node: NodeView) -> ModelOnNode | None:
    return next((model for model in node.models if model.model == MODEL), None)


def _request(version: str, stages: Sequence[str], fault: Fault | None = None) -> RolloutRequest:
    return RolloutRequest(
        model=MODEL,
        version=version,
        stages=list(stages),
        seed=SEED,
        gate=GateSettings(
            inferences_min=_ANSWERS_MIN.get(fault, 50),
            soak_s=2.0,
            compared_min=20 if fault is Fault.SLOW else 50,
            latency_slack_us=_UNJUDGED_US,
            latency_typical_slack_us=0 if fault is Fault.SLOW else _UNJUDGED_US,
            deadline_s=_STAGE_S,
        ),
        probation=ProbationSettings(
            probation_s=2.0,
            inferences_min=20,
            compare_share=0.25 if fault is Fault.SLOW else 1.0,
            latency_ratio_max=_NODE_LATENCY_RATIO_MAX,
        ),
    )
