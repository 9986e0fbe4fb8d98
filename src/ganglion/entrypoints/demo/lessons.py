"""Chapters 6 to 8: a bad version is stopped and taken back, and a better one is learnt."""

from dataclasses import replace

from ganglion.entrypoints import learning
from ganglion.entrypoints.demo import digits as demo_digits
from ganglion.entrypoints.demo import fleet, rollouts
from ganglion.entrypoints.demo.chapters import INPUTS, tell_made
from ganglion.entrypoints.demo.play import Play
from ganglion.entrypoints.demo.scoreboard import Fault
from ganglion.entrypoints.demo.script import DATASET, MODEL
from ganglion.factory.steps.dataset import LabelledDataset
from ganglion.testing.processes import clock_s
from ganglion.testing.traffic import Exchange
from ganglion.wire.resources import DatasetRequest, EventView, LabelRequest
from ganglion.wire.rollout_resources import RolloutView

BAD_VERSION = "1-transposed"
_SAMPLES_MAX = 1000
_LABELS_MAX = 300
"""So many are labelled: a slow demo, whose nodes keep more, learns from as much as a quick one."""


def try_a_bad_version(play: Play) -> None:
    """Roll out a plausible bad version; the first stage's gate stops it, and the canary goes back by itself."""
    _release_bad_version(play)
    began_s = clock_s()
    told = rollouts.bring(play, BAD_VERSION)
    view = told.view
    play.wait("the canary to answer with release 1 again", lambda: play.serves_everywhere("1"))
    back_s = clock_s()
    play.wait("the canary to tell when it went back", lambda: bool(_returns(play, view)))
    # Both moments are of the hub's and the node's own records, not of when this program looked.
    stopped_at_s = next(entry.at_s for entry in reversed(view.history) if entry.event == "aborted")
    took_s = max(0.0, _returns(play, view)[-1].at_s - stopped_at_s)
    canaries = view.stages[0].nodes
    play.note_fault(Fault("bad version rolled out", canaries[0], began_s, back_s))
    wrong = _answered_by(play, BAD_VERSION)
    touched = sorted(name for name, exchanges in wrong.items() if exchanges)
    _note_bad_answers(play, [exchange for exchanges in wrong.values() for exchange in exchanges])
    detected_s = stopped_at_s - view.created_at_s
    play.board.figures["time to detect the bad version"] = f"{detected_s:.1f} s after its rollout began"
    play.board.figures["time to roll it back"] = f"{took_s:.2f} s after it was detected"
    play.promise(
        "the first stage's gate stopped the bad version",
        held=view.state == "aborted" and view.stage == 0,
        figures=view.reason,
    )
    play.promise(
        "only the canary ever answered with it, and it went back by itself",
        held=bool(touched) and set(touched) <= set(canaries),
        figures=f"{', '.join(touched)}, back {took_s:.2f} s after the gate's word",
    )
    _follow_the_way_back(play, view, stopped_at_s)


def learn(play: Play) -> None:
    """Label what the nodes kept, retrain, release 2."""
    play.wait(f"{play.script.samples_min} samples at the hub", lambda: _has_samples(play))
    stored = play.world.api.label(_labels(play))
    dataset = play.world.api.build_dataset(DatasetRequest(name=DATASET, model=MODEL))
    play.console.say(f"{stored} samples labelled from the data set's own truth (no person was asked)")
    play.console.say(f"data set {dataset.name}:{dataset.version}, manifest {dataset.sha256[:16]}…")
    assert play.release_1 is not None, "chapter 1 comes first"
    manifest, arrays = play.world.api.dataset(DATASET, dataset.version)
    made = learning.retrain_version(
        play.release_1.package_file,
        play.digits.labelled,
        LabelledDataset(manifest, arrays),
        held_out=play.digits.held_out,
        version="2",
        directory=play.workshop,
        progress=play.console.progress,
    )
    tell_made(play, made)
    comparison = made.report.comparison
    assert comparison is not None, "retraining compares both versions on the same rows"
    before, after = comparison.reference_accuracy, comparison.candidate_accuracy
    play.board.accuracy = {"1": before, "2": after}
    play.board.judged_rows = comparison.rows
    play.world.api.release(made.package_file)
    play.console.say(f"held-out accuracy {before:.1%} → {after:.1%}; released, and given to nobody yet")


def _release_bad_version(play: Play) -> None:
    play.console.say("training on transposed images: the mistake is in its golden inputs too")
    wrong = demo_digits.transposed(demo_digits.stream_rows(play.digits))
    made = learning.train_version(
        MODEL, BAD_VERSION, wrong, directory=play.workshop, inputs=INPUTS, progress=play.console.progress
    )
    play.console.say(f"by its maker's own figures it is {made.report.accuracy:.1%} accurate")
    play.world.api.release(made.package_file)


def _follow_the_way_back(play: Play, view: RolloutView, stopped_at_s: float) -> None:
    """Wait until the hub has it from every node's own report that it is back."""
    play.wait("the hub to know that every node is back", lambda: _is_reverted(play, view.rollout_id))
    end = play.world.api.rollout(view.rollout_id)
    play.board.rollouts[-1] = replace(play.board.rollouts[-1], view=end)
    back = end.revert
    assert back is not None, "it was waited for"
    assert back.reverted_at_s is not None, "it was waited for"
    told_s = back.reverted_at_s - stopped_at_s
    play.board.figures["time until its nodes had reported that they are back"] = f"{told_s:.1f} s after it was detected"
    play.promise(
        "every node that was given it reports its own former release again",
        held=back.returned == end.given > 0 and not back.returning + back.silent + back.failed,
        figures=f"{back.returned} of {end.given} returned, {told_s:.1f} s after the gate's word",
    )
    play.console.say("$ ganglion diff -f fleet/")
    for line in fleet.differences(play):
        play.console.say(f"  {line}")


def _is_reverted(play: Play, rollout_id: str) -> bool:
    back = play.world.api.rollout(rollout_id).revert
    return back is not None and back.reverted_at_s is not None


def _returns(play: Play, view: RolloutView) -> list[EventView]:
    """Return the canary's events of leaving the bad version: it gave the update up, or took the old one again."""
    return [
        event
        for event in play.world.api.events(rollout=view.rollout_id)
        if (event.name, event.version) in {("update.rolled_back", BAD_VERSION), ("update.committed", "1")}
    ]


def _note_bad_answers(play: Play, wrong: list[Exchange]) -> None:
    right = sum(exchange.label == exchange.row.truth for exchange in wrong)
    share = right / len(wrong) if wrong else 0.0
    play.console.say(f"it gave {len(wrong)} answers, {right} of them right ({share:.0%})")
    play.board.figures["answers of the bad version"] = f"{len(wrong)}, {right} of them right"


def _answered_by(play: Play, version: str) -> dict[str, list[Exchange]]:
    return {
        name: [exchange for exchange in exchanges if exchange.version == version]
        for name, exchanges in play.board.exchanges.items()
    }


def _has_samples(play: Play) -> bool:
    count = len(_labels(play))
    play.console.progress(f"{count} samples are at the hub")
    return count >= play.script.samples_min


def _labels(play: Play) -> list[LabelRequest]:
    """Label the newest samples of release 1 by looking up which image each request carried."""
    play.note_exchanges()
    truths = {e.request_id: e.row.truth for exchanges in play.board.exchanges.values() for e in exchanges}
    samples = play.world.api.samples(model=MODEL, limit=_SAMPLES_MAX)
    known = [sample for sample in samples if sample.request_id in truths and sample.version == "1"]
    return [LabelRequest(sample.sample_id, truths[sample.request_id]) for sample in known[:_LABELS_MAX]]
