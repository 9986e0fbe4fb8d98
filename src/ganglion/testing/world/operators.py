"""The people of a world: they release, roll out, pause, go on, retry, skip, abort and change their minds.

Where a scenario wants its rollouts `varied`, they are ordered in every way there is: for later, behind another one, one
node of a site after the other, with the word of a second person, or as an emergency.
"""

from contextlib import suppress
from dataclasses import replace
from functools import partial

from ganglion.core.errors import Conflict, GanglionError
from ganglion.ports.clock import utc_s
from ganglion.testing.chance import SeededChance
from ganglion.testing.world.faults import Fault, FaultKind
from ganglion.testing.world.hub import MODEL
from ganglion.testing.world.rollout_watch import RolloutWatch
from ganglion.testing.world.scenario import Release, Scenario
from ganglion.testing.world.surroundings import Surroundings
from ganglion.wire.rollout_resources import RolloutRequest, RolloutView

_AGAIN_S = 600.0
_ACTOR, _SECOND = "operator", "a second person"
_WAYS = 8
_SECOND_S = 1200.0
"""How often the second person looks at what waits for a word."""


def planned_releases(scenario: Scenario, chance_share: float) -> tuple[Release, ...]:
    """Return the scenario's releases; where it names none, three: two good ones and one that is bad in some way."""
    if scenario.releases:
        return scenario.releases
    ways = ("crash", "slow", "wrong_on_one_site", "confident_and_wrong", "good")
    way = ways[int(chance_share * len(ways))]
    places = [("good", 0.03), (way, 0.3), ("good", 0.6)]
    if int(chance_share * 100) % 2:
        places = [("good", 0.03), ("good", 0.3), (way, 0.6)]
    return tuple(
        Release(version=str(number), at_h=share * scenario.hours, behaves=behaves)
        for number, (behaves, share) in enumerate(places, start=2)
    )


class Operators:
    """What they plan comes about as soon as it can."""

    def __init__(self, around: Surroundings, watch: RolloutWatch) -> None:
        self._around, self._watch = around, watch
        self._chance = SeededChance(around.seed * 7919 + 1)

    def plan(self, releases: tuple[Release, ...]) -> None:
        """Bring releases out at their times."""
        for release in releases:
            self._around.agenda.at(release.at_h * 3600.0, partial(self._release, release))
        if self._around.scenario.varied_rollouts:
            self._around.agenda.after(_SECOND_S, self._approve)

    def act(self, fault: Fault) -> None:
        """Do something to the rollout that goes on; where there is none, to the next one."""
        rollouts = self._watch.open_rollouts()
        if rollouts and not self._around.hub.down:
            self._act(fault, rollouts[0])
        elif self._around.agenda.now_s < self._around.scenario.hours * 3600.0:
            wait_s = _AGAIN_S if not rollouts else 60.0
            self._around.agenda.after(wait_s + wait_s * fault.size, partial(self.act, fault))

    def _act(self, fault: Fault, rollout_id: str) -> None:
        hub, now_s = self._around.hub, self._around.agenda.now_s
        try:
            match fault.kind:
                case FaultKind.PAUSE:
                    hub.rollouts.pause(rollout_id, actor=_ACTOR)
                    # Nobody leaves a fleet half way for ever.
                    self._around.agenda.after(6 * 3600.0 * fault.size, partial(self._resume, rollout_id))
                case FaultKind.RESUME:
                    hub.rollouts.resume(rollout_id, actor=_ACTOR)
                case FaultKind.ABORT:
                    before = dict(hub.control.tables.assignments) if self._around.bugs else {}
                    hub.rollouts.abort(rollout_id, actor=_ACTOR, reason="somebody changed their mind")
                    self._watch.spoil_abort(rollout_id, before, lambda: ())
                case FaultKind.RETRY:
                    self._told(hub.rollouts.retry(rollout_id, actor=_ACTOR, reason="it may have been the network"))
                case FaultKind.SKIP:
                    self._told(hub.rollouts.skip(rollout_id, actor=_ACTOR, reason="they will not come back today"))
                case _:
                    self._watch.ordered(rollout_id)
                    hub.rollouts.promote(rollout_id, actor=_ACTOR)
        except Conflict:
            return
        self._watch.look(now_s)

    def _told(self, view: RolloutView) -> None:
        """Note an act that leaves the rollout in its state."""
        newest = view.history[-1]
        if newest.at_s == utc_s(self._around.hub.clock):
            self._around.note(f"rollout of {view.model}:{view.version} {newest.event}: {newest.reason}")

    def _resume(self, rollout_id: str) -> None:
        if rollout_id in self._watch.open_rollouts():
            self._act(Fault(FaultKind.RESUME, self._around.agenda.now_s), rollout_id)

    def _release(self, release: Release) -> None:
        around, scenario = self._around, self._around.scenario
        hub = around.hub
        terms = self._terms()
        is_busy = self._watch.open_rollouts() and terms.if_busy == "refuse"
        if hub.down or is_busy or hub.experiment_running():
            if around.agenda.now_s < scenario.hours * 3600.0:
                around.agenda.after(_AGAIN_S, partial(self._release, release))
            return
        hub.release(MODEL, release.version, scenario.model_bytes, release.behaves)
        request = replace(
            terms, version=release.version, stages=list(scenario.stages), gate=scenario.gate(),
            probation=scenario.probation(),
        )  # fmt: skip
        try:
            hub.rollouts.start(request, actor=_ACTOR)
        except GanglionError as error:
            around.note(f"version {release.version} is not rolled out: {error.message}")
            return
        self._watch.look(around.agenda.now_s)

    def _terms(self) -> RolloutRequest:
        """Return how the next rollout is ordered."""
        plain = RolloutRequest(model=MODEL, version="")
        if not self._around.scenario.varied_rollouts:
            return plain
        now_s, way = utc_s(self._around.hub.clock), int(self._chance.share() * _WAYS)
        ways = (
            plain,
            replace(plain, approvals=1),
            replace(plain, if_busy="queue"),
            replace(plain, starts_at_s=now_s + 3600.0, if_busy="queue"),
            replace(plain, site_parallel_max=1),
            replace(plain, emergency=True, reason="the old version is dangerous"),
            replace(plain, deadline_at_s=now_s + 4 * 3600.0, deadline_act="abort"),
            replace(plain, approvals=1, if_busy="queue", site_parallel_max=1),
        )
        return ways[way]

    def _approve(self) -> None:
        hub = self._around.hub
        for rollout_id in self._watch.open_rollouts() if not hub.down else ():
            with suppress(GanglionError):
                hub.rollouts.approve(rollout_id, actor=_SECOND)
        self._watch.look(self._around.agenda.now_s)
        self._around.agenda.after(_SECOND_S, self._approve)
