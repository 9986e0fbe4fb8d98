"""Whatever process of a node dies, in whatever state of an update: it ends, and no client sees an odd version."""

import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ganglion.entrypoints import learning
from ganglion.entrypoints.demo import digits
from ganglion.entrypoints.demo.chapters import INPUTS
from ganglion.entrypoints.demo.digits import LABELS
from ganglion.entrypoints.demo.script import MODEL
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca
from ganglion.testing.ledger import compare
from ganglion.testing.processes import HubProcess, NodeProcess, clock_s, free_port, join
from ganglion.testing.traffic import Exchange, SteadyClient
from ganglion.testing.waiting import wait_until
from ganglion.wire.desired import UpdateState
from ganglion.wire.resources import ModelOnNode, TokenRequest
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

SEED = 1
SEEDS_USUAL = 20
"""As many as `make test` tries; `make soak` asks for more, and gets every victim in every state."""
VERSIONS = ("1", "2", "3")
STATES = [state for state in UpdateState if state not in (UpdateState.OFFERED, UpdateState.ROLLED_BACK)]
VICTIMS = ("agent", "serving", "supervisor")
SOON_S = 30.0
SILENCE_S_MAX = 10.0
"""The node answers again within this time after any single kill; mostly it takes less than one second."""
SETTINGS = "[node]\nrestart_s_max = 2.0\n[node.agent]\nreport_s = 1.0\nflush_s = 0.2\nbackoff_s_max = 1.0\n"
QUICK = GateSettings(inferences_min=1, soak_s=0.0, compared_min=0)
SHORT = ProbationSettings(
    probation_s=0.3, inferences_min=3, compare_share=1.0, shadow_comparisons_min=3, shadow_cpu_share=1.0
)

pytestmark = pytest.mark.e2e


@dataclass(frozen=True, slots=True)
class OneNode:
    api: HubClient
    node: NodeProcess
    client: SteadyClient

    @property
    def model(self) -> ModelOnNode:
        (model,) = self.api.node("gate").models
        return model

    def states(self) -> list[str]:
        """Return every state that an update of this node came to."""
        return [str(entry["state"]) for entry in self.node.log_lines() if entry.get("event") == "update.moved"]

    def start(self, version: str, *, windows: Sequence[str] = ()) -> str:
        request = RolloutRequest(
            model=MODEL, version=version, stages=["100%"], gate=QUICK, probation=SHORT, windows=list(windows)
        )
        return self.api.start_rollout(request).rollout_id

    def wait_for_end(self, rollout_id: str, what: str) -> None:
        """Return when the rollout is decided and the node has done as it says."""
        decided = ("completed", "aborted")
        wait_until(lambda: self.api.rollout(rollout_id).state in decided, what=f"the end of {what}", timeout_s=SOON_S)
        wait_until(
            lambda: self.model.version == self.model.committed == self.model.desired,
            what=f"rest after {what}",
            timeout_s=SOON_S,
        )

    def kill_in(self, state: UpdateState, victim: str, *, after: int) -> None:
        """Kill a process as soon as an update has come to `state`; the first `after` states belong to earlier ones."""
        wait_until(lambda: state in self.states()[after:], what=f"the state {state}", timeout_s=SOON_S)
        if victim == "supervisor":
            self.node.kill()
            self.node.start()
        else:
            self.node.kill_child(victim)

    def start_to_stop_in(self, state: UpdateState, version: str) -> str:
        """Begin an update that will come to `state`; only for a window it waits long enough to be killed there."""
        if state is not UpdateState.STAGED:
            return self.start(version)
        self.live_in("Etc/UTC")
        hour = datetime.now(UTC).hour
        return self.start(version, windows=[f"daily {(hour + 11) % 24:02}:00-{(hour + 14) % 24:02}:00"])

    def live_in(self, zone: str) -> None:
        """Let the node keep its windows in another zone of time."""
        self.api.change_settings("node", "gate", put={"agent.time_zone": zone}, unset=())

    def stored(self) -> list[str]:
        """Return the request ids that the hub has stored."""
        ids: list[str] = []
        after = ("", 0)
        while page := self.api.results("gate", after=after, limit=1000):
            ids += [result.request_id for result in page]
            after = (page[-1].epoch, page[-1].seq)
        return ids


@contextmanager
def one_node(directory: Path) -> Iterator[OneNode]:
    parts = digits.load()
    with ExitStack() as stack:
        hub = stack.enter_context(HubProcess(directory / "hub", port=free_port()))
        token = hub.first_token()
        api = stack.enter_context(HubClient(hub.url, ca_pem=fetch_ca(hub.url, hub.ca_pin), token=token))
        for version in VERSIONS:
            made = learning.train_version(
                MODEL, version, parts.labelled, directory=directory, held_out=parts.held_out, inputs=INPUTS
            )
            api.release(made.package_file)
        join(hub.url, api.create_node_token(TokenRequest(name="gate")).token, directory / "gate")
        (directory / "node.toml").write_text(SETTINGS, encoding="utf-8")
        node = NodeProcess(directory / "gate", port=free_port(), config=directory / "node.toml")
        stack.enter_context(node)
        client = stack.enter_context(SteadyClient("gate", node.port, MODEL, parts.stream, LABELS, rate=50.0))
        yield OneNode(api, node, client)


def longest_silence_s(exchanges: list[Exchange]) -> float:
    answered = [exchange.at_s for exchange in exchanges if exchange.is_answered]
    return max(after - before for before, after in itertools.pairwise(answered))


def kills_of(seeds: range) -> list[tuple[UpdateState, str]]:
    """Return which process is killed in which state: one in each, or with more seeds than usual, each in each."""
    chance = random.Random(SEED)
    if len(seeds) <= SEEDS_USUAL:
        every = [(state, chance.choice(VICTIMS)) for state in STATES]
    else:
        every = list(itertools.product(STATES, VICTIMS))
    return chance.sample(every, len(every))


def test_behaviour_04_a_kill_in_any_state_of_an_update_ends_it_committed_or_rolled_back(
    tmp_path: Path, seeds: range
) -> None:
    with one_node(tmp_path) as world:
        wait_until(lambda: world.api.node("gate").last_seen_at_s, what="the node", timeout_s=SOON_S)
        world.wait_for_end(world.start("1"), "the first rollout")
        began_s = clock_s()
        recent = ["1"]
        for state, victim in kills_of(seeds):
            # A version that is neither committed nor the spare goes through every state.
            version = next(each for each in VERSIONS if each not in recent[-2:])
            what = f"the update to {version} whose {victim} is killed when it is {state} (seed {SEED})"
            seen, since_s = len(world.states()), clock_s()
            rollout_id = world.start_to_stop_in(state, version)

            world.kill_in(state, victim, after=seen)
            if state is UpdateState.STAGED:
                # Where it is twelve hours later, the window is open.
                world.live_in("Etc/GMT-12")

            world.wait_for_end(rollout_id, what)
            world.client.wait_for_answer(clock_s(), timeout_s=SOON_S)
            answers = [exchange for exchange in world.client.since(since_s) if exchange.is_answered]
            assert {exchange.version for exchange in answers} <= {recent[-1], version}, what
            assert answers[-1].version == world.model.committed, what
            recent.append(world.model.committed)

        until_s = clock_s()
        assert longest_silence_s(world.client.since(began_s)) < SILENCE_S_MAX
        answered = [exchange.request_id for exchange in world.client.since(0.0, until_s) if exchange.is_answered]
        wait_until(lambda: compare(answered, world.stored()).lost == 0, what="all records", timeout_s=SOON_S)
        assert compare(answered, world.stored()).holds
        assert "agent.failed" not in [entry.get("event") for entry in world.node.log_lines()]
