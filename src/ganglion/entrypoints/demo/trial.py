"""The chapter in which release 2 proves itself beside release 1, wins, and is rolled out through the gate."""

from ganglion.entrypoints.demo import fleet, rollouts
from ganglion.entrypoints.demo.play import Play
from ganglion.entrypoints.demo.script import MODEL
from ganglion.entrypoints.fleet.experiment_words import arm_lines
from ganglion.testing.processes import clock_s
from ganglion.wire.experiment_resources import ArmRequest, ArmResult, ExperimentAction, ExperimentRequest
from ganglion.wire.rollout_resources import ProbationSettings

EXPERIMENT = "two-or-one"
METRIC = "confidence"


def compare(play: Play) -> None:
    """Give half of the nodes release 2, and look at both side by side."""
    api = play.world.api
    api.create_experiment(_request(play))
    arms = api.act_on_experiment(EXPERIMENT, "start", ExperimentAction(reason="release 2 was retrained")).arms
    for arm in arms:
        play.console.say(f"arm {arm.version}: {', '.join(arm.node_names)}")
    challengers = set(arms[1].node_names)
    play.wait("the challenger's nodes to answer with it", lambda: _serves(play, challengers))
    began_s = clock_s()
    play.wait("both arms to have answered enough", lambda: _is_enough(play))
    # Before the conclusion gives the nodes back what they had.
    ended_s = clock_s()
    view = api.experiment(EXPERIMENT)
    play.board.experiment = view
    for line in (line for arm in view.arms for line in arm_lines(arm) if line.metric == METRIC):
        difference = f", difference {line.difference}: {line.finding}" if line.difference else ""
        play.console.say(f"release {line.arm}: {line.metric} {line.mean} {line.interval}{difference}")
    answered = {
        name: {exchange.version for exchange in client.since(began_s, ended_s) if exchange.is_answered}
        for name, client in play.world.clients.items()
    }
    play.promise(
        "in the experiment each node answered with the version of its arm alone",
        held=all(versions == ({"2"} if name in challengers else {"1"}) for name, versions in answered.items()),
        figures="; ".join(f"release {arm.version} on {', '.join(arm.node_names)}" for arm in view.arms),
    )


def roll_out_winner(play: Play) -> None:
    """Conclude the experiment: release 2 is rolled out by the fleet's policy, and the files say so."""
    before, after = play.board.accuracy["1"], play.board.accuracy["2"]
    action = ExperimentAction(reason=f"held-out accuracy {before:.1%} → {after:.1%}", winner="2", policy=fleet.POLICY)
    concluded = play.world.api.act_on_experiment(EXPERIMENT, "conclude", action)
    play.console.say(f"concluded: release {concluded.winner} wins ({concluded.reason})")
    view = rollouts.follow(play, play.world.api.rollout(concluded.rollout_id)).view
    play.wait("every node to report release 2", lambda: play.serves_everywhere("2") or view.state != "completed")
    play.promise(
        "release 2 is better on held-out images, and on every node",
        held=view.state == "completed" and after > before and play.serves_everywhere("2"),
        figures=f"{before:.1%} → {after:.1%} on the same {play.board.judged_rows} images",
    )
    fleet.assign(play, "2")
    fleet.promise_no_difference(play, "2")


def _request(play: Play) -> ExperimentRequest:
    script = play.script
    return ExperimentRequest(
        name=EXPERIMENT,
        model=MODEL,
        control="1",
        arms=[ArmRequest("2")],
        metric=METRIC,
        requests_min=script.trial_requests,
        probation=ProbationSettings(
            probation_s=script.probation_s,
            inferences_min=script.inferences_min,
            compare_share=script.compare_share,
            latency_ratio_max=script.latency_ratio_max,
        ),
    )


def _serves(play: Play, names: set[str]) -> bool:
    views = play.world.views()
    return all(any((m.model, m.committed) == (MODEL, "2") for m in views[name].models) for name in names)


def _is_enough(play: Play) -> bool:
    arms = play.world.api.experiment(EXPERIMENT).arms
    counts = ", ".join(f"release {arm.version}: {arm.requests}" for arm in arms)
    play.console.progress(f"answers so far: {counts}")
    return all(_is_shown(arm, play) for arm in arms)


def _is_shown(arm: ArmResult, play: Play) -> bool:
    return arm.requests >= play.script.trial_requests
