"""One interactive session on a node, from its offer to its end: what is typed goes in, what is shown goes out.

Everything is written down before it goes anywhere. Whatever ends the session ends its programs first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import anyio
import anyio.to_thread
import msgspec
import structlog

from ganglion.core.asciicast import CastHeader, CastKind
from ganglion.core.errors import DiskUnusable, GanglionError, InvalidRequest, Rejected
from ganglion.node.domain.sending.pace import Pace
from ganglion.node.domain.shells.session import ShellEvent, ShellSession, ShellState
from ganglion.node.services.orders.shell_outlet import ShellOutlet, pause
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.shell import (
    Closing,
    NoticeBoard,
    Recording,
    Recordings,
    ShellCall,
    ShellLine,
    ShellNotice,
    ShellProcess,
    ShellStarter,
)
from ganglion.trust import shell
from ganglion.trust.envelope import NamedAction
from ganglion.trust.shell import ShellWish
from ganglion.wire.desired import NodeCommand
from ganglion.wire.shells import PIECE_BYTES_MAX, ShellTyped

log = structlog.get_logger()
T = TypeVar("T")

_LOOK_S: Final = 0.25
_READ_S: Final = 0.5
_HEAR_S: Final = 10.0
_END_S: Final = 8.0
_ANSWERS: Final = Pace(burst=40, every_s=0.02)
"""However often a hub answers, a node does not spin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellPorts:
    """What a session needs."""

    starter: ShellStarter
    recordings: Recordings
    board: NoticeBoard
    line: ShellLine
    pid: int
    """This process: a notice without it is out of date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedShell:
    """An order that was checked, and what it was checked against."""

    command: NodeCommand
    wish: ShellWish
    action: NamedAction
    seconds: int
    """How long it may last: what was asked for, or less."""

    @property
    def program(self) -> tuple[str, ...]:
        """Return what the envelope says is started."""
        return self.action.command


class HeldShell:
    """Runs once."""

    def __init__(
        self,
        asked: AskedShell,
        session: ShellSession,
        *,
        ports: ShellPorts,
        clock: Clock,
        action: Callable[[], NamedAction | None],
        opened: Callable[[], None],
    ) -> None:
        """`action` is what the envelope says now; `opened` is told when a program runs."""
        self._asked, self._session, self._ports, self._clock = asked, session, ports, clock
        self._action, self._opened = action, opened
        self._begun_s = clock.monotonic_s()
        self._outlet = ShellOutlet(ports.line, asked.command.id, heard=self._heard)
        self._recording: Recording | None = None
        self._process: ShellProcess | None = None
        self._started = anyio.Event()
        self._scope = anyio.CancelScope()
        self._answers = _ANSWERS
        self.closing = Closing(
            id=asked.command.id,
            person=asked.command.person,
            reason=asked.wish.reason,
            begun_at_s=utc_s(clock),
        )
        """What is known of the session; complete when `run` has returned or was cancelled."""

    async def run(self) -> None:
        """Hold the session until it is closed. Cancelled, it is closed too."""
        try:
            with self._scope:
                await self._begin()
                async with anyio.create_task_group() as tasks:
                    for part in (self._hear, self._show, self._watch):
                        tasks.start_soon(part)
        finally:
            self._step(ShellEvent.AGENT_ENDED)
            with anyio.move_on_after(_END_S, shield=True):
                await self._end()

    async def _begin(self) -> None:
        wish, closing = self._asked.wish, self.closing
        header = CastHeader(
            width=wish.columns,
            height=wish.rows,
            timestamp=int(closing.begun_at_s),
            title=f"{closing.person}: {closing.reason}",
        )
        notice = ShellNotice(
            id=closing.id,
            person=closing.person,
            role=self._asked.command.role,
            reason=closing.reason,
            until_s=closing.begun_at_s + self._asked.seconds,
            pid=self._ports.pid,
        )
        try:
            # Without a recording, or where nobody can see it, there is no session.
            self._recording = await anyio.to_thread.run_sync(self._ports.recordings.begin, closing, header)
            await anyio.to_thread.run_sync(self._ports.board.show, notice)
        except GanglionError as error:
            self._not_recorded(error)
        self._step(ShellEvent.ALLOWED)

    # --- what the person does ---------------------------------------------------------------------

    async def _hear(self) -> None:
        after, failures = 0, 0
        wait_s = min(_HEAR_S, self._session.link_lost_s / 3)
        while True:
            ask = partial(self._ports.line.shell_input, self.closing.id, after=after, wait_s=wait_s)
            try:
                told = await _abandonable(ask)
            except Rejected:
                self._step(ShellEvent.FORGOTTEN)
                return
            except GanglionError as error:
                failures += 1
                await pause(failures, error)
                continue
            failures = 0
            self._heard()
            for typed in told.typed:
                if typed.number == after + 1:
                    await self._take(typed)
                    after = typed.number
            if told.has_left:
                self._step(ShellEvent.LEFT)
                return
            await self._slow_down()

    async def _take(self, typed: ShellTyped) -> None:
        if self._session.state is ShellState.OFFERED:
            await self._start()
        process = self._process
        if process is None:
            return
        if shell.is_side(typed.columns) and shell.is_side(typed.rows):
            await self._record(CastKind.RESIZED, f"{typed.columns}x{typed.rows}".encode())
            process.resize(typed.columns, typed.rows)
        if not typed.data:
            return
        self._session = self._session.typed(now_s=self._clock.monotonic_s())
        if await self._record(CastKind.TYPED, typed.data):
            rest = typed.data
            while rest:
                taken = await _abandonable(partial(process.write, rest, wait_s=_READ_S))
                rest = rest[taken:]

    async def _start(self) -> None:
        self._step(ShellEvent.CAME)
        wish = self._asked.wish
        call = ShellCall(command=self._asked.program, seconds=self._asked.seconds, columns=wish.columns, rows=wish.rows)
        try:
            # Not left behind when it is cancelled: what was started must be ended.
            self._process = await anyio.to_thread.run_sync(self._ports.starter.start, call)
        except GanglionError as error:
            log.error("shell.not_started", code=error.code, reason=error.message)  # noqa: TRY400 - the reason is logged
            self._step(ShellEvent.NOT_STARTED)
            return
        self._opened()
        self._started.set()

    # --- what the session shows -------------------------------------------------------------------

    async def _show(self) -> None:
        await self._started.wait()
        process = self._process
        assert process is not None, "it was started"
        while True:
            data = await _abandonable(partial(process.read, bytes_max=PIECE_BYTES_MAX, wait_s=_READ_S))
            if data is None:
                self._step(ShellEvent.EXITED)
                return
            if data and not await self._record(CastKind.SHOWN, data):
                return
            if data and not await self._outlet.send(data):
                self._step(ShellEvent.FORGOTTEN)
                return

    # --- what ends it -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            due = self._session.due(now_s=self._clock.monotonic_s())
            if due is not None:
                self._step(due)
            elif await anyio.to_thread.run_sync(self._ports.board.is_closing_wanted):
                self._step(ShellEvent.CLOSED_HERE)
            elif not self._is_allowed():
                self._step(ShellEvent.WITHDRAWN)
            await anyio.sleep(_LOOK_S)

    def _is_allowed(self) -> bool:
        command, action = self._asked.command, self._action()
        try:
            shell.check(action, self._asked.wish, person=command.person, role=command.role)
        except InvalidRequest:
            return False
        return action is not None and action.command == self._asked.program

    async def _end(self) -> None:
        """Leave nothing behind: programs first, then the record, then a word to the hub."""
        if self._process is not None:
            await anyio.to_thread.run_sync(self._process.end)
        seconds = self._clock.monotonic_s() - self._begun_s
        sha256 = ""
        if self._recording is not None:
            try:
                sha256 = await anyio.to_thread.run_sync(partial(self._recording.close, at_s=seconds))
            except DiskUnusable as error:
                log.error("shell.not_recorded", code=error.code, reason=error.message)  # noqa: TRY400 - as above
        closed_by = self._session.closed_by
        assert closed_by is not None, "it was closed"
        self.closing = msgspec.structs.replace(
            self.closing, closed_by=closed_by, seconds=round(seconds, 3), sha256=sha256
        )
        await anyio.to_thread.run_sync(self._ports.board.clear)
        if closed_by not in {ShellEvent.FORGOTTEN, ShellEvent.LINK_LOST}:
            await self._outlet.end(closed_by, sha256)

    # --- parts ------------------------------------------------------------------------------------

    async def _record(self, kind: CastKind, data: bytes) -> bool:
        """Write it down first. False: it cannot be, and the session is over."""
        assert self._recording is not None, "there is no session without one"
        at_s = self._clock.monotonic_s() - self._begun_s
        try:
            has_room = await anyio.to_thread.run_sync(partial(self._recording.add, kind, data, at_s=at_s))
        except DiskUnusable as error:
            self._not_recorded(error)
            return False
        if not has_room:
            self._step(ShellEvent.RECORDING_FULL)
        return has_room

    def _not_recorded(self, error: GanglionError) -> None:
        log.error("shell.not_recorded", code=error.code, reason=error.message)
        self._step(ShellEvent.NOT_RECORDED)

    def _heard(self) -> None:
        self._session = self._session.heard(now_s=self._clock.monotonic_s())

    async def _slow_down(self) -> None:
        now_s = self._clock.monotonic_s()
        wait_s, self._answers = self._answers.wait_s(now_s=now_s), self._answers.after(now_s=now_s)
        await anyio.sleep(wait_s)

    def _step(self, event: ShellEvent) -> None:
        self._session = self._session.after(event, now_s=self._clock.monotonic_s())
        if self._session.state is ShellState.CLOSED:
            self._scope.cancel()


async def _abandonable(work: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
