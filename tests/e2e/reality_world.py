"""One small fleet of real processes, what happens to it, and the same as a scenario of the simulated world."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ganglion.entrypoints import learning
from ganglion.entrypoints.demo import digits
from ganglion.entrypoints.demo.chapters import INPUTS
from ganglion.entrypoints.demo.digits import LABELS, Digits
from ganglion.entrypoints.demo.script import MODEL
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca
from ganglion.entrypoints.learning import LearningSettings
from ganglion.factory.steps.train import TrainSettings
from ganglion.factory.steps.version import VersionSettings
from ganglion.testing.processes import HubProcess, NodeProcess, clock_s, free_port, join
from ganglion.testing.relay import ThreadedRelay
from ganglion.testing.traffic import SteadyClient
from ganglion.testing.waiting import wait_until
from ganglion.testing.world.outcome import Outcome
from ganglion.testing.world.scenario import Connection, Devices, Rates, Release, Scenario
from ganglion.testing.world.world import simulate
from ganglion.wire import codec
from ganglion.wire.records import ResultRecord
from ganglion.wire.resources import TokenRequest
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

NODES = ("harbour", "ridge", "valley")
STAGES = ("1", "100%")
RATE = 50.0
SAMPLE_BYTES = 340.0
CUT_S, CALM_S, LAST_S = 7.0, 2.0, 5.0
OUTBOX_BYTES = 15_000
"""Less than a node makes while the cable is out: something must be given up."""
FLUSH_S, TICK_S, INSTALL_S, BACK_S = 1.0, 1.0, 0.3, 1.0
_COMPRESSION = 0.33
_HOUR_S = 3600.0
_SOON_S = 60.0
_SAMPLES_MAX = 1000
_NODE_SETTINGS = (
    f"[node.agent]\nflush_s = {FLUSH_S}\nreport_s = 1.0\nbackoff_s_max = {BACK_S}\noutbox_bytes_max = {OUTBOX_BYTES}\n"
)
_SMALL = LearningSettings(version=VersionSettings(optimise=False, train=TrainSettings(hidden=(256,), epochs_max=200)))
_ANY_LATENCY_US = 60_000_000
"""How fast this machine is while tests run beside each other is not what is compared."""
_FIRST = GateSettings(inferences_min=1, soak_s=0.0, compared_min=0)
_ANY = ProbationSettings(probation_s=0.2, inferences_min=5)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When things happened, in seconds since the measuring began."""

    good_s: float
    cut_s: float
    mended_s: float
    bad_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What is compared, of the whole fleet, from the beginning of the measuring to its end."""

    results: int
    """Answers …"""
    samples: int
    """… and inputs that were kept."""
    stored: int
    """Of both together."""
    shed_results: int
    shed_samples: int
    sent_bytes: int
    """What both cost on the link, compressed."""
    updates: int
    reverts: int
    spread_s: float
    """From the start of the good rollout to the last node's commit."""
    outage_share: float
    """How much of the time the cable was out."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """What the hub knows at one moment."""

    results: int
    samples: int
    shed_results: int
    shed_samples: int
    sent_bytes: int


class RealFleet:
    """A hub, three nodes behind one cable, and a client at each."""

    def __init__(self, api: HubClient, cable: ThreadedRelay, clients: dict[str, SteadyClient]) -> None:
        self.api, self._cable, self._clients = api, cable, clients

    def live(self, scenario: Scenario) -> tuple[Schedule, Figures]:
        """Take a good version, lose the cable for a while, refuse a bad version; return what that came to."""
        self._roll_out("1", ("100%",), _FIRST, _ANY)
        before, began_s = self._counted(), clock_s()
        self._pass(CALM_S)
        good_s = clock_s() - began_s
        good = self._roll_out("2", STAGES, scenario.gate(), scenario.probation())
        self._pass(CALM_S)
        cut_s = clock_s() - began_s
        self._cable.cut()
        self._pass(CUT_S)
        self._cable.restore()
        mended_s = clock_s() - began_s
        self._drain()
        bad_s = clock_s() - began_s
        bad = self._roll_out("3", STAGES, scenario.gate(), scenario.probation())
        self._pass(LAST_S)
        end_s = clock_s() - began_s
        after = self._counted()
        answered = sum(len(client.since(began_s, began_s + end_s)) for client in self._clients.values())
        commits = self._told(good, "update.committed")
        samples = after.samples + after.shed_samples - before.samples - before.shed_samples
        figures = Figures(
            results=answered,
            samples=samples,
            stored=after.results + after.samples - before.results - before.samples,
            shed_results=after.shed_results - before.shed_results,
            shed_samples=after.shed_samples - before.shed_samples,
            sent_bytes=after.sent_bytes - before.sent_bytes,
            updates=len(commits) + len(self._told(bad, "update.committed")),
            reverts=len(self._told(good, "update.rolled_back")) + len(self._told(bad, "update.rolled_back")),
            spread_s=max(commits) - self.api.rollout(good).created_at_s,
            outage_share=(mended_s - cut_s) / end_s,
        )
        return Schedule(good_s, cut_s, mended_s, bad_s, end_s), figures

    def _roll_out(self, version: str, stages: tuple[str, ...], gate: GateSettings, probation: ProbationSettings) -> str:
        gate = replace(gate, latency_slack_us=_ANY_LATENCY_US, latency_typical_slack_us=_ANY_LATENCY_US)
        probation = replace(probation, latency_ratio_max=1e6)
        request = RolloutRequest(model=MODEL, version=version, stages=list(stages), gate=gate, probation=probation)
        rollout_id = self.api.start_rollout(request).rollout_id
        wait_until(
            lambda: self.api.rollout(rollout_id).state in ("completed", "aborted"),
            what=f"the end of the rollout of {version}",
            timeout_s=_SOON_S,
        )
        return rollout_id

    def _told(self, rollout_id: str, name: str) -> list[float]:
        return [event.at_s for event in self.api.events(rollout=rollout_id) if event.name == name]

    def _drain(self) -> None:
        """Return when what piled up has left."""
        usual = int(2 * RATE * FLUSH_S)
        wait_until(
            lambda: all(view.made - view.stored - sum(view.shed.values()) < usual for view in self.api.nodes()),
            what="the outboxes to drain",
            timeout_s=_SOON_S,
        )
        self._pass(CALM_S)

    def _pass(self, seconds: float) -> None:
        """Let the clients work for a while."""
        until_s = clock_s() + seconds
        wait_until(lambda: clock_s() >= until_s, what="the time to pass", timeout_s=_SOON_S)

    def _counted(self) -> _Counts:
        views = self.api.nodes()
        return _Counts(
            results=sum(self._results(view.name) for view in views),
            samples=len(self.api.samples(limit=_SAMPLES_MAX)),
            shed_results=sum(view.shed.get("result", 0) for view in views),
            shed_samples=sum(view.shed.get("sample", 0) for view in views),
            sent_bytes=sum(view.sent_bytes.get(kind, 0) for view in views for kind in ("result", "sample")),
        )

    def _results(self, node: str) -> int:
        count, after = 0, ("", 0)
        while page := self.api.results(node, after=after, limit=1000):
            count, after = count + len(page), (page[-1].epoch, page[-1].seq)
        return count


@contextmanager
def real_fleet(directory: Path) -> Iterator[RealFleet]:
    """Start everything; end it on the way out."""
    parts = digits.load()
    with ExitStack() as stack:
        hub = stack.enter_context(HubProcess(directory / "hub", port=free_port()))
        pem = fetch_ca(hub.url, hub.ca_pin)
        api = stack.enter_context(HubClient(hub.url, ca_pem=pem, token=hub.first_token()))
        cable = stack.enter_context(ThreadedRelay("127.0.0.1", hub.port))
        _release(api, parts, directory)
        clients = {}
        for index, name in enumerate(NODES):
            node = stack.enter_context(_start_node(directory, name, cable, api))
            rows = [*parts.stream[index * 400 :], *parts.stream[: index * 400]]
            clients[name] = stack.enter_context(SteadyClient(name, node.port, MODEL, rows, LABELS, rate=RATE))
        yield RealFleet(api, cable, clients)


def _release(api: HubClient, parts: Digits, directory: Path) -> None:
    """Release two good versions, and one that was trained on transposed images."""
    for version in ("1", "2"):
        made = learning.train_version(
            MODEL, version, parts.labelled, directory=directory, held_out=parts.held_out, inputs=INPUTS,
            settings=_SMALL,
        )  # fmt: skip
        api.release(made.package_file)
    wrong = digits.transposed(digits.stream_rows(parts))
    made = learning.train_version(MODEL, "3", wrong, directory=directory, inputs=INPUTS, settings=_SMALL)
    api.release(made.package_file)


def _start_node(directory: Path, name: str, cable: ThreadedRelay, api: HubClient) -> NodeProcess:
    token = api.create_node_token(TokenRequest(name=name, site=name)).token
    join(f"https://127.0.0.1:{cable.port}", token, directory / name)
    settings = directory / f"{name}.toml"
    settings.write_text(_NODE_SETTINGS, encoding="utf-8")
    return NodeProcess(directory / name, port=free_port(), config=settings)


def described(schedule: Schedule | None = None, real: Figures | None = None) -> Scenario:
    """Return the fleet as a scenario: the same settings, and what happened when. Without these, the settings alone."""
    result = ResultRecord("harbour-1000", MODEL, "2", 400, ("7",), (0.987654,))
    rates = Rates(
        results_per_s=real.results / len(NODES) / schedule.end_s if real and schedule else RATE,
        samples_per_hour=real.samples / len(NODES) / schedule.end_s * _HOUR_S if real and schedule else 0.0,
        result_bytes=len(codec.encode_packed(result)),
        sample_bytes=SAMPLE_BYTES,
        compression=_COMPRESSION,
        flush_s=FLUSH_S,
    )
    plain = Scenario(
        devices=Devices(nodes=len(NODES), sites=len(NODES), outbox_gb=OUTBOX_BYTES / 1e9, install_s=INSTALL_S),
        rates=rates,
        link=Connection(up_kbps=1e6, down_kbps=1e6, delay_ms=0.0),
        model_mb=0.33,
        stages=STAGES,
        soak_s=1.0,
        deadline_h=60.0 / _HOUR_S,
        probation_s=1.0,
        hub_look_s=TICK_S,
        settle_h=1.0 / _HOUR_S,
    )
    if schedule is None:
        return plain
    return Scenario(
        **{name: getattr(plain, name) for name in plain.__struct_fields__ if name not in ("hours", "releases", "link")},
        hours=(schedule.end_s - 1.0) / _HOUR_S,
        link=Connection(
            up_kbps=1e6, down_kbps=1e6, delay_ms=0.0, back_s=BACK_S,
            offline=(f"{schedule.cut_s / _HOUR_S}-{schedule.mended_s / _HOUR_S}",),
        ),
        releases=(
            Release(version="2", at_h=schedule.good_s / _HOUR_S),
            Release(version="3", at_h=schedule.bad_s / _HOUR_S, behaves="confident_and_wrong"),
        ),
    )  # fmt: skip


def figures_of(outcome: Outcome, *, outage_share: float) -> Figures:
    """Return what the simulated world says."""
    counted = outcome.figures
    good = outcome.releases[0]
    results, samples = counted.made["result"], counted.made.get("sample", 0)
    return Figures(
        results=results,
        samples=samples,
        stored=counted.stored - counted.made.get("event", 0),
        shed_results=counted.shed.get("result", 0),
        shed_samples=counted.shed.get("sample", 0),
        sent_bytes=counted.up_bytes,
        updates=counted.updates,
        reverts=counted.reverts,
        spread_s=(good.all_h or 0.0) * _HOUR_S,
        outage_share=outage_share,
    )


def simulated(schedule: Schedule, real: Figures, *, seed: int) -> Figures:
    """Return what the simulated world makes of the same fleet and the same events."""
    return figures_of(simulate(described(schedule, real), seed=seed), outage_share=real.outage_share)
