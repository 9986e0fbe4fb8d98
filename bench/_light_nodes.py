"""Many nodes in one process, without serving: the shipped agent, link, keys, store and packages, and nothing to ask.

A program of its own. It reads join tokens from its input, a line each, joins with all of them, says "joined", and lives
until its input ends. Then it writes what its nodes met, as JSON, to its output.
"""

import argparse
import faulthandler
import os
import resource
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
import structlog
import urllib3

from ganglion.adapters.action_process import ProcessActions
from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.adapters.files import replace_file
from ganglion.adapters.https_link.replies import reason_of
from ganglion.adapters.journal import JournalReader
from ganglion.adapters.package_files import PackageArchives
from ganglion.adapters.system import SystemChance, SystemClock, node_facts
from ganglion.core.golden import GoldenResult
from ganglion.core.manifest import Manifest
from ganglion.entrypoints.node import action_child
from ganglion.entrypoints.node.agent_start import open_link, open_store, read_active, read_state
from ganglion.entrypoints.node.join import join
from ganglion.entrypoints.node.keystore import node_keys
from ganglion.entrypoints.settings.node import AgentSettings as NodeAgentSettings
from ganglion.entrypoints.settings.tree import NodeSettings
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.services.agent import Agent, AgentSettings, Machine, Wishes
from ganglion.node.services.limits import EnvelopeWatch
from ganglion.node.services.orders.commands import Commands
from ganglion.node.services.orders.orders import OrderPorts, Orders
from ganglion.node.services.places import Places
from ganglion.node.services.sending.forwarder import Forwarder, ForwarderSettings
from ganglion.node.services.sending.journal_intake import IntakeSettings, JournalIntake
from ganglion.node.services.update.alignment import Alignment
from ganglion.node.services.update.effects import UpdateEffects
from ganglion.node.services.update.updates import Updates
from ganglion.ports.sandbox import Trial
from ganglion.ports.serving_control import (
    Command,
    Done,
    Load,
    ModelServing,
    Proof,
    Prove,
    Reply,
    ServingStatus,
    Status,
    Switch,
    Unload,
)
from ganglion.wire import paths
from ganglion.wire.known_types import learn_types

JOINED = "joined"
THREADS_EACH = 6
"""Of one node: its question, a download, a report, a batch, the disk."""
_SELDOM_S = 20.0
"""Nothing serves here: no journal grows, and nothing dies unseen."""


AGENT = NodeAgentSettings(flush_s=5.0)


class Crowd(msgspec.Struct):
    """What the nodes of one process met."""

    whole_at_s: list[float] = []
    """When each package was whole and verified, by the monotonic clock, in the order in which they came."""
    requests: dict[str, int] = msgspec.field(default_factory=Counter)
    body_bytes: dict[str, int] = msgspec.field(default_factory=Counter)
    """Content of answers and of what was sent, without heads, by kind."""
    unanswered: dict[str, int] = msgspec.field(default_factory=Counter)
    """Requests without an answer, by kind and reason; one on a connection that had ended is sent again at once."""
    logged: dict[str, int] = msgspec.field(default_factory=Counter)
    """Lines of the logs by event; an event that tells of a delay comes with its code."""
    cpu_s: float = 0.0
    memory_mb: float = 0.0


class Ledger:
    """Counts for all nodes of this process."""

    def __init__(self) -> None:
        self.crowd = Crowd()
        self._lock = threading.Lock()

    def note_request(self, path: str, size_bytes: int) -> None:
        with self._lock:
            self.crowd.requests[_kind_of(path)] += 1
            self.crowd.body_bytes[_kind_of(path)] += size_bytes

    def note_unanswered(self, path: str, error: urllib3.exceptions.HTTPError) -> None:
        with self._lock:
            self.crowd.unanswered[f"{_kind_of(path)}: {reason_of(error)}"] += 1

    def note_whole(self) -> None:
        with self._lock:
            self.crowd.whole_at_s.append(time.monotonic())

    def note_line(
        self, _logger: object, _method: str, line: MutableMapping[str, object]
    ) -> Mapping[str, object] | str | bytes:
        with self._lock:
            self.crowd.logged[f"{line['event']} {line.get('code', '')}".strip()] += 1
            if str(line["event"]).endswith((".delayed", ".failed")):
                self.crowd.logged[f"{line['event']}: {str(line.get('reason', ''))[:120]}"] += 1
        raise structlog.DropEvent

    def note_end(self) -> None:
        with self._lock:
            self.crowd.logged["agent.failed"] += 1

    def begin(self) -> None:
        """Forget what was counted so far."""
        with self._lock:
            self.crowd = Crowd()
        self._began_s = time.process_time()

    def end(self) -> Crowd:
        with self._lock:
            self.crowd.cpu_s = time.process_time() - self._began_s
            self.crowd.memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
            return self.crowd


def _kind_of(path: str) -> str:
    kinds = {
        paths.TUF_METADATA: "metadata",
        paths.TUF_TARGETS: "package",
        paths.DESIRED: "question",
        paths.REPORT: "report",
        paths.BATCHES: "records",
    }
    return next((kind for start, kind in kinds.items() if path.startswith(start)), "identity")


class Arrivals(PackageArchives):
    """Unpacks packages, which a link hands over when they are whole and have the signed hash."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    def unpack(self, file: Path, directory: Path) -> Manifest:
        self._ledger.note_whole()
        return super().unpack(file, directory)


class NoServing:
    """Stands where the serving process would be, and agrees to everything."""

    def __init__(self) -> None:
        self._loaded: dict[str, set[str]] = {}
        self._active: dict[str, str] = {}

    async def call(self, command: Command, *, timeout_s: float) -> Reply:
        del timeout_s
        match command:
            case Status():
                models = {
                    name: ModelServing(self._active.get(name, ""), tuple(sorted(loaded)), {})
                    for name, loaded in self._loaded.items()
                }
                return ServingStatus("light", models)
            case Load(model=model, version=version):
                self._loaded.setdefault(model, set()).add(version)
            case Prove():
                return Proof(passed=True, deviation_max=0.0)
            case Switch(model=model, version=version):
                self._active[model] = version
            case Unload(model=model, version=version):
                self._loaded[model].discard(version)
            case _:
                pass
        return Done()


class NoTrial:
    """Tries nothing: what a trial costs, `bench/update_cost.py` tells."""

    def try_out(self, directory: Path) -> Trial:
        del directory
        passed = GoldenResult(passed=True, deviation_max=0.0)
        return Trial(proof=passed, load_ms=0.0, golden_ms=0.0, memory_bytes_peak=0)


def build(settings: NodeSettings, store: SqliteAgentStore, ledger: Ledger) -> Agent:
    """Put a node together that has joined."""
    places, clock, chance, control = Places(settings.data_path), SystemClock(), SystemChance(), NoServing()
    active = read_active(places.active)
    facts = node_facts(runtimes=("onnxruntime",), release="0.1.0")
    link = open_link(settings, places)
    retry = BackoffPolicy(max_s=settings.agent.backoff_s_max)
    updates = Updates(
        store=store,
        control=control,
        effects=UpdateEffects(
            link=link,
            control=control,
            packages=Arrivals(ledger),
            sandbox=NoTrial(),
            places=places,
            facts=facts,
            root_version_min=lambda: updates.state.desired.root_version_min if updates.state.desired else 1,
            memory_free=lambda: 1 << 33,
        ),
        alignment=Alignment(
            control=control, places=places, replace_file=partial(replace_file, places.active), written=active
        ),
        clock=clock,
        chance=chance,
        state=read_state(store, active),
        retry=retry,
    )
    envelopes = EnvelopeWatch(link)
    runner = ProcessActions(command=(sys.executable, "-I", "-S", action_child.__file__), clock=clock)
    ports = OrderPorts(runner=runner, built_in={}, order_keys=lambda: envelopes.order_keys)
    orders = Orders(node_id=settings.data_path.name, updates=updates, clock=clock, ports=ports)
    intake = JournalIntake(
        store=store,
        journal=JournalReader(places.journal),
        clock=clock,
        settings=IntakeSettings(poll_s=_SELDOM_S),
    )
    flush_s = settings.agent.flush_s
    forwarder = Forwarder(
        store=store, link=link, clock=clock, chance=chance, retry=retry, settings=ForwarderSettings(flush_s=flush_s)
    )
    return Agent(
        link=link,
        control=control,
        store=store,
        wishes=Wishes(updates, Commands(control, updates, orders), orders, envelopes),
        forwarder=forwarder,
        intake=intake,
        machine=Machine(facts, dict),
        chance=chance,
        clock=clock,
        settings=AgentSettings(long_poll_s=settings.agent.poll_s, retry=retry, step_s=_SELDOM_S / 4, idle_s=_SELDOM_S),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hub", required=True)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    # A crash in native code says where it was.
    faulthandler.enable()
    tokens = list(iter(lambda: sys.stdin.readline().strip(), ""))
    ledger = Ledger()
    structlog.configure(processors=[ledger.note_line])
    settings = [NodeSettings(data_dir=str(options.data / f"{number}"), agent=AGENT) for number in range(len(tokens))]
    with ThreadPoolExecutor(8) as joining:
        list(
            joining.map(
                lambda token, each: join(options.hub, token, each.data_path, keys=node_keys(each)), tokens, settings
            )
        )
    _count_requests(ledger)
    learn_types()
    ledger.begin()
    anyio.run(_live, settings, ledger)
    # Questions that wait at the hub would hold the interpreter.
    sys.stdout.flush()
    os._exit(0)


async def _live(settings: list[NodeSettings], ledger: Ledger) -> None:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS_EACH * len(settings)
    stores = [open_store(each, Places(each.data_path)) for each in settings]
    async with anyio.create_task_group() as tasks:
        for each, store in zip(settings, stores, strict=True):
            tasks.start_soon(_keep_alive, each, store, ledger)
        print(JOINED, flush=True)
        while word := await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            if word.strip() == "begin":
                ledger.begin()
                print("begun", flush=True)
        print(msgspec.json.encode(ledger.end()).decode(), flush=True)
        tasks.cancel_scope.cancel()


async def _keep_alive(settings: NodeSettings, store: SqliteAgentStore, ledger: Ledger) -> None:
    """Start the agent again when it ends, as a supervisor does."""
    while True:
        try:
            await build(settings, store, ledger).run()
        except Exception:  # noqa: BLE001 - the outermost edge: it is told, and goes on
            traceback.print_exc()
            ledger.note_end()
            await anyio.sleep(1.0)


def _count_requests(ledger: Ledger) -> None:
    """Count what passes through the HTTP library: the link tells nobody what its metadata cost."""
    send: Callable[..., urllib3.BaseHTTPResponse] = urllib3.HTTPSConnectionPool.urlopen

    def counted(
        pool: urllib3.HTTPSConnectionPool, method: str, url: str, body: bytes | None = None, **more: object
    ) -> urllib3.BaseHTTPResponse:
        try:
            response = send(pool, method, url, body, **more)
        except urllib3.exceptions.HTTPError as error:
            ledger.note_unanswered(url, error)
            raise
        ledger.note_request(url, len(body or b"") + int(response.headers.get("Content-Length", 0)))
        return response

    urllib3.HTTPSConnectionPool.urlopen = counted  # type: ignore[method-assign,assignment]  # all pass here


if __name__ == "__main__":
    main()
