"""Keeps versions on trial that are held: says again what share of the requests they get, and watches what they do."""

from ganglion.core.behaviour import Behaviour
from ganglion.node.domain.update import held_trial, shadow
from ganglion.node.domain.update.held_trial import Counts, HeldWatch
from ganglion.node.domain.update.probation import Judgement, Verdict
from ganglion.node.domain.update.shadow import Watch
from ganglion.node.domain.update.table import Update
from ganglion.ports.clock import Clock
from ganglion.ports.serving_control import ModelServing, Refused, ServingControl, Switch

_TIMEOUT_S = 60.0
_SETTLING_S = 30.0
"""How long a share of comparisons is kept before it is looked at again."""
_CHANGE_MIN = 0.25
"""A share that would change by less, as a part of itself, is left as it is: trials last for days."""
_WAITING = Judgement(Verdict.WAIT, "serving has not begun with it yet")


def split(update: Update, compare_share: float) -> Switch:
    """Return what serving must do: the control stays active, and the challenger has its share, or only listens."""
    model, version = update.assignment.model, update.assignment.version
    share = 0.0 if update.only_listens else update.assignment.policy.traffic_share
    weights = {update.control: 1.0 - share, version: share} if share else {}
    return Switch(model, update.control, compare_with=version, compare_share=compare_share, weights=weights)


class HeldTrials:
    """Knows since when each held version is watched. A restart of the agent begins that anew."""

    def __init__(self, *, control: ServingControl, clock: Clock) -> None:
        self._control, self._clock = control, clock
        self._watches: dict[str, tuple[HeldWatch, Watch]] = {}

    def forget(self, name: str) -> None:
        """Let the next look at this model be the first."""
        self._watches.pop(name, None)

    async def look(self, name: str, update: Update, serving: ModelServing | None) -> Judgement:
        """Judge a held version by what serving has counted. Raises: ServingUnreachable."""
        if serving is None or serving.active != update.control:
            self.forget(name)
            return _WAITING
        now = Counts(
            serving.behaviour.get(update.control, Behaviour()),
            serving.behaviour.get(update.assignment.version, Behaviour()),
        )
        policy, held = update.assignment.policy, self._watches.get(name)
        if held is None or serving.weights != split(update, 0.0).weights:
            return await self._begin(name, update, now)
        watch, hearing = held
        now_s = self._clock.monotonic_s()
        judgement = held_trial.judge(policy, watch, now, share=hearing.share, now_s=now_s)
        if judgement.verdict is Verdict.UNHEALTHY:
            return judgement
        self._watches[name] = held_trial.renewed(policy, watch, now, now_s=now_s), hearing
        if now_s - hearing.marked_s >= _SETTLING_S:
            share = shadow.next_share(policy, hearing, now.control, now_s=now_s)
            if abs(share - hearing.share) <= _CHANGE_MIN * hearing.share:
                share = hearing.share
            else:
                await self._control.call(split(update, share), timeout_s=_TIMEOUT_S)
            self._watches[name] = self._watches[name][0], self._hearing(now, share)
        # What a healthy hour makes good is a start that was lost; without one there is nothing to store.
        is_news = judgement.verdict is Verdict.HEALTHY and update.starts > 0
        return judgement if is_news else Judgement(Verdict.WAIT, judgement.reason)

    async def _begin(self, name: str, update: Update, now: Counts) -> Judgement:
        share = update.assignment.policy.compare_share
        reply = await self._control.call(split(update, share), timeout_s=_TIMEOUT_S)
        if isinstance(reply, Refused):
            return Judgement(Verdict.UNHEALTHY, f"trial: {reply.code}: {reply.message}")
        self._watches[name] = held_trial.begun(now, now_s=self._clock.monotonic_s()), self._hearing(now, share)
        return _WAITING

    def _hearing(self, now: Counts, share: float) -> Watch:
        return Watch(
            before=Behaviour(),
            share=share,
            marked_s=self._clock.monotonic_s(),
            marked_cost_us=now.control.compared_latency_us.total,
        )
