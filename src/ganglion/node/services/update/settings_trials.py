"""Watches settings on trial: did the processes stay, was the hub heard of, and for how long."""

from collections.abc import Callable
from datetime import tzinfo

from ganglion.core import trigger_rule
from ganglion.core.errors import GanglionError
from ganglion.node.domain.update.settings_trial import (
    RULES,
    Settings,
    SettingsEvent,
    SettingsState,
    SettingsTrial,
    TrialRules,
)
from ganglion.ports.clock import Clock
from ganglion.wire.records import EventRecord


class SettingsTrials:
    """Knows since when the present trial goes on; a restart begins its time anew, and counts."""

    def __init__(self, clock: Clock, *, zone: Callable[[str], tzinfo], rules: TrialRules = RULES) -> None:
        """`zone` returns a time zone by its name, or raises NotFound."""
        self._clock, self._zone, self._rules = clock, zone, rules
        self._tried: Settings | None = None
        self._since_s = self._heard_at_s = 0.0
        self._was_heard = False
        self._instance = ""

    def started(self, trial: SettingsTrial) -> SettingsTrial:
        """Return the trial after a start of the agent; to be stored before anything is applied."""
        return trial.after(SettingsEvent.STARTED, rules=self._rules) if trial.is_open else trial

    def heard(self, trial: SettingsTrial) -> SettingsTrial:
        """Return the trial after the hub was heard of just now."""
        self._was_heard, self._heard_at_s = True, self._clock.monotonic_s()
        return trial.after(SettingsEvent.HEARD) if trial.state is SettingsState.SET_ASIDE else trial

    def looked(self, trial: SettingsTrial, *, instance: str, refused: str) -> SettingsTrial:
        """Return the trial as it stands now.

        `instance` is the present start of serving; `refused` says why serving does not take these settings.
        """
        lost, self._instance = instance != self._instance, instance
        if trial.state is not SettingsState.TRYING or trial.wanted is None:
            self._tried = None
            return trial
        if trial.wanted != self._tried:
            self._begin(trial.wanted)
        elif lost:
            return trial.after(SettingsEvent.STARTED, rules=self._rules)
        if why := refused or self._why_not(trial.wanted):
            return trial.after(SettingsEvent.REFUSED, reason=why)
        now_s = self._clock.monotonic_s()
        if self._was_heard and now_s - self._since_s >= self._rules.works_s:
            return trial.after(SettingsEvent.WORKED)
        if now_s - (self._heard_at_s if self._was_heard else self._since_s) >= self._rules.unheard_s_max:
            self._tried = None
            return trial.after(SettingsEvent.UNHEARD, reason="the hub was not heard of", rules=self._rules)
        return trial

    def _begin(self, wanted: Settings) -> None:
        self._tried, self._since_s, self._was_heard = wanted, self._clock.monotonic_s(), False

    def _why_not(self, wanted: Settings) -> str:
        try:
            self._zone(wanted.agent.time_zone)
            if wanted.collection.keep_when:
                trigger_rule.parse(wanted.collection.keep_when)
        except GanglionError as error:
            return f"{error.code}: {error.message}"
        return ""


def told(before: SettingsTrial, after: SettingsTrial) -> list[EventRecord]:
    """Return the events that tell of the end of a trial."""
    if before.state is after.state or after.is_open:
        return []
    reason = f"revision {after.revision}" + (f": {after.reason}" if after.reason else "")
    return [EventRecord(name=f"settings.{after.state.value}", reason=reason)]
