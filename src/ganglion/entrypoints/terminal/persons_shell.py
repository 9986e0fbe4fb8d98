"""A person's side of an interactive session: keys go out, what is shown comes in, each in a thread of its own.

Nothing is lost and nothing piles up: a key is read when the one before was taken.
"""

import base64
import os
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from ganglion.core.errors import GanglionError, Unavailable
from ganglion.entrypoints.terminal.raw_terminal import size_of
from ganglion.entrypoints.terminal.shell_keys import Keys
from ganglion.wire.shell_resources import ShellShown, ShellTyping

if TYPE_CHECKING:
    from ganglion.entrypoints.hub_client.shells import ShellCalls

T = TypeVar("T")

_WAIT_S: Final = 20.0
_AGAIN_S: Final = 0.3
_FAILURES_MAX: Final = 60
_KEYS_MAX: Final = 16_384
_END_OF_INPUT: Final = b"\x04\x04"
"""Twice: the first one only ends a line that was not ended."""
_CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Where keys come from, and where what is shown goes to."""

    keys: int
    out: int
    is_terminal: bool


class PersonsShell:
    """One session. `typist` and `viewer` are two clients of the hub, one for each direction."""

    def __init__(
        self, name: str, shell_id: str, ends: Ends, *, typist: "ShellCalls", viewer: "ShellCalls", state: str = ""
    ) -> None:
        self._name, self._id, self._ends = name, shell_id, ends
        self._typist, self._viewer = typist, viewer
        self._number, self._state = 0, state
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)
        self._is_resized, self._is_over = True, threading.Event()
        self.closed_by = ""
        """Why the session is over; empty: this side left."""
        self.error: GanglionError | None = None
        """Why this side gave up."""

    @property
    def wakes(self) -> int:
        """Return where to write to have this side look again."""
        return self._wakes

    def resized(self) -> None:
        """Tell the other side of the terminal's size; for a signal handler."""
        self._is_resized = True

    def run(self) -> None:
        """Hold the session until it is over, or until the person leaves."""
        viewer = threading.Thread(target=self._kept(self._view), daemon=True)
        viewer.start()
        try:
            self._kept(self._type)()
        finally:
            self._is_over.set()
            if not self.closed_by:
                self._leave()
            viewer.join(timeout=1.0)

    def _leave(self) -> None:
        try:
            self._typist.close_shell(self._name, self._id)
        except GanglionError as error:
            # The node ends it soon: nobody asks for what it shows any more.
            self.error = self.error or error

    # --- keys -------------------------------------------------------------------------------------

    def _type(self) -> None:
        keys = Keys()
        descriptors = [self._ends.keys, self._woken]
        while not self._is_over.is_set():
            # First of all: what is typed next is meant for a terminal of this size.
            if self._is_resized:
                self._is_resized = False
                self._send(b"", *size_of(self._ends.out))
            ready, _, _ = select.select(descriptors, (), ())
            if self._woken in ready:
                os.read(self._woken, _KEYS_MAX)
            elif not self._is_resized and self._type_more(descriptors, keys):
                return

    def _type_more(self, descriptors: list[int], keys: Keys) -> bool:
        """Hand over what was typed. True: the person leaves."""
        data = os.read(self._ends.keys, _KEYS_MAX)
        if not data:
            # A pipe has ended: so does what the other side reads.
            descriptors.remove(self._ends.keys)
            self._send(_END_OF_INPUT)
            return False
        sent, leaves = keys.read(data) if self._ends.is_terminal else (data, False)
        if sent:
            self._send(sent)
        return leaves

    def _send(self, data: bytes, columns: int = 0, rows: int = 0) -> None:
        self._number += 1
        typing = ShellTyping(number=self._number, data=base64.b64encode(data).decode(), columns=columns, rows=rows)
        self._repeated(lambda: self._typist.type_into_shell(self._name, self._id, typing) or None)

    # --- what is shown ----------------------------------------------------------------------------

    def _view(self) -> None:
        after = 0
        while (shown := self._repeated(partial(self._ask_shown, after))) is not None:
            data = base64.b64decode(shown.data)
            _write_all(self._ends.out, data)
            after += len(data)
            if not data:
                self._state = shown.state
            if shown.state == _CLOSED:
                self.closed_by = shown.closed_by
                return

    def _ask_shown(self, after: int) -> ShellShown:
        return self._viewer.shell_shown(self._name, self._id, after=after, known=self._state, wait_s=_WAIT_S)

    # --- parts ------------------------------------------------------------------------------------

    def _repeated(self, ask: Callable[[], T | None]) -> T | None:
        """Ask until there is an answer; None: the session is over for this side. Raises: GanglionError."""
        failures = 0
        while not self._is_over.is_set():
            try:
                answer = ask()
            except Unavailable:
                failures += 1
                if failures > _FAILURES_MAX:
                    raise
                self._is_over.wait(_AGAIN_S)
                continue
            if answer is not None:
                return answer
        return None

    def _kept(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return `work` with its error kept for whoever tells it, and the other thread woken at its end."""

        def run() -> None:
            try:
                work()
            except GanglionError as error:
                self.error = self.error or error
            except BrokenPipeError:
                # Nobody reads any more: this side leaves.
                return
            finally:
                self._is_over.set()
                self._wake()

        return run

    def _wake(self) -> None:
        try:
            os.write(self._wakes, b"!")
        except BlockingIOError:
            # It is full of wakes already.
            return


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
