"""The agent process: follows the hub's wishes, drives updates, moves and forwards records, reports.

Nothing here is in the path of a request. Each loop has one task; an error in one is logged there and
never ends another. Only a damaged database ends them all: it is moved aside when the agent starts again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
import msgspec
import structlog

from ganglion.core.errors import DataCorrupt, DiskUnusable, GanglionError, InvalidRequest, TooLarge
from ganglion.core.serving_errors import ServingUnreachable
from ganglion.node.domain.sending import backoff, reporting
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.domain.sending.pace import Pace
from ganglion.node.domain.sending.poll_time import PollTime
from ganglion.node.domain.sending.reporting import ReportSettings
from ganglion.node.services.limits import EnvelopeWatch, with_envelope
from ganglion.node.services.orders.commands import Commands
from ganglion.node.services.orders.orders import Orders
from ganglion.node.services.orders.shells import Shells
from ganglion.node.services.reference_files import ReferenceFiles
from ganglion.node.services.sending.forwarder import Forwarder
from ganglion.node.services.sending.journal_intake import JournalIntake
from ganglion.node.services.update import desired_intake
from ganglion.node.services.update.updates import Updates
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
_ANSWERS_BURST, _ANSWERS_EVERY_S = 60, 1.0
_CHANGES_BURST, _CHANGES_EVERY_S = 240, 10.0
_REKEYS_BURST, _REKEYS_EVERY_S = 3, 3600.0
"""However often a hub wants another key: a token of hardware makes a limited number of them."""
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
    unwell: Callable[[], dict[str, str]] = dict
    """What is not well by now, as a report tells it. May block."""
    set_log_level: Callable[[str], None] | None = None
    """Takes debug, info, warning or error; an empty name is the process's own level."""
    tell_line: Callable[[str], None] = lambda _: None
    """Takes why the hub did not answer; nothing when it did. May block."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What takes in what the hub wants, each its own part of it."""

    updates: Updates
    commands: Commands
    orders: Orders
    envelopes: EnvelopeWatch
    files: ReferenceFiles | None = None
    """Nobody keeps reference files where there is none."""
    shells: Shells | None = None
    """No session can be opened where there is none."""


class Agent:
    """Runs until it is cancelled."""

    def __init__(
        self,
        *,
        link: HubLink,
        control: ServingControl,
        store: AgentStore,
        wishes: Wishes,
        forwarder: Forwarder,
        intake: JournalIntake,
        machine: Machine,
        chance: Chance,
        clock: Clock,
        settings: AgentSettings,
    ) -> None:
        self._link, self._control, self._store = link, control, store
        self._updates, self._forwarder, self._intake = wishes.updates, forwarder, intake
        self._machine, self._chance = machine, chance
        self._clock, self._settings = clock, settings
        self._poll_time = PollTime.beginning(settings.long_poll_s, most_s=settings.long_poll_s_max)
        self._commands, self._orders, self._envelopes = wishes.commands, wishes.orders, wishes.envelopes
        self._orders.ended = self.hurry
        self._files, self._shells = wishes.files, wishes.shells
        if self._files is not None:
            self._files.changed = self.hurry
        self._pace = Pace(burst=_ANSWERS_BURST, every_s=_ANSWERS_EVERY_S)
        self._changes = Pace(burst=_CHANGES_BURST, every_s=_CHANGES_EVERY_S)
        self._rekeys = Pace(burst=_REKEYS_BURST, every_s=_REKEYS_EVERY_S)
        self._reports = settings.reports
        self._tuned: AgentOptions | None = None
        self._wake_updates = anyio.Event()
        self._wake_report = anyio.Event()

    async def run(self) -> None:
        """Run every loop; the first unexpected error ends the process, and the supervisor starts it again."""
        await self._updates.resume()
        self._tune(self._updates.state.settings.effective.agent)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._intake.run)
            tasks.start_soon(self._drive_updates)
            tasks.start_soon(self._forwarder.run)
            tasks.start_soon(self._follow_desired)
            tasks.start_soon(self._report)
            tasks.start_soon(self._orders.run)
            tasks.start_soon(self._obey_held)
            for part in (self._files, self._shells):
                if part is not None:
                    tasks.start_soon(part.run)

    async def _obey_held(self) -> None:
        """Do what the agent that ran before had taken in, and had not come to."""
        held = self._updates.state.desired
        if held is not None:
            try:
                await self._commands.obey(held)
            except DiskUnusable as error:
                log.warning("command.delayed", code=error.code, reason=error.message)

    def hurry(self) -> None:
        """Look at updates and at what is to be reported now."""
        self._wake_updates.set()
        self._wake_report.set()

    async def _follow_desired(self) -> None:
        failures = 0
        while True:
            try:
                desired = await _abandonable(partial(self._noted, self._ask_desired))
                await self._updates.note_contact()
                self._poll_time = self._poll_time if desired else self._poll_time.after_quiet()
                taken = desired is not None and await self._take(desired)
                failures = 0
                await self._rekey()
                await self._slow_down(taken=taken)
            except DataCorrupt:
                raise
            except GanglionError as error:
                failures += 1
                if isinstance(error, TooLarge | InvalidRequest):
                    with suppress(DiskUnusable):
                        await self._updates.tell_refused(desired_intake.unreadable(error.message))
                self._poll_time = self._poll_time.after_break()
                log.warning("desired.delayed", code=error.code, reason=error.message, failures=failures)
                await anyio.sleep(backoff.delay_s(self._settings.retry, failures, share=self._chance.share()))
                continue
            if taken:
                self.hurry()

    async def _take(self, offered: DesiredState) -> bool:
        """Take in what lies within the limits, and behave by it. False when it is not newer."""
        held, events = await self._envelopes.look(self._updates.state, offered)
        told = self._updates.refused_orders.bounded(events, now_s=self._clock.monotonic_s())
        await self._updates.remember(partial(with_envelope, held=held), told)
        if not await self._updates.take(offered):
            return False
        taken = self._updates.state.desired
        assert taken is not None, "it was just taken"
        self._tune(self._updates.state.settings.effective.agent)
        await self._commands.obey(taken)
        if self._files is not None:
            self._files.look()
        return True

    async def _slow_down(self, *, taken: bool) -> None:
        """Wait when the hub has answered often of late: whatever it sends, a node does not spin.

        Longer when it has wanted something else each time: of every change the node stores a state and tells events.
        """
        now_s = self._clock.monotonic_s()
        wait_s = self._pace.wait_s(now_s=now_s)
        self._pace = self._pace.after(now_s=now_s)
        if taken:
            wait_s = max(wait_s, self._changes.wait_s(now_s=now_s))
            self._changes = self._changes.after(now_s=now_s)
        await anyio.sleep(wait_s)

    def _tune(self, options: AgentOptions) -> None:
        """Behave as the hub wants; what it leaves open is as the node's own settings say."""
        if options == self._tuned:
            return
        self._tuned = options
        report_s = max(options.report_s, _REPORT_S_MIN) if options.report_s else self._settings.reports.report_s
        own_s = self._settings.reports.heartbeat_s
        heartbeat_s = max(options.heartbeat_s, _REPORT_S_MIN) if options.heartbeat_s > 0 else own_s
        self._reports = msgspec.structs.replace(self._settings.reports, report_s=report_s, heartbeat_s=heartbeat_s)
        self._forwarder.tune(options)
        if self._machine.set_log_level is not None:
            self._machine.set_log_level(options.log_level)

    async def _rekey(self) -> None:
        """Change the key that the hub wants replaced. At each contact, because an answer to it may be lost."""
        held, now_s = self._updates.state.desired, self._clock.monotonic_s()
        if held is None or not held.rekey_of or self._rekeys.wait_s(now_s=now_s) > 0.0:
            return
        if await _abandonable(partial(self._link.rekey, held.rekey_of)):
            self._rekeys = self._rekeys.after(now_s=now_s)
            log.info("node.rekeyed")

    def _ask_desired(self) -> DesiredState | None:
        held = self._updates.state.desired
        return self._link.desired(
            after_incarnation=held.incarnation if held else "",
            after_revision=held.revision if held else -1,
            wait_s=self._poll_time.wait_s,
        )

    def _noted(self, ask: Callable[[], T]) -> T:
        """Ask the hub, and let the machine know whether it answered."""
        try:
            answer = ask()
        except GanglionError as error:
            self._machine.tell_line(error.message)
            raise
        self._machine.tell_line("")
        return answer

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
                # Settings on trial may have been taken back.
                self._tune(self._updates.state.settings.effective.agent)
                for name in self._updates.claim_due():
                    tasks.start_soon(self._drive_update, name)
                if moved:
                    self._wake_report.set()
                under_way = self._updates.is_under_way
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
                    await _abandonable(partial(self._noted, partial(self._link.report, report)))
                    await self._updates.note_contact()
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
        unwell = await anyio.to_thread.run_sync(self._machine.unwell)
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
            unwell=unwell,
            refused=self._updates.refused,
            settings=self._updates.state.settings.report(),
            files=dict(self._files.told) if self._files else {},
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
