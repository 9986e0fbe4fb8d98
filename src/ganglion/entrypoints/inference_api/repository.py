"""Load and unload on a client's word, where whoever started the server allows it.

A node does not: which versions it serves, its hub decides. `ganglion serve` gives the application a `Repository`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeAlias

import anyio.abc
import structlog

from ganglion.core.errors import GanglionError

log = structlog.get_logger()

Done: TypeAlias = Callable[[GanglionError | None], None]
Act: TypeAlias = Callable[[str], Awaitable[object]]
"""Loads or unloads the model of this name. Raises: GanglionError."""


class Repository(Protocol):
    """Where models come from."""

    def load(self, model: str, done: Done) -> None:
        """Load what there is of `model`, then call `done` on the loop."""
        ...

    def unload(self, model: str, done: Done) -> None:
        """Let `model` go, then call `done` on the loop."""
        ...


class RepositoryTasks:
    """Implements `Repository` by tasks of a group, which end with it."""

    def __init__(self, tasks: anyio.abc.TaskGroup, *, load: Act, unload: Act) -> None:
        self._tasks, self._load, self._unload = tasks, load, unload

    def load(self, model: str, done: Done) -> None:
        """Load what there is of `model`, then call `done` on the loop."""
        self._tasks.start_soon(_act, partial(self._load, model), done)

    def unload(self, model: str, done: Done) -> None:
        """Let `model` go, then call `done` on the loop."""
        self._tasks.start_soon(_act, partial(self._unload, model), done)


async def _act(act: Callable[[], Awaitable[object]], done: Done) -> None:
    failure: GanglionError | None = None
    try:
        await act()
    except GanglionError as error:
        failure = error
    except Exception as error:
        log.exception("repository.failed")
        failure = GanglionError(f"the server failed: {type(error).__name__}")
    done(failure)
