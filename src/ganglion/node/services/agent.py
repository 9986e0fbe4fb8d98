"""The agent process: follows the hub's wishes, drives updates, moves and forwards records, reports.

Nothing here is in the path of a request. Each loop has one task; an error in one is logged there and
never ends another. Only a damaged database ends them all: it is moved aside when the agent starts again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
import msgspec
import structlog

from ganglion.core.errors import DataCorrupt, GanglionError
from ganglion.core.serving_errors import ServingUnreachable
from ganglion.node.domain import backoff, reporting
from ganglion.node.domain.backoff import BackoffPolicy
from ganglion.node.domain.poll_time import PollTime
from ganglion.node.domain.reporting import ReportSettings
from ganglion.node.services.commands import Commands
from ganglion.node.services.forwarder import Forwarder
from ganglion.node.services.journal_intake import JournalIntake
from ganglion.node.services.updates import Updates
from ganglion.ports.agent_store import AgentStore
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.hub_link import HubLink
from ganglion.ports.serving_control import ServingControl, ServingStatus, Status
from ganglion.wire.desired import AgentOptions, DesiredState, NodeReport
from ganglion.wire.identity import NodeFacts

log = structlog.get_logger()
T = TypeVar("T")

_STATUS_TIMEOUT_S = 5.0
_REPORT_S_MIN = 1.0
"""However often the hub wants to hear of a node."""
_REPORT_LOOK_S = 15.0
"""How often the present state is looked at for changes that nobody announces, such as a dead serving process."""


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How often the agent talks to its hub and looks at its models."""

    long_poll_s: float = 25.0
    """How long the hub may hold a request for a newer desired state."""
    long_poll_s_max: float = 240.0
    """The same on a line that has shown that it keeps a quiet connection."""
    retry: BackoffPolicy = BackoffPolicy()
    """How long to wait before the hub is asked again after a failure."""
    reports: ReportSettings = ReportSettings()
    """When the present state is told again."""
    step_s: float = 0.25
    """Pause between two looks at an update that waits for time or traffic."""
    idle_s: float = 1.0
    """Pause between two looks when no update is under way."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the agent tells of its machine: what it is, and how it is doing."""

    facts: NodeFacts
    figures: Callable[[], dict[str, float]]
    set_log_level: Callable[[str], None] | None = None
    """Takes debug, info, warning or error; an empty name is the process's own level."""


class Agent:
    """Runs until it is cancelled."""

    def __init__(
        self,
        *,
        link: HubLink,
        control: ServingControl,
        store: AgentStore,
        updates: Updates,
        forwarder: Forwarder,
        intake: JournalIntake,
        machine: Machine,
        chance: Chance,
        clock: Clock,
        settings: AgentSettings,
    ) -> None:
        self._link, self._control, self._store = link, control, store
        self._updates, self._forwarder, self._intake = updates, forwarder, intake
        self._machine, self._chance = machine, chance
        self._clock, self._settings = clock, settings
        self._poll_time = PollTime.beginning(settings.long_poll_s, most_s=settings.long_poll_s_max)
        self._commands = Commands(control)
        self._reports = settings.reports
        self._wake_updates = anyio.Event()
        self._wake_report = anyio.Event()

    async def run(self) -> None:
        """Run every loop; the first unexpected error ends the process, and the supervisor starts it again."""
        await self._updates.resume()
        if held := self._updates.state.desired:
            self._tune(held.agent)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._intake.run)
            tasks.start_soon(self._drive_updates)
            tasks.start_soon(self._forwarder.run)
            tasks.start_soon(self._follow_desired)
            tasks.start_soon(self._report)

    async def _follow_desired(self) -> None:
        failures = 0
        while True:
            try:
                desired = await _abandonable(self._ask_desired)
                await self._updates.note_contact()
                self._poll_time = self._poll_time if desired else self._poll_time.after_quiet()
                taken = desired is not None and await self._updates.take(desired)
                failures = 0
                await self._rekey()
            except DataCorrupt:
                raise
            except GanglionError as error:
                failures += 1
                self._poll_time = self._poll_time.after_break()
                log.warning("desired.delayed", code=error.code, reason=error.message, failures=failures)
                await anyio.sleep(backoff.delay_s(self._settings.retry, failures, share=self._chance.share()))
                continue
            if taken and desired is not None:
                self._tune(desired.agent)
                await self._commands.obey(desired)
                self._wake_updates.set()
                self._wake_report.set()

    def _tune(self, options: AgentOptions) -> None:
        """Behave as the hub wants; what it leaves open is as the node's own settings say."""
        report_s = max(options.report_s, _REPORT_S_MIN) if options.report_s else self._settings.reports.report_s
        self._reports = msgspec.structs.replace(self._settings.reports, report_s=report_s)
        if self._machine.set_log_level is not None:
            self._machine.set_log_level(options.log_level)

    async def _rekey(self) -> None:
        """Change the key that the hub wants replaced. At each contact, because an answer to it may be lost."""
        held = self._updates.state.desired
        if held is not None and held.rekey_of and await _abandonable(partial(self._link.rekey, held.rekey_of)):
            log.info("node.rekeyed")

    def _ask_desired(self) -> DesiredState | None:
        held = self._updates.state.desired
        return self._link.desired(
            after_incarnation=held.incarnation if held else "",
            after_revision=held.revision if held else -1,
            wait_s=self._poll_time.wait_s,
        )

    async def _drive_updates(self) -> None:
        """Drive the attempts of all models side by side: an hour of one model's download stops no other's probation."""
        async with anyio.create_task_group() as tasks:
            while True:
                self._wake_updates = anyio.Event()
                try:
                    moved = await self._updates.keep_house()
                except GanglionError as error:
                    log.error("update.delayed", code=error.code, reason=error.message)  # noqa: TRY400 - no trace needed
                    moved = False
                for name in self._updates.claim_due():
                    tasks.start_soon(self._drive_update, name)
                if moved:
                    self._wake_report.set()
                under_way = any(model.update for model in self._updates.state.models.values())
                with anyio.move_on_after(self._settings.step_s if under_way else self._settings.idle_s):
                    await self._wake_updates.wait()

    async def _drive_update(self, name: str) -> None:
        try:
            moved = await self._updates.drive(name)
        except GanglionError as error:
            log.error("update.delayed", model=name, code=error.code, reason=error.message)  # noqa: TRY400 - as above
            return
        if moved:
            # At once: the next effect is due, and what an ended attempt leaves has to be put in order.
            self._wake_updates.set()
            self._wake_report.set()

    async def _report(self) -> None:
        last: NodeReport | None = None
        told_s = self._clock.monotonic_s()
        while True:
            self._wake_report = anyio.Event()
            try:
                report = await self._compose_report()
                age_s = self._clock.monotonic_s() - told_s
                if reporting.is_due(self._reports, last, report, age_s=age_s):
                    await _abandonable(partial(self._link.report, report))
                    last, told_s = report, self._clock.monotonic_s()
            except DataCorrupt:
                raise
            except GanglionError as error:
                log.info("report.delayed", code=error.code, reason=error.message)
            with anyio.move_on_after(min(self._reports.report_s, _REPORT_LOOK_S)):
                await self._wake_report.wait()

    async def _compose_report(self) -> NodeReport:
        status = await self._serving_status()
        figures = await anyio.to_thread.run_sync(self._store.figures)
        desired = self._updates.state.desired
        return NodeReport(
            incarnation=desired.incarnation if desired else "",
            revision=desired.revision if desired else -1,
            models=self._updates.statuses(status),
            facts=self._machine.facts,
            epoch=figures.epoch,
            made=figures.made,
            waiting=figures.waiting,
            shed=figures.shed,
            sent_bytes=self._forwarder.spent.month_by_class,
            machine=self._machine.figures(),
            refused=self._updates.refused,
            audit_number=self._updates.state.audit_number,
            audit_hash=self._updates.state.audit_hash,
            commands=self._commands.answers,
        )

    async def _serving_status(self) -> ServingStatus | None:
        try:
            reply = await self._control.call(Status(), timeout_s=_STATUS_TIMEOUT_S)
        except ServingUnreachable:
            return None
        return reply if isinstance(reply, ServingStatus) else None


async def _abandonable(work: Callable[[], T]) -> T:
    """Run blocking work that may be left behind when the agent stops: it has its own deadline."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
