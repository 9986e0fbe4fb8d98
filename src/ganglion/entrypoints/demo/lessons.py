"""Chapters 6 to 8: a bad version is stopped, a better one is learnt, and the summary adds it all up."""

from ganglion.entrypoints import learning
from ganglion.entrypoints.demo import digits as demo_digits
from ganglion.entrypoints.demo.chapters import INPUTS, ledger_told, tell_made
from ganglion.entrypoints.demo.play import Play
from ganglion.entrypoints.demo.scoreboard import Fault
from ganglion.entrypoints.demo.script import DATASET, MODEL
from ganglion.factory.steps.dataset import LabelledDataset
from ganglion.testing.processes import clock_s
from ganglion.testing.traffic import Exchange, request_bytes
from ganglion.wire.resources import DatasetRequest, EventView, LabelRequest
from ganglion.wire.rollout_resources import RolloutView

BAD_VERSION = "1-transposed"
_SAMPLES_MAX = 1000


def try_a_bad_version(play: Play) -> None:
    """Roll out a plausible bad version; the first stage's gate stops it, and the canary goes back by itself."""
    _release_bad_version(play)
    began_s = clock_s()
    view = play.roll_out(BAD_VERSION)
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


def learn(play: Play) -> None:
    """Label what the nodes kept, retrain, roll out release 2."""
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
    play.world.api.release(made.package_file)
    view = play.roll_out("2")
    play.promise(
        "release 2 is better on held-out images, and on every node",
        held=view.state == "completed" and after > before,
        figures=f"{before:.1%} → {after:.1%} on the same {comparison.rows} images",
    )


def sum_up(play: Play) -> None:
    """Check every answer of the whole demo once more, and add up the figures of the summary."""
    play.note_exchanges()
    # The last records of a moment ago are on their way; those of before it must be there.
    until_s = clock_s()
    total = play.check_ledgers(until_s)
    views = list(play.world.views().values())
    shed = sum(sum(view.shed.values()) for view in views)
    play.promise(
        "over the whole demo every answer is stored exactly once, and nothing was shed",
        held=total.holds and shed == 0,
        figures=f"{ledger_told(total)}, {shed} shed",
    )
    everything = [exchange for exchanges in play.board.exchanges.values() for exchange in exchanges]
    answered = [exchange for exchange in everything if exchange.is_answered]
    latencies = sorted(exchange.latency_ms for exchange in answered)
    figures = play.board.figures
    figures["requests"] = f"{len(answered)} answered, {len(everything) - len(answered)} failed"
    figures["latency at the client"] = (
        f"p50 {_share_of(latencies, 0.5):.2f} ms, p99 {_share_of(latencies, 0.99):.2f} ms"
    )
    figures["records"] = f"{sum(v.made for v in views)} made, {sum(v.stored for v in views)} stored"
    figures["lost, duplicated"] = f"{total.lost}, {total.duplicated}"
    raw = sum(request_bytes(exchange.row) for exchange in answered)
    sent = play.world.cable.up_bytes
    figures["bytes"] = f"{raw:,} as raw inputs, {sent:,} sent by the nodes ({sent / raw:.0%})"
    figures["held-out accuracy"] = ", ".join(f"release {k}: {v:.1%}" for k, v in play.board.accuracy.items())
    for fault in play.board.faults:
        counted = play.board.during(fault)
        figures[f"during: {fault.name}"] = f"{counted.answered} answered, {counted.failed} failed"


def _release_bad_version(play: Play) -> None:
    play.console.say("training on transposed images: the mistake is in its golden inputs too")
    wrong = demo_digits.transposed(demo_digits.stream_rows(play.digits))
    made = learning.train_version(
        MODEL, BAD_VERSION, wrong, directory=play.workshop, inputs=INPUTS, progress=play.console.progress
    )
    play.console.say(f"by its maker's own figures it is {made.report.accuracy:.1%} accurate")
    play.world.api.release(made.package_file)


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
    """Label the samples of release 1 by looking up which image each request carried."""
    play.note_exchanges()
    truths = {e.request_id: e.row.truth for exchanges in play.board.exchanges.values() for e in exchanges}
    samples = play.world.api.samples(model=MODEL, limit=_SAMPLES_MAX)
    return [
        LabelRequest(sample_id=sample.sample_id, label=truths[sample.request_id])
        for sample in samples
        if sample.request_id in truths and sample.version == "1"
    ]


def _share_of(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
