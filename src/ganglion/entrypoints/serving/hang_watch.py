"""Ends this process when a model does not come back: nothing else can stop native code that is in a loop.

A thread looks at the marks of all runs. Engines let go of Python's lock while they compute, so that the thread can look
even when the event loop itself is what waits for the model.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

import structlog

from ganglion.adapters.run_marks import RunMarks, Running
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import GanglionError
from ganglion.core.serving_errors import ModelHung

log = structlog.get_logger()

EXIT_HUNG = 75
"""Status of a process that ended itself because a model did not come back: a temporary failure, by sysexits.h."""
_LOOKS_PER_LIMIT = 10
_LOOK_S_MIN, _LOOK_S_MAX = 0.02, 1.0
_SEND_S = 0.1
_ANSWER_S = 0.5
"""How long the event loop may take to tell those who wait; one that is stuck in the model never will."""


class HangWatch:
    """Looks until the process ends. `answer` is called in the thread, and has the clients told on the loop."""

    def __init__(
        self, marks: RunMarks, *, run_s_max: float, answer: Callable[[Running, Callable[[], None]], None]
    ) -> None:
        self._marks, self._run_s_max, self._answer = marks, run_s_max, answer

    def start(self) -> None:
        """Begin to look; without a limit there is nothing to look for."""
        if self._run_s_max > 0:
            threading.Thread(target=self._look, name="hang-watch", daemon=True).start()

    def _look(self) -> None:
        pause_s = min(_LOOK_S_MAX, max(_LOOK_S_MIN, self._run_s_max / _LOOKS_PER_LIMIT))
        now_s, never = SystemClock.monotonic_s, threading.Event()
        while not never.wait(pause_s):
            longest = next(iter(self._marks.runs()), None)
            if longest is not None and now_s() - longest.since_s > self._run_s_max:
                self._end(longest)

    def _end(self, running: Running) -> None:
        self._marks.tell_hung(running)
        label = running.label
        log.error("model.hung", model=label.model, version=label.version, run_s_max=self._run_s_max)
        told = threading.Event()
        self._answer(running, told.set)
        told.wait(_ANSWER_S)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(EXIT_HUNG)


def hung(running: Running, run_s_max: float) -> ModelHung:
    """Return what those hear who wait."""
    return ModelHung(f"version {running.label.version} of {running.label.model} did not come back in {run_s_max:g} s")


class GivesUp(Protocol):
    """A server that can answer everything at once."""

    def give_up(self, error: GanglionError) -> None:
        """Answer everything under way with `error`."""
        ...


def call_give_up(
    loop: asyncio.AbstractEventLoop,
    server: Callable[[], GivesUp | None],
    error: GanglionError,
    done: Callable[[], None],
) -> None:
    """Have `server`, if there is one yet, answer on its loop; `done` is called when that has left."""

    def tell() -> None:
        listening = server()
        if listening is not None:
            listening.give_up(error)
        # What was written leaves in the next turns of the loop.
        loop.call_later(_SEND_S, done)

    loop.call_soon_threadsafe(tell)
