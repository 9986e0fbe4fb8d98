"""Follows a rollout until it ends, and prints each change once."""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from ganglion.core.errors import HubUnreachable, Unavailable
from ganglion.entrypoints.cli.cells import moment
from ganglion.entrypoints.cli.output import OutputFormat, emit, note, say

if TYPE_CHECKING:
    from ganglion.entrypoints.cli.context import Session
    from ganglion.wire.rollout_resources import RolloutView

COMPLETED, ABORTED = "completed", "aborted"
_POLL_S = 1.0
_EXIT_ABORTED = 1


def watch(session: "Session", rollout_id: str, *, timeout_s: float) -> None:
    """Print each change of a rollout until it is completed; an abort is exit code 1.

    A hub that restarts meanwhile is waited for. Raises: Unavailable: not final after `timeout_s`.
    """
    seen: RolloutView | None = None
    for view in _views(session, rollout_id, timeout_s=timeout_s):
        if view != seen:
            _print(session.output, seen, view)
        if view.state == ABORTED:
            raise typer.Exit(_EXIT_ABORTED)
        if view.state == COMPLETED:
            return
        seen = view
    raise Unavailable(f"the rollout {rollout_id} was still going on after {timeout_s:g} s; it goes on without this")


def _views(session: "Session", rollout_id: str, *, timeout_s: float) -> "Iterator[RolloutView]":
    from ganglion.adapters.system import SystemClock

    clock, pause = SystemClock(), threading.Event()
    deadline_s = clock.monotonic_s() + timeout_s
    while clock.monotonic_s() < deadline_s:
        try:
            yield session.client.rollout(rollout_id)
        except HubUnreachable as error:
            note(f"{error.message}; trying again")
        pause.wait(_POLL_S)


def _print(output: OutputFormat, before: "RolloutView | None", view: "RolloutView") -> None:
    """Print what is new: lines for people, one value per change for programs."""
    if output is not OutputFormat.TABLE:
        emit(view, OutputFormat.JSONL if output is OutputFormat.JSON else output)
        return
    # By content, not by position: a long history drops entries in its middle.
    for entry in (each for each in view.history if before is None or each not in before.history):
        said_by = f" by {entry.actor}" if entry.actor else ""
        say(f"{moment(entry.at_s)}  {entry.event}{said_by}{_because(entry.reason)}\n")
    if before is None or _verdict(before) != _verdict(view):
        say(f"{_verdict(view)}\n")


def _verdict(view: "RolloutView") -> str:
    """Return where the rollout stands, in one line."""
    line = f"{view.model}:{view.version} is {view.state}"
    if not 0 <= view.stage < len(view.stages):
        return line + _because(view.reason)
    stage = view.stages[view.stage]
    verdict = f", gate: {stage.verdict}" if stage.verdict else ""
    reason = stage.verdict_reason or view.reason
    return f"{line}, stage {view.stage + 1} of {len(view.stages)} ({stage.share}){verdict}{_because(reason)}"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
