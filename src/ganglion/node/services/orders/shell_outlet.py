"""The way of what a session shows to the hub: in order, once, over any number of cuts, held back while it is full."""

from collections.abc import Callable
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
import structlog

from ganglion.core.errors import GanglionError, Rejected
from ganglion.ports.shell import ShellLine
from ganglion.wire.shells import ShellOutput

log = structlog.get_logger()

_AGAIN_S, _AGAIN_S_MAX = 0.1, 3.0
_LAST_WORD_S: Final = 3.0


class ShellOutlet:
    """One session's output. `heard` is called at each answer of the hub."""

    def __init__(self, line: ShellLine, shell_id: str, *, heard: Callable[[], None]) -> None:
        self._line, self._id, self._heard = line, shell_id, heard
        self._sent = 0

    async def send(self, data: bytes) -> bool:
        """Send until the hub has it. False: the hub does not know the session any more."""
        end, failures = self._sent + len(data), 0
        while self._sent < end:
            output = ShellOutput(self._sent, data[len(data) - (end - self._sent) :])
            try:
                received = await self._ask(output)
            except Rejected:
                return False
            except GanglionError as error:
                failures += 1
                await pause(failures, error)
                continue
            self._heard()
            if not self._sent <= received <= end:
                # It speaks of another session's bytes, or of none.
                return False
            if received == self._sent:
                await anyio.sleep(_AGAIN_S)
            self._sent = received
        return True

    async def end(self, closed_by: str, recording_sha256: str) -> None:
        """Tell that the session is over, if the hub can be reached at once: the recording tells it later."""
        with anyio.move_on_after(_LAST_WORD_S):
            try:
                await self._ask(ShellOutput(self._sent, closed_by=closed_by, recording_sha256=recording_sha256))
            except GanglionError as error:
                log.info("shell.untold", code=error.code, reason=error.message)

    async def _ask(self, output: ShellOutput) -> int:
        ask = partial(self._line.shell_output, self._id, output)
        return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)


async def pause(failures: int, error: GanglionError) -> None:
    """Wait before the hub is asked again."""
    log.info("shell.delayed", code=error.code, reason=error.message, failures=failures)
    await anyio.sleep(min(_AGAIN_S * 2 ** min(failures, 16), _AGAIN_S_MAX))
