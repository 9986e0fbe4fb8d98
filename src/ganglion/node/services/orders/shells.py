"""Interactive sessions on a node: which order may open one, one at a time, and what becomes of their recordings."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
import msgspec
import structlog

from ganglion.core.errors import DataCorrupt, GanglionError, InvalidRequest, NotFound, Rejected
from ganglion.core.ids import parse_name
from ganglion.node.domain.shells.limits import ShellLimits
from ganglion.node.domain.shells.session import ShellEvent, ShellSession
from ganglion.node.services.orders.held_shell import AskedShell, HeldShell, ShellPorts
from ganglion.node.services.orders.orders import DONE
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.shell import Closing
from ganglion.trust import shell
from ganglion.trust.envelope import NamedAction
from ganglion.wire.desired import NodeCommand
from ganglion.wire.records import EventRecord
from ganglion.wire.shells import WHY_CLOSED, ShellRecording

log = structlog.get_logger()

OPENED: Final = "shell.opened"
CLOSED: Final = "shell.closed"
_SLACK_S: Final = 600.0
"""How far a node's clock may be off."""
_AGAIN_S: Final = 30.0
_TAKEN: Final = "taken"

Tell = Callable[[Sequence[EventRecord]], Awaitable[None]]


class Shells:
    """At most one session at a time."""

    def __init__(
        self,
        *,
        limits: ShellLimits,
        ports: ShellPorts,
        clock: Clock,
        action: Callable[[], NamedAction | None],
        tell: Tell,
    ) -> None:
        """`action` is what the envelope in force says of a shell; `tell` stores events."""
        self._limits, self._ports, self._clock = limits, ports, clock
        self._action, self._tell = action, tell
        self._next: AskedShell | None = None
        self._held: AskedShell | None = None
        self._wake, self._wake_handing = anyio.Event(), anyio.Event()
        self._untold: list[EventRecord] = []

    def check(self, command: NodeCommand, action: NamedAction | None) -> None:
        """Make sure that this order, whose signature was looked at, may open a session. Raises: Rejected: why not."""
        self._checked(command, action)

    async def open(self, command: NodeCommand) -> str:
        """Open the session that was checked; it goes on after this returns."""
        self._next = self._checked(command, self._action())
        self._wake.set()
        return DONE

    async def run(self) -> None:
        """Hold sessions one after the other, and hand their recordings over, until cancelled."""
        await self._tidy()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hand_over)
            while True:
                self._wake = anyio.Event()
                if self._next is None:
                    await self._wake.wait()
                if self._next is not None:
                    self._held, self._next = self._next, None
                    await self._hold(self._held)
                    self._held = None
                    self._wake_handing.set()

    def _checked(self, command: NodeCommand, action: NamedAction | None) -> AskedShell:
        limits = self._limits
        if not limits.enabled:
            raise InvalidRequest("shells are off on this machine: its own setting node.shell.enabled says so")
        why = self._ports.starter.why_not()
        if why:
            raise InvalidRequest(why)
        parse_name(command.id, what="session")
        busy = self._held or self._next
        if busy is not None:
            raise InvalidRequest(
                f"a shell of {busy.command.person} is open already, and there is one at a time; one whose window was"
                f" closed or killed is given up within a minute, and `ganglion node shell close --data DATA`"
                f" on the machine ends any at once"
            )
        wish = shell.wish_in(command.arguments)
        shell.check(action, wish, person=command.person, role=command.role)
        assert action is not None, "it was checked"
        if command.expires_at_s > utc_s(self._clock) + shell.ORDER_LIFE_S + _SLACK_S:
            raise InvalidRequest(
                f"an order for a shell is good for {shell.ORDER_LIFE_S:.0f} s, and this one for longer"
            )
        seconds = min(wish.seconds, limits.minutes_max * 60)
        return AskedShell(command=command, wish=wish, action=action, seconds=seconds)

    async def _hold(self, asked: AskedShell) -> None:
        now_s, limits = self._clock.monotonic_s(), self._limits
        session = ShellSession(
            id=asked.command.id,
            asked_at_s=now_s,
            ends_at_s=now_s + asked.seconds,
            idle_s=limits.idle_s,
            link_lost_s=limits.link_lost_s,
        )
        held = HeldShell(
            asked,
            session,
            ports=self._ports,
            clock=self._clock,
            action=self._action,
            opened=partial(self._tell_opened, asked),
        )
        try:
            await held.run()
        except DataCorrupt:
            raise
        except Exception:
            # The outermost edge of a session: whatever goes wrong in it, the agent goes on.
            log.exception("shell.failed", session=asked.command.id)
        finally:
            with anyio.CancelScope(shield=True):
                await self._keep(held.closing, asked.command)

    def _tell_opened(self, asked: AskedShell) -> None:
        command = asked.command
        log.warning(
            OPENED,
            session=command.id,
            person=command.person,
            role=command.role,
            reason=asked.wish.reason,
            seconds=asked.seconds,
        )
        facts = {**_facts(command.id, command.person, asked.wish.reason), "role": command.role}
        reason = f"{command.person} ({command.role}): {asked.wish.reason}, for {asked.seconds} s"
        # Told with the end at the latest: a session must not wait for a disk.
        self._untold.append(EventRecord(name=OPENED, reason=reason, facts=facts))
        self._wake_handing.set()

    async def _keep(self, closing: Closing, command: NodeCommand) -> None:
        log.warning(
            CLOSED, session=closing.id, person=closing.person, closed_by=closing.closed_by, seconds=closing.seconds
        )
        self._untold.append(_closed(closing, role=command.role))
        try:
            await anyio.to_thread.run_sync(self._ports.recordings.note, closing)
            await self._tell_untold()
        except DataCorrupt:
            raise
        except GanglionError as error:
            log.error("shell.untold", code=error.code, reason=error.message)  # noqa: TRY400 - the reason is logged

    async def _tell_untold(self) -> None:
        told, self._untold = self._untold, []
        if not told:
            return
        try:
            await self._tell(told)
        except BaseException:
            self._untold = [*told, *self._untold]
            raise

    async def _tidy(self) -> None:
        """Close what an agent that was cut off has left: its programs ended with it."""
        try:
            await anyio.to_thread.run_sync(self._ports.board.clear)
            for closing in await anyio.to_thread.run_sync(self._ports.recordings.kept):
                if not closing.closed_by:
                    sha256 = await anyio.to_thread.run_sync(self._digest_of, closing.id)
                    ended = msgspec.structs.replace(closing, closed_by=ShellEvent.INTERRUPTED, sha256=sha256)
                    await anyio.to_thread.run_sync(self._ports.recordings.note, ended)
                    self._untold.append(_closed(ended))
            await self._tell_untold()
        except DataCorrupt:
            raise
        except GanglionError as error:
            log.warning("shell.untold", code=error.code, reason=error.message)

    def _digest_of(self, shell_id: str) -> str:
        try:
            return hashlib.sha256(self._ports.recordings.content(shell_id)).hexdigest()
        except NotFound:
            return ""

    async def _hand_over(self) -> None:
        """Give the hub each recording once; where it is away, later."""
        while True:
            self._wake_handing = anyio.Event()
            try:
                await self._tell_untold()
                for closing in await anyio.to_thread.run_sync(self._ports.recordings.kept):
                    if closing.closed_by and not closing.handed_over:
                        await self._hand(closing)
                is_done = True
            except DataCorrupt:
                raise
            except GanglionError as error:
                log.info("shell.delayed", code=error.code, reason=error.message)
                is_done = False
            with anyio.move_on_after(float("inf") if is_done else _AGAIN_S):
                await self._wake_handing.wait()

    async def _hand(self, closing: Closing) -> None:
        try:
            content = await anyio.to_thread.run_sync(self._ports.recordings.content, closing.id)
            record = ShellRecording(closing.closed_by, closing.seconds, content)
            hand = partial(self._ports.line.shell_recording, closing.id, record)
            await anyio.to_thread.run_sync(hand, abandon_on_cancel=True)
            said = _TAKEN
        except Rejected as error:
            # The hub has forgotten the session, or takes no recording of this size: it stays here.
            said = error.message
        noted = msgspec.structs.replace(closing, handed_over=said)
        await anyio.to_thread.run_sync(self._ports.recordings.note, noted)


def _closed(closing: Closing, *, role: str = "") -> EventRecord:
    facts = _facts(closing.id, closing.person, closing.reason)
    facts |= {"closed_by": closing.closed_by, "recording_sha256": closing.sha256, "seconds": f"{closing.seconds:.1f}"}
    if role:
        facts["role"] = role
    return EventRecord(name=CLOSED, reason=f"{closing.person}: {WHY_CLOSED.get(closing.closed_by, '')}", facts=facts)


def _facts(shell_id: str, person: str, reason: str) -> dict[str, str]:
    return {"order": shell_id, "action": shell.NAME, "person": person, "arguments": reason}
