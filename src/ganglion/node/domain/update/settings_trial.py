"""Settings that a hub sends are on trial first, like a model: what breaks the node is taken back. Events in, state out.

The settings that were last found to work stay known. Whatever happens in between, a trial ends applied or failed, and
settings that failed are not tried again until the hub wants others.
"""

from enum import StrEnum

import msgspec

from ganglion.core.transitions import Transitions
from ganglion.wire.desired import AgentOptions, CollectionSettings, SettingsReport


class SettingsState(StrEnum):
    """How a node stands to the newest settings of its hub."""

    APPLIED = "applied"
    TRYING = "trying"
    SET_ASIDE = "set_aside"
    """With them the hub was not heard of. They are tried once more when it is: a line may fail at any moment."""
    FAILED = "failed"


class SettingsEvent(StrEnum):
    """What can happen to settings."""

    STARTED = "started"
    """The agent, or the serving process, came back: it may have been the settings that ended it."""
    REFUSED = "refused"
    """They cannot be applied."""
    UNHEARD = "unheard"
    """The hub was not heard of for too long."""
    HEARD = "heard"
    WORKED = "worked"
    """Everything ran for long enough."""


_S, _E = SettingsState, SettingsEvent

TRANSITIONS: Transitions[SettingsState, SettingsEvent] = Transitions(
    {
        (_S.TRYING, _E.STARTED): _S.TRYING,
        (_S.TRYING, _E.REFUSED): _S.FAILED,
        (_S.TRYING, _E.UNHEARD): _S.SET_ASIDE,
        (_S.TRYING, _E.HEARD): _S.TRYING,
        (_S.TRYING, _E.WORKED): _S.APPLIED,
        (_S.SET_ASIDE, _E.STARTED): _S.SET_ASIDE,
        (_S.SET_ASIDE, _E.HEARD): _S.TRYING,
        # Its hub may not be reached for weeks: that is no fault of settings that are not in force.
        (_S.SET_ASIDE, _E.UNHEARD): _S.SET_ASIDE,
    },
    final=frozenset({_S.APPLIED, _S.FAILED}),
)


class TrialRules(msgspec.Struct, frozen=True, kw_only=True):
    """When a trial ends."""

    works_s: float = 60.0
    """After so long, with word from the hub in between, settings are found to work."""
    unheard_s_max: float = 600.0
    """Without word from the hub for so long, they are taken back; it is longer than a question to it stays open."""
    starts_max: int = 3
    """So many starts of the agent or of serving within one trial, and they are given up."""
    unheard_max: int = 2
    """So many times without word from the hub, and they are given up."""


RULES = TrialRules()


class Settings(msgspec.Struct, frozen=True):
    """What a hub sets on a node beside models."""

    collection: CollectionSettings = CollectionSettings()
    """What is collected."""
    agent: AgentOptions = AgentOptions()
    """How the agent behaves."""


class SettingsTrial(msgspec.Struct, frozen=True):
    """Where the newest settings stand. A value: `offered` and `after` return the next one."""

    kept: Settings = Settings()
    """The last that were found to work; at first those of the release."""
    state: SettingsState = SettingsState.APPLIED
    wanted: Settings | None = None
    """What the hub wants, while it is not what is kept."""
    revision: int = -1
    """The newest desired state that wanted this."""
    starts: int = 0
    unheard: int = 0
    reason: str = ""

    @property
    def effective(self) -> Settings:
        """Return the settings in force."""
        return self.wanted if self.wanted and self.state is SettingsState.TRYING else self.kept

    @property
    def is_open(self) -> bool:
        """Say whether the trial has not ended yet."""
        return self.state not in TRANSITIONS.final

    def offered(self, settings: Settings, revision: int) -> "SettingsTrial":
        """Return the trial after the hub has said what it wants, which may be what it wanted before."""
        if settings == self.wanted:
            return msgspec.structs.replace(self, revision=revision)
        if settings == self.kept:
            return SettingsTrial(kept=self.kept, revision=revision)
        return SettingsTrial(kept=self.kept, state=SettingsState.TRYING, wanted=settings, revision=revision)

    def after(self, event: SettingsEvent, *, reason: str = "", rules: TrialRules = RULES) -> "SettingsTrial":
        """Return the trial after `event`. Raises: IllegalTransition: it has ended."""
        state = TRANSITIONS.next(self.state, event)
        is_trying = self.state is SettingsState.TRYING
        starts = self.starts + (is_trying and event is SettingsEvent.STARTED)
        unheard = self.unheard + (is_trying and event is SettingsEvent.UNHEARD)
        if starts >= rules.starts_max:
            state, reason = SettingsState.FAILED, f"the agent or serving started {starts} times with them"
        if unheard >= rules.unheard_max:
            state, reason = SettingsState.FAILED, f"with them the hub was not heard of, {unheard} times"
        if state is SettingsState.APPLIED:
            assert self.wanted is not None, "what is tried is wanted"
            return SettingsTrial(kept=self.wanted, revision=self.revision)
        return msgspec.structs.replace(
            self, state=state, starts=starts, unheard=unheard, reason=(reason or self.reason)[:_REASON_MAX]
        )

    def report(self) -> SettingsReport:
        """Return what the hub is told."""
        return SettingsReport(state=self.state.value, revision=self.revision, reason=self.reason)


_REASON_MAX = 300
