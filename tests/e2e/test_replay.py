"""Whatever the line does: every answer is stored exactly once, in order, with its time (behaviour 11).

Short forms of the profiles that fleets meet, one after another, with one real hub and one real node; minutes are scaled
to fractions of a second. Where measured traces are at hand, one of them is played too.
"""

import csv
import gzip
import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from ganglion.adapters.system import SystemClock
from ganglion.entrypoints import learning
from ganglion.entrypoints.demo import digits
from ganglion.entrypoints.demo.chapters import INPUTS
from ganglion.entrypoints.demo.digits import LABELS
from ganglion.entrypoints.demo.script import MODEL
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca
from ganglion.ports.clock import utc_s
from ganglion.testing.ledger import compare
from ganglion.testing.processes import HubProcess, NodeProcess, clock_s, free_port, join
from ganglion.testing.relay import CutMode, Quality, ThreadedRelay
from ganglion.testing.traffic import SteadyClient
from ganglion.testing.waiting import wait_until
from ganglion.wire.resources import ResultView, TokenRequest
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

SOON_S = 60.0
SETTINGS = "[node.agent]\nbackoff_s_max = 1.0\nreport_s = 1.0\nflush_s = 0.2\npoll_s = 2.0\n"
MINUTE_S = float(os.environ.get("REPLAY_MINUTE_S", "0.08"))
"""What a minute of a profile is scaled to; `make soak` takes whole ones."""
TRACES = Path(os.environ.get("REPLAY_TRACES", "../shared/data/network/bandwidth.csv.gz"))
TRACE_STEPS, TRACE_STEP_S = 30, 0.1

pytestmark = pytest.mark.e2e


@dataclass(frozen=True, slots=True)
class Phase:
    """The line is as good as this, for so long. None: it is cut."""

    quality: Quality | None
    seconds: float


GOOD, CUT = Quality(), None
SATELLITE = Quality(delay_s=0.3, loss_share=0.02, reset_share=0.005)
MOBILE_3G = Quality(delay_s=0.1, bytes_per_s=50_000.0, loss_share=0.01)
PROFILES: dict[str, list[Phase]] = {
    "offline 5/5": [Phase(CUT, 5 * MINUTE_S), Phase(GOOD, 5 * MINUTE_S)] * 4,
    "offline 30/30": [Phase(CUT, 30 * MINUTE_S), Phase(GOOD, 30 * MINUTE_S)],
    "offline 5/20": [Phase(CUT, 20 * MINUTE_S), Phase(GOOD, 5 * MINUTE_S)] * 2,
    "satellite": [Phase(SATELLITE, max(5.0, 10 * MINUTE_S))],
    "3G": [Phase(MOBILE_3G, max(4.0, 10 * MINUTE_S))],
}


def traced() -> list[Phase]:
    """Return the beginning of a measured 3G trace, outages and all; a made-up one where none is at hand."""
    if not TRACES.exists():
        rates = [160.0, 20.0, 0.0, 0.0, 45.0, 210.0] * (TRACE_STEPS // 6)
    else:
        with gzip.open(TRACES, "rt", encoding="utf-8", newline="") as file:
            steps = (row for row in csv.DictReader(file) if row["kind"].startswith("3g"))
            rates = [float(row["bandwidth_kbps"]) / 8 for row in itertools.islice(steps, TRACE_STEPS)]
    return [Phase(Quality(delay_s=0.1, bytes_per_s=rate * 1000.0), TRACE_STEP_S) for rate in rates]


@dataclass(frozen=True, slots=True)
class Line:
    """One node behind a relay, a client that keeps asking it, and the hub."""

    hub: HubProcess
    api: HubClient
    relay: ThreadedRelay
    client: SteadyClient

    def play(self, phases: list[Phase]) -> None:
        for phase in phases:
            if phase.quality is None:
                self.relay.cut(CutMode.BLACKHOLE)
            else:
                self.relay.restore()
                self.relay.carry(phase.quality)
            self._let_pass(phase.seconds)
        self.relay.restore()
        self.relay.carry(GOOD)

    def answered(self, until_s: float) -> list[str]:
        return [exchange.request_id for exchange in self.client.since(0.0, until_s) if exchange.is_answered]

    def stored(self) -> list[ResultView]:
        results: list[ResultView] = []
        after = ("", 0)
        while page := self.api.results("edge", after=after, limit=1000):
            results += page
            after = (page[-1].epoch, page[-1].seq)
        return results

    def is_complete(self, until_s: float) -> bool:
        """Say whether the hub has everything that was answered before."""
        return compare(self.answered(until_s), _ids(self.stored())).lost == 0

    def _let_pass(self, seconds: float) -> None:
        """Wait for as many answers as the client asks for in that time: the traffic is the clock."""
        since_s = clock_s()
        wanted = max(1, int(seconds * 40.0))
        wait_until(lambda: len(self.client.since(since_s)) >= wanted, what="traffic", timeout_s=SOON_S + 2.0 * seconds)


@contextmanager
def line_to_a_node(directory: Path) -> Iterator[Line]:
    parts = digits.load()
    made = learning.train_version(
        MODEL, "1", parts.labelled, directory=directory, held_out=parts.held_out, inputs=INPUTS
    )
    with ExitStack() as stack:
        hub = stack.enter_context(HubProcess(directory / "hub", port=free_port()))
        api = stack.enter_context(HubClient(hub.url, ca_pem=fetch_ca(hub.url, hub.ca_pin), token=hub.first_token()))
        relay = stack.enter_context(ThreadedRelay("127.0.0.1", hub.port))
        join(
            f"https://127.0.0.1:{relay.port}",
            api.create_node_token(TokenRequest(name="edge")).token,
            directory / "edge",
        )
        (directory / "edge.toml").write_text(SETTINGS, encoding="utf-8")
        node = NodeProcess(directory / "edge", port=free_port(), config=directory / "edge.toml")
        stack.enter_context(node)
        api.release(made.package_file)
        rollout = api.start_rollout(
            RolloutRequest(
                model=MODEL,
                version="1",
                stages=["100%"],
                gate=GateSettings(inferences_min=1, soak_s=0.0),
                probation=ProbationSettings(probation_s=0.2, inferences_min=3),
            )
        )
        client = stack.enter_context(SteadyClient("edge", node.port, MODEL, parts.stream, LABELS, rate=40.0))
        wait_until(
            lambda: api.rollout(rollout.rollout_id).state == "completed", what="the first version", timeout_s=SOON_S
        )
        yield Line(hub, api, relay, client)


def test_behaviour_11_every_profile_stores_each_record_once_in_order_and_with_its_time(tmp_path: Path) -> None:
    with line_to_a_node(tmp_path) as line:
        began_s = utc_s(SystemClock())
        for number, (name, phases) in enumerate({**PROFILES, "trace": traced()}.items()):
            line.play(phases)
            if number % 2:
                line.hub.kill()
                line.hub.start()
            until_s = clock_s()
            wait_until(partial(line.is_complete, until_s), what=f"all records after {name}", timeout_s=SOON_S)

        ended_s = utc_s(SystemClock())
        results = line.stored()
        ledger = compare(line.answered(until_s), _ids(results))
        times = [result.node_at_s for result in results]
        assert ledger.holds, ledger
        assert ledger.answered > 500
        assert times == sorted(times)
        assert sum(began_s <= at_s <= ended_s for at_s in times) >= ledger.answered - 100
        assert line.api.node("edge").shed == {}


def _ids(results: list[ResultView]) -> list[str]:
    return [result.request_id for result in results]
