"""Brings the attempt of one model one effect further, and knows for which of them it is too early.

It stores nothing: it says what the attempt is after the effect, and its caller stores that first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

import msgspec
import structlog

from ganglion.core.errors import DiskUnusable, GanglionError, Unavailable
from ganglion.core.identity_errors import Unauthenticated
from ganglion.core.serving_errors import ServingUnreachable
from ganglion.node.domain.sending import backoff
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.domain.update import reconcile
from ganglion.node.domain.update.probation import Verdict
from ganglion.node.domain.update.reconcile import ModelState
from ganglion.node.domain.update.table import Update, UpdateEffect, UpdateEvent
from ganglion.node.services.update.effects import Outcome, UpdateEffects, can_shadow
from ganglion.node.services.update.install_times import LOOK_S, InstallTimes
from ganglion.node.services.update.trials import Trials
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.serving_control import ServingStatus
from ganglion.wire.desired import Assignment

log = structlog.get_logger()

_TRIED = frozenset({UpdateEffect.LISTEN, UpdateEffect.WATCH})


@dataclass(frozen=True, slots=True)
class Around:
    """What an attempt has to know of the rest of its node."""

    others: Sequence[Assignment]
    """Attempts of other models."""
    is_wanted: Callable[[], bool]
    """Says whether this attempt is still the present one."""
    time_zone: str
    """As the hub's settings say; empty: the machine's own."""
    term_over: str = ""
    """Why it may not answer for want of contact with the hub; empty when it may."""


class Attempts:
    """Performs effects and watches trials. A failure that may pass lets a model wait."""

    def __init__(
        self,
        *,
        effects: UpdateEffects,
        trials: Trials,
        times: InstallTimes,
        clock: Clock,
        chance: Chance,
        retry: BackoffPolicy,
    ) -> None:
        self._effects, self._trials, self._times = effects, trials, times
        self._clock, self._chance, self._retry = clock, chance, retry
        self._failures: dict[str, int] = {}
        self._retry_at_s: dict[str, float] = {}
        self.reason_waiting: dict[str, str] = {}
        """By model: what it waits for, or what its trial shows."""

    def begin_anew(self) -> None:
        """Forget every failure: the hub wants something new."""
        for notes in (self._failures, self._retry_at_s, self.reason_waiting):
            notes.clear()

    def hurry(self) -> None:
        """Try again at once what waits after a failure."""
        self._retry_at_s.clear()

    def ended(self, name: str) -> None:
        """Forget why a model waited: its attempt has come to its end."""
        self.reason_waiting.pop(name, None)

    def moved(self, name: str) -> None:
        """Let the next look at a trial of this model be the first."""
        self._trials.forget(name)

    def is_due(self, name: str) -> bool:
        """Say whether a model need not wait any longer."""
        return self._clock.monotonic_s() >= self._retry_at_s.get(name, 0.0)

    async def after_next(self, name: str, model: ModelState, status: ServingStatus, around: Around) -> Update | None:
        """Return what the model's attempt is after its next effect; None: it is as it was. Raises: GanglionError."""
        update = model.update
        assert update is not None, "a model without an attempt is not driven"
        why_over = reconcile.why_not_held(model) or (around.term_over if update.is_held else "")
        if why_over:
            return update.after(UpdateEvent.FAILED, reason=f"trial: {why_over}")
        if update.effect in _TRIED:
            return await self._watched(name, model, status, around)
        if update.effect is UpdateEffect.AWAIT_WINDOW:
            return self._awaited_window(name, update, around)
        if update.effect is UpdateEffect.SWITCH and not can_shadow(update, model, status):
            return await self._switched_in_time(name, model, status, around)
        return await self._performed(name, model, status, around)

    async def _switched_in_time(
        self, name: str, model: ModelState, status: ServingStatus, around: Around
    ) -> Update | None:
        """Let a version answer that has shown all it can, or put it aside until a window of its policy opens."""
        update = _attempt(model)
        if early := self._times.reason_to_wait(update, around.time_zone):
            return update.after(UpdateEvent.WINDOW_CLOSED, reason=early)
        return await self._performed(name, model, status, around)

    def _awaited_window(self, name: str, update: Update, around: Around) -> Update | None:
        if early := self._times.reason_to_wait(update, around.time_zone):
            self.reason_waiting[name] = early
            self._retry_at_s[name] = self._clock.monotonic_s() + LOOK_S
            return None
        self.reason_waiting.pop(name, None)
        return update.after(UpdateEvent.WINDOW_OPENED, reason="its window is open")

    async def _performed(self, name: str, model: ModelState, status: ServingStatus, around: Around) -> Update | None:
        update = _attempt(model)
        try:
            outcome = await self._effects.perform(
                update, model, status, others=around.others, is_wanted=around.is_wanted
            )
        except ServingUnreachable as error:
            log.warning("update.serving_lost", model=name, state=update.state.value, reason=error.message)
            outcome = Outcome(UpdateEvent.SERVING_LOST)
        except (Unavailable, Unauthenticated) as error:
            # A node that the hub does not accept waits to be enrolled again: the version is not at fault.
            self._wait(name, error)
            return None
        except GanglionError as error:
            if update.was_committed and isinstance(error, DiskUnusable):
                # A full disk is no fault of a version that this node knows: it goes back when there is room.
                self._wait(name, error)
                return None
            outcome = Outcome(UpdateEvent.FAILED, f"{error.code}: {error.message}")
        self._failures.pop(name, None)
        self.reason_waiting.pop(name, None)
        after = update.after(outcome.event, reason=outcome.reason)
        if outcome.event is UpdateEvent.LOADED:
            after = msgspec.structs.replace(after, instance=status.instance)
        if outcome.vouched is not None:
            after = msgspec.structs.replace(after, offline_s_max=outcome.vouched.offline_s_max)
        return after

    async def _watched(self, name: str, model: ModelState, status: ServingStatus, around: Around) -> Update | None:
        update = _attempt(model)
        judgement = await self._trials.look(name, model, update, status)
        self.reason_waiting[name] = judgement.reason
        match judgement.verdict:
            case Verdict.WAIT:
                return None
            case Verdict.HEALTHY if update.effect is UpdateEffect.LISTEN and not update.only_listens:
                return await self._switched_in_time(name, model, status, around)
            case Verdict.HEALTHY:
                return update.after(UpdateEvent.HEALTHY, reason=judgement.reason)
            case Verdict.UNHEALTHY:
                return update.after(UpdateEvent.FAILED, reason=judgement.reason)
            case _:
                assert_never(judgement.verdict)

    def _wait(self, name: str, error: GanglionError) -> None:
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        self._retry_at_s[name] = self._clock.monotonic_s() + backoff.delay_s(
            self._retry, failures, share=self._chance.share()
        )
        self.reason_waiting[name] = f"{error.code}: {error.message}"
        log.warning("update.delayed", model=name, reason=error.message, failures=failures)


def _attempt(model: ModelState) -> Update:
    assert model.update is not None, "a model without an attempt is not driven"
    return model.update
