"""A rollout of the demo from its dry run to its end: planned, approved by a second person, judged by the gate."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ganglion.core.errors import GanglionError
from ganglion.entrypoints.demo import fleet
from ganglion.entrypoints.demo.play import Play
from ganglion.entrypoints.demo.scoreboard import RolloutTold
from ganglion.entrypoints.demo.script import MODEL, REVIEWER
from ganglion.testing.waiting import wait_until
from ganglion.wire.rollout_resources import RolloutPlan, RolloutView, StageView

_FINAL = frozenset({"completed", "aborted"})
_AWAITING = "awaiting_approval"
_COUNTED = frozenset({"answers", "reports", "soak"})
"""Rules that only count; together they are one line."""


def bring(play: Play, version: str) -> RolloutTold:
    """Plan a release, assign it in the files, and follow the rollout that this begins."""
    plan = play.world.api.plan_rollout(fleet.rollout_of(play, version))
    play.console.say(f"dry run: {'; '.join(_planned(plan))}")
    fleet.assign(play, version)
    return follow(play, newest(play, version), plan)


def follow(play: Play, begun: RolloutView, plan: RolloutPlan | None = None) -> RolloutTold:
    """Follow a rollout to its end, and note it for the report."""
    follower = _Follower(play, begun.rollout_id)
    end = wait_until(follower.look, what=f"the rollout of {MODEL}:{begun.version}", timeout_s=play.script.wait_s)
    told = RolloutTold(plan=plan, view=end, refusal=follower.refusal)
    play.board.rollouts.append(told)
    return told


def newest(play: Play, version: str) -> RolloutView:
    """Return the rollout of a version that was started last."""
    return next(view for view in play.world.api.rollouts() if (view.model, view.version) == (MODEL, version))


def kept_the_plan(play: Play, told: RolloutTold) -> bool:
    """Say whether the nodes that took the version are those that the dry run named, stage by stage."""
    assert told.plan is not None, "only a rollout that was planned is asked about"
    commits = [
        (event.at_s, event.node)
        for event in play.world.api.events(rollout=told.view.rollout_id)
        if event.name == "update.committed" and event.version == told.view.version
    ]
    return are_kept([[node.node for node in stage.nodes] for stage in told.plan.stages], commits)


def are_kept(planned: Sequence[Sequence[str]], commits: Sequence[tuple[float, str]]) -> bool:
    """Say whether the nodes that committed, with the time of each, are those of the planned stages, one by one."""
    order = list(dict.fromkeys(node for _, node in sorted(commits)))
    for stage in planned:
        if sorted(order[: len(stage)]) != sorted(stage):
            return False
        order = order[len(stage) :]
    return not order


@dataclass(slots=True)
class _Follower:
    """Looks at a rollout, approves what waits for approval, and tells each change once."""

    play: Play
    rollout_id: str
    begun: set[int] = field(default_factory=set)
    judged: set[int] = field(default_factory=set)
    refusal: str = ""

    def look(self) -> RolloutView | None:
        """Return the rollout once it has ended."""
        view = self.play.world.api.rollout(self.rollout_id)
        for index, stage in enumerate(view.stages):
            self._tell(view, index, stage)
        if view.state == _AWAITING:
            self._approve(view)
        return view if view.state in _FINAL else None

    def _tell(self, view: RolloutView, index: int, stage: StageView) -> None:
        console = self.play.console
        if stage.started_at_s is None:
            return
        if index not in self.begun:
            self.begun.add(index)
            console.say(f"stage {index + 1} of {len(view.stages)} ({stage.share}): {', '.join(stage.nodes)}")
        is_over = index < view.stage or view.state in _FINAL or view.state == _AWAITING
        if is_over and index not in self.judged and stage.verdict:
            self.judged.add(index)
            console.say(f"the gate says {stage.verdict.replace('_', ' ')}:")
            for line in found_lines(stage):
                console.say(f"  {line}")
        elif not is_over:
            console.progress(f"stage {index + 1}: {stage.verdict_reason or 'the update is on its way'}")

    def _approve(self, view: RolloutView) -> None:
        stage = 0 if view.stages[0].started_at_s is None else view.stage + 1
        if stage == 0:
            self._try_alone()
        reason = "read the evaluation" if stage == 0 else "read the gate's figures"
        self.play.world.reviewer.act_on_rollout(self.rollout_id, "approve", reason=reason, stage=stage)
        self.play.console.say(f"{REVIEWER} approves stage {stage + 1}: {reason}")

    def _try_alone(self) -> None:
        """Let the account that started it approve it, too: four eyes are not two."""
        try:
            self.play.world.api.act_on_rollout(self.rollout_id, "approve", reason="my own work", stage=0)
        except GanglionError as error:
            self.refusal = error.message


def found_lines(stage: StageView) -> list[str]:
    """Return a line for each rule that measured something against a limit, and one for all others."""
    is_long = [finding.limit is not None and finding.rule not in _COUNTED for finding in stage.findings]
    texts = [finding.text for finding in stage.findings]
    others = "; ".join(text for text, alone in zip(texts, is_long, strict=True) if not alone)
    return [*(text for text, alone in zip(texts, is_long, strict=True) if alone), others]


def _planned(plan: RolloutPlan) -> list[str]:
    return [f"{stage.share}: {', '.join(node.node for node in stage.nodes)}" for stage in plan.stages]
