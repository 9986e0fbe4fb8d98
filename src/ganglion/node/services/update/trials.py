"""Watches versions that are being tried: beside the one that answers (shadow), and in its place (probation)."""

from ganglion.core.behaviour import Behaviour
from ganglion.node.domain.update import probation, shadow
from ganglion.node.domain.update.probation import Judgement, Verdict
from ganglion.node.domain.update.reconcile import ModelState
from ganglion.node.domain.update.shadow import Watch
from ganglion.node.domain.update.table import Update
from ganglion.node.services.update.effects import policy_of
from ganglion.node.services.update.held_trials import HeldTrials
from ganglion.ports.clock import Clock
from ganglion.ports.serving_control import ModelServing, ServingControl, ServingStatus, Switch
from ganglion.wire.desired import UpdateState

_TIMEOUT_S = 60.0
_SETTLING_S = 1.0
"""How long a share is kept before it is looked at again."""

_WAITING = Judgement(Verdict.WAIT, "serving has not begun with it yet")


class Trials:
    """Knows since when each model's trial goes on. A restart of the agent begins it anew."""

    def __init__(self, *, control: ServingControl, clock: Clock) -> None:
        self._control, self._clock = control, clock
        self._since_s: dict[str, float] = {}
        self._watches: dict[str, Watch] = {}
        self._held = HeldTrials(control=control, clock=clock)

    def forget(self, name: str) -> None:
        """Let the next look at this model be the first."""
        self._since_s.pop(name, None)
        self._watches.pop(name, None)
        self._held.forget(name)

    async def look(self, name: str, model: ModelState, update: Update, status: ServingStatus) -> Judgement:
        """Judge a version on trial by what serving has counted. Raises: GanglionError."""
        serving = status.models.get(name)
        if update.is_settled:
            return await self._held.look(name, update, serving)
        if update.state is UpdateState.SHADOW:
            return await self._look_at_shadow(name, update, serving)
        return self._look_at_probation(name, model, update, serving)

    def _look_at_probation(
        self, name: str, model: ModelState, update: Update, serving: ModelServing | None
    ) -> Judgement:
        since_s = self._since_s.setdefault(name, self._clock.monotonic_s())
        version = update.assignment.version
        if serving is None or serving.active != version:
            return _WAITING
        # A version that nobody has asked yet has behaved in no way at all, which a policy may find enough.
        behaviour = serving.behaviour.get(version, Behaviour())
        return probation.judge(policy_of(update, model), behaviour, elapsed_s=self._clock.monotonic_s() - since_s)

    async def _look_at_shadow(self, name: str, update: Update, serving: ModelServing | None) -> Judgement:
        if serving is None or not serving.active:
            return _WAITING
        active = serving.behaviour.get(serving.active, Behaviour())
        policy, watch = update.assignment.policy, self._watches.get(name)
        if watch is None:
            before = shadow.since(active, Behaviour())
            self._watches[name] = await self._listen(update, serving.active, before, before, policy.compare_share)
            return _WAITING
        judgement = shadow.judge(policy, watch, active)
        now_s = self._clock.monotonic_s()
        if judgement.verdict is Verdict.WAIT and now_s - watch.marked_s >= _SETTLING_S:
            share = shadow.next_share(policy, watch, active, now_s=now_s)
            self._watches[name] = await self._listen(update, serving.active, watch.before, active, share)
        return judgement

    async def _listen(self, update: Update, active: str, before: Behaviour, now: Behaviour, share: float) -> Watch:
        """Let the candidate hear a share of the inputs; the active version goes on with its counts."""
        command = Switch(update.assignment.model, active, compare_with=update.assignment.version, compare_share=share)
        await self._control.call(command, timeout_s=_TIMEOUT_S)
        return Watch(
            before=before,
            share=share,
            marked_s=self._clock.monotonic_s(),
            marked_cost_us=now.compared_latency_us.total,
        )
