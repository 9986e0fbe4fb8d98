"""The agent process: wiring, and nothing to decide. Its settings arrive in variables, its end through a pipe."""

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from importlib.metadata import version

import anyio
import structlog

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.adapters.control_socket import ControlClient, socket_path
from ganglion.adapters.files import replace_file
from ganglion.adapters.free_memory import free_memory_bytes
from ganglion.adapters.journal import JournalReader
from ganglion.adapters.line_note import LineNotes
from ganglion.adapters.machine_figures import MachineFigures
from ganglion.adapters.package_files import PackageArchives
from ganglion.adapters.system import SystemChance, SystemClock, node_facts
from ganglion.adapters.time_zones import time_zone
from ganglion.core.errors import GanglionError
from ganglion.entrypoints.diagnosis.watch import HealthWatch
from ganglion.entrypoints.models.engines import available_runtimes
from ganglion.entrypoints.node.agent_orders import node_limits, wishes_of
from ganglion.entrypoints.node.agent_start import open_link, open_store, read_active, read_state
from ganglion.entrypoints.node.logs import keep_logs
from ganglion.entrypoints.processes.logs import configure_logs, set_log_level
from ganglion.entrypoints.processes.parent_pipe import wait_for_end_of_parent
from ganglion.entrypoints.processes.sandboxes import open_sandbox
from ganglion.entrypoints.settings import node as node_settings
from ganglion.entrypoints.settings.tree import NodeSettings, load_settings
from ganglion.node.domain.orders import bounds
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.domain.sending.reporting import ReportSettings
from ganglion.node.domain.update.reconcile import NodeState
from ganglion.node.services.agent import Agent, AgentSettings, Machine
from ganglion.node.services.places import Places
from ganglion.node.services.sending.forwarder import Forwarder, ForwarderSettings
from ganglion.node.services.sending.journal_intake import IntakeSettings, JournalIntake
from ganglion.node.services.sending.sample_uploads import SampleUploads, UploadSettings
from ganglion.node.services.update.alignment import Alignment
from ganglion.node.services.update.effects import UpdateEffects
from ganglion.node.services.update.install_times import InstallTimes
from ganglion.node.services.update.updates import Updates
from ganglion.wire.known_types import learn_types
from ganglion.wire.problems import exit_code_of

log = structlog.get_logger()


def main() -> None:
    """Run the agent until SIGTERM, or until the supervisor is gone."""
    configure_logs("agent")
    code = 1
    try:
        settings = load_settings().node
        keep_logs(settings, "agent")
        anyio.run(_run, settings)
        code = 0
    except* GanglionError as group:
        # Task groups wrap what ends them.
        code = _told(group)
    except* Exception:
        # The outermost edge: the supervisor starts another one.
        log.exception("agent.failed")
    sys.stderr.flush()
    # A long poll that was left behind in its thread would hold the interpreter; everything durable is closed by now.
    os._exit(code)


def _told(group: BaseExceptionGroup[GanglionError]) -> int:
    """Log each error in `group`, and return the exit code of the first."""
    errors = list(_leaves(group))
    for error in errors:
        log.error("agent.ended", code=error.code, reason=error.message, remedy=error.remedy)
    return exit_code_of(errors[0])


def _leaves(group: BaseExceptionGroup[GanglionError]) -> Iterator[GanglionError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _run(settings: NodeSettings) -> None:
    learn_types()
    places = Places(settings.data_path)
    store = open_store(settings, places)
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
    facts = node_facts(runtimes=available_runtimes(), release=version("ganglion"))
    link, control = open_link(settings, places), ControlClient(socket_path(settings.data_path))
    retry = BackoffPolicy(max_s=chosen.backoff_s_max)
    active = read_active(places.active)
    machine, tell_line = MachineFigures(settings.data_path), LineNotes(places.runs, clock).tell
    limits = node_limits(settings, places, clock)
    driver = Updates(
        store=store,
        control=control,
        effects=UpdateEffects(
            link=link,
            control=control,
            packages=PackageArchives(),
            sandbox=open_sandbox(settings.sandbox, settings.model_files),
            places=places,
            facts=facts,
            root_version_min=lambda: _root_version_min(driver.state),
            memory_free=free_memory_bytes,
            why_not_published=lambda model, signers: bounds.why_not_published(
                model, signers, limits.in_force(driver.state)
            ),
        ),
        alignment=Alignment(
            control=control, places=places, replace_file=partial(replace_file, places.active), written=active
        ),
        clock=clock,
        chance=chance,
        state=read_state(store, active),
        retry=retry,
        times=InstallTimes(clock, zone=time_zone, hub_time_s=link.hub_time_s),
    )
    driver.limits = limits.in_force
    forwarder = Forwarder(
        store=store,
        link=link,
        clock=clock,
        chance=chance,
        retry=retry,
        settings=ForwarderSettings(
            batch_records_max=chosen.batch_records_max,
            batch_bytes_max=chosen.batch_bytes_max,
            flush_s=chosen.flush_s,
            egress=chosen.egress,
        ),
        uploads=SampleUploads(link, UploadSettings(inline_bytes_max=chosen.sample_inline_bytes_max)),
    )
    intake = JournalIntake(
        store=store,
        journal=JournalReader(places.journal),
        clock=clock,
        settings=IntakeSettings(),
        results_share=lambda: _results_share(driver.state),
        machine=machine.figures,
    )
    return Agent(
        link=link,
        control=control,
        store=store,
        wishes=wishes_of(driver, settings, link=link, control=control, places=places, clock=clock),
        forwarder=forwarder,
        intake=intake,
        machine=Machine(facts, machine.figures, HealthWatch(settings, clock).unwell, set_log_level, tell_line),
        chance=chance,
        clock=clock,
        settings=_agent_settings(chosen, retry),
    )


def _agent_settings(chosen: node_settings.AgentSettings, retry: BackoffPolicy) -> AgentSettings:
    reports = ReportSettings(report_s=chosen.report_s, heartbeat_s=chosen.heartbeat_s)
    return AgentSettings(long_poll_s=chosen.poll_s, long_poll_s_max=chosen.poll_s_max, retry=retry, reports=reports)


def _results_share(state: NodeState) -> float:
    return state.settings.effective.collection.results_share


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
