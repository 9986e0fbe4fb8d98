"""The agent process: wiring, and nothing to decide. Its settings arrive in variables, its end through a pipe."""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import anyio
import msgspec
import structlog

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.adapters.control_socket import ControlClient, socket_path
from ganglion.adapters.files import replace_file
from ganglion.adapters.https_link import HttpsHubLink, Identity, LinkSettings
from ganglion.adapters.journal import JournalReader
from ganglion.adapters.package_files import PackageArchives
from ganglion.adapters.system import SystemChance, SystemClock, node_facts
from ganglion.core.errors import DataCorrupt, GanglionError
from ganglion.entrypoints.logs import configure_logs
from ganglion.entrypoints.parent_pipe import wait_for_end_of_parent
from ganglion.entrypoints.settings import NodeSettings, load_settings
from ganglion.node.domain.backoff import BackoffPolicy
from ganglion.node.domain.reconcile import Installed, NodeState
from ganglion.node.services import updates
from ganglion.node.services.agent import Agent, AgentSettings
from ganglion.node.services.alignment import Alignment
from ganglion.node.services.forwarder import Forwarder, ForwarderSettings
from ganglion.node.services.identity import load_identity
from ganglion.node.services.journal_intake import IntakeSettings, JournalIntake
from ganglion.node.services.places import Places
from ganglion.node.services.update_effects import UpdateEffects
from ganglion.node.services.updates import Updates
from ganglion.ports.clock import new_id
from ganglion.ports.serving_control import ActiveModels
from ganglion.wire.problems import exit_code_of

log = structlog.get_logger()

RUNTIME = "onnxruntime"


def main() -> None:
    """Run the agent until SIGTERM, or until the supervisor is gone."""
    configure_logs("agent")
    try:
        settings = load_settings().node
        anyio.run(_run, settings)
        code = 0
    except GanglionError as error:
        log.error("agent.ended", code=error.code, reason=error.message)  # noqa: TRY400 - our own error, no trace needed
        code = exit_code_of(error)
    sys.stderr.flush()
    # A long poll that was left behind in its thread would hold the interpreter; everything durable is closed by now.
    os._exit(code)


async def _run(settings: NodeSettings) -> None:
    places = Places(settings.data_path)
    store = _open_store(settings, places)
    try:
        async with anyio.create_task_group() as tasks:
            for watch in (_wait_for_signal, wait_for_end_of_parent):
                tasks.start_soon(_cancel_after, watch, tasks.cancel_scope)
            await build_agent(settings, places, store).run()
    finally:
        store.close()


def build_agent(settings: NodeSettings, places: Places, store: SqliteAgentStore) -> Agent:
    """Put the agent together."""
    chosen, clock, chance = settings.agent, SystemClock(), SystemChance()
    facts = node_facts(runtime=RUNTIME, release=version("ganglion"))
    link, control = _open_link(settings, places), ControlClient(socket_path(settings.data_path))
    retry = BackoffPolicy(max_s=chosen.backoff_s_max)
    active = _read_active(places.active)
    state = updates.load_state(store.state())
    if store.state() is None:
        state = updates.adopt(state, _installed(active))
    driver = Updates(
        store=store,
        control=control,
        effects=UpdateEffects(
            link=link,
            control=control,
            packages=PackageArchives(),
            places=places,
            facts=facts,
            root_version_min=lambda: _root_version_min(driver.state),
        ),
        alignment=Alignment(
            control=control, places=places, replace_file=partial(replace_file, places.active), written=active
        ),
        clock=clock,
        chance=chance,
        state=state,
        retry=retry,
    )
    forwarder = Forwarder(
        store=store,
        link=link,
        clock=clock,
        chance=chance,
        retry=retry,
        settings=ForwarderSettings(
            batch_records_max=chosen.batch_records_max, batch_bytes_max=chosen.batch_bytes_max, flush_s=chosen.flush_s
        ),
    )
    intake = JournalIntake(
        store=store,
        journal=JournalReader(places.journal),
        settings=IntakeSettings(),
        shed=forwarder.note_journal_shed,
    )
    return Agent(
        link=link,
        control=control,
        store=store,
        updates=driver,
        forwarder=forwarder,
        intake=intake,
        facts=facts,
        chance=chance,
        settings=AgentSettings(long_poll_s=chosen.poll_s, report_s=chosen.report_s),
        retry=retry,
    )


def _open_store(settings: NodeSettings, places: Places) -> SqliteAgentStore:
    """Open the outbox; a damaged one is moved aside, never emptied, and a new epoch begins."""
    chance = SystemChance()
    open_at = partial(
        SqliteAgentStore,
        places.database,
        cap_bytes=settings.agent.outbox_bytes_max,
        new_epoch=lambda: new_id(chance),
    )
    try:
        return open_at()
    except DataCorrupt as error:
        aside = places.database.with_name(f"{places.database.name}.damaged-{new_id(chance)[:8]}")
        for suffix in ("", "-wal", "-shm"):
            file = Path(f"{places.database}{suffix}")
            if file.exists():
                file.rename(f"{aside}{suffix}")
        log.error("outbox.moved_aside", reason=error.message, file=str(aside))  # noqa: TRY400 - the reason is logged
        return open_at()


def _open_link(settings: NodeSettings, places: Places) -> HttpsHubLink:
    identity = load_identity(places.identity)
    return HttpsHubLink(
        identity=Identity(
            hub_url=identity.hub_url,
            node_id=identity.node_id,
            audience=identity.ca_pin,
            private_key=places.private_key.read_bytes(),
        ),
        ca_pem=places.ca.read_bytes(),
        tuf_root=places.tuf_root.read_bytes(),
        metadata_directory=places.tuf_metadata,
        clock=SystemClock(),
        settings=LinkSettings(request_timeout_s=settings.agent.request_timeout_s),
    )


def _read_active(path: Path) -> ActiveModels:
    try:
        return msgspec.json.decode(path.read_bytes(), type=ActiveModels)
    except (FileNotFoundError, msgspec.DecodeError):
        return ActiveModels()


def _installed(active: ActiveModels) -> dict[str, Installed]:
    return {name: Installed(version=model.version, path=model.path, sha256="") for name, model in active.models.items()}


def _root_version_min(state: NodeState) -> int:
    return state.desired.root_version_min if state.desired else 1


async def _cancel_after(watch: Callable[[], Awaitable[None]], scope: anyio.CancelScope) -> None:
    await watch()
    scope.cancel()


async def _wait_for_signal() -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            return


if __name__ == "__main__":
    main()
