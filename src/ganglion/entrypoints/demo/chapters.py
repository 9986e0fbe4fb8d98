"""Chapters 1 to 6: release, declare, roll out, cut, kill, mend. Each does something real and says what it proves."""

from ganglion.entrypoints import learning
from ganglion.entrypoints.demo import fleet, rollouts
from ganglion.entrypoints.demo.digits import PIXEL_MAX, SIDE
from ganglion.entrypoints.demo.play import Play
from ganglion.entrypoints.demo.scoreboard import Fault
from ganglion.entrypoints.demo.script import MODEL, RECOVERY_BOUND_S, REVIEWER
from ganglion.entrypoints.learning import InputSettings, TrainedVersion
from ganglion.testing.ledger import Ledger
from ganglion.testing.processes import clock_s
from ganglion.wire.rollout_resources import RolloutView

INPUTS = InputSettings(name="pixels", scale=1.0 / PIXEL_MAX, image=(SIDE, SIDE))


def train_and_release(play: Play) -> None:
    """Train on a tenth of the labels, optimise, sign, release 1."""
    labelled = play.digits.labelled
    play.console.say(f"training on {len(labelled)} labelled images, 64→512→512→10")
    made = learning.train_version(
        MODEL,
        "1",
        labelled,
        directory=play.workshop,
        held_out=play.digits.held_out,
        inputs=INPUTS,
        progress=play.console.progress,
    )
    tell_made(play, made)
    play.release_1 = made
    release = play.world.api.release(made.package_file)
    play.console.say(f"signed and released {release.model}:{release.version}, sha256 {release.sha256[:16]}…")
    play.promise(
        "INT8 is kept only when it loses no more than the budget and is not slower",
        held=_follows_its_measurements(made),
        figures=made.report.choice.reason,
    )


def roll_out_first(play: Play) -> None:
    """Declare the fleet in files, and bring release 1 to it in stages."""
    fleet.declare(play)
    told = rollouts.bring(play, "1")
    view = told.view
    play.promise(
        "release 1 reached every node, stage by stage", held=view.state == "completed", figures=_stages_told(view)
    )
    play.promise(
        "the nodes that took it are those that the dry run named, in its order",
        held=rollouts.kept_the_plan(play, told),
        figures=f"{sum(len(stage.nodes) for stage in view.stages)} nodes in {len(view.stages)} stages",
    )
    play.promise(
        "each stage was approved by a second person, and who started it could not",
        held=bool(told.refusal) and all(stage.approved_by == [REVIEWER] for stage in view.stages),
        figures=f"approved by {', '.join(view.stages[-1].approved_by)}; the starter was told: {told.refusal}",
    )
    fleet.promise_no_difference(play, "1")


def cut_the_cable(play: Play) -> float:
    """Stop the relay between nodes and hub; clients notice nothing. Return when it was cut."""
    play.world.cable.cut()
    cut_s = clock_s()
    play.console.say("the cable is out: no node can reach the hub")
    play.run_on(play.script.cut_s)
    figures = play.note_fault(Fault("cable out", "", cut_s, clock_s()))
    play.promise(
        "with the cable out, clients notice nothing",
        held=figures.failed == 0 < figures.answered,
        figures=f"{figures.answered} answered, {figures.failed} failed",
    )
    return cut_s


def kill_processes(play: Play) -> None:
    """Kill the agent, then the serving process of a node with SIGKILL; the cable is still out."""
    name, node = next(iter(play.world.nodes.items()))
    began_s = clock_s()
    node.kill_child("agent")
    play.run_on(play.script.settle_s)
    agent = play.note_fault(Fault("agent killed", name, began_s, clock_s()))
    play.promise(
        f"killing the agent of {name} costs no answer",
        held=agent.failed == 0 < agent.answered,
        figures=f"{agent.answered} answered, {agent.failed} failed",
    )
    began_s = clock_s()
    node.kill_child("serving")
    play.world.clients[name].wait_for_answer(began_s, timeout_s=play.script.wait_s)
    play.run_on(play.script.settle_s)
    serving = play.note_fault(Fault("serving killed", name, began_s, clock_s()))
    play.promise(
        f"after the serving process is killed, answers go on within {RECOVERY_BOUND_S:g} s",
        held=serving.longest_gap_s <= RECOVERY_BOUND_S,
        figures=f"{serving.longest_gap_s:.2f} s without an answer, {serving.failed} requests failed",
    )


def mend_the_cable(play: Play, cut_s: float) -> None:
    """The cable is back: every record is at the hub exactly once."""
    back_s = clock_s()
    play.world.cable.restore()
    play.console.say(f"the cable is back after {back_s - cut_s:.0f} s; the outboxes drain")
    total = play.check_ledgers(back_s)
    play.promise("every answer so far is stored exactly once", held=total.holds, figures=ledger_told(total))


def tell_made(play: Play, made: TrainedVersion) -> None:
    """Tell how good a new version is and which variant was chosen."""
    report = made.report
    play.console.say(f"held-out accuracy {report.accuracy:.1%} on {report.judged_rows} images")
    play.console.say(f"variant {report.choice.variant}: {report.choice.reason}")


def ledger_told(ledger: Ledger) -> str:
    """Return a ledger in words."""
    return f"{ledger.answered} answered, {ledger.lost} lost, {ledger.duplicated} duplicated"


def _follows_its_measurements(made: TrainedVersion) -> bool:
    """Say whether the package holds the variant that was chosen, and that variant kept its limits."""
    choice = made.report.choice
    chosen = next(rung for rung in choice.rungs if rung.attempt.variant == choice.variant)
    return made.manifest.variant == choice.variant and chosen.fits


def _stages_told(view: RolloutView) -> str:
    return "; ".join(f"{stage.share}: {', '.join(stage.nodes)}" for stage in view.stages)
