"""Which labels count for the accuracy of an experiment's arms, from the stores to what people see."""

from dataclasses import replace

import pytest

from ganglion.hub.domain.experiments.accuracy import Score
from ganglion.hub.services.samples import labelled_answers
from ganglion.hub.services.samples.labelled_answers import labelled
from ganglion.ports.hub_store import LabelRow
from ganglion.ports.telemetry_store import SampleRow
from ganglion.testing.fleet_world import MODEL
from ganglion.wire.experiment_resources import MetricResult
from unit.hub.services.experiments.test_experiments import REQUEST, Laboratory

SAMPLE = SampleRow("", "", 0, MODEL, "1", "r", "random", "7", 0.9, b"", 0)


class LabelledLaboratory(Laboratory):
    """A fleet whose answers people look at."""

    def __init__(self) -> None:
        super().__init__()
        self.began_s = self.now_s
        self._number = 0

    def answer(self, node: str, version: str, *, says: str = "7", is_really: str = "7", **fields: object) -> str:
        """Let a node keep an input with its answer, and a person label it; return the sample's id."""
        self._number += 1
        sample = replace(
            SAMPLE,
            sample_id=f"s{self._number}",
            node_id=f"id-{node}",
            version=version,
            label=says,
            corrected_at_ns=self.clock.utc_ns(),
        )
        with self.telemetry.write() as records:
            records.add_samples([replace(sample, **fields)])  # type: ignore[arg-type] # fields of a row, by name
        self.say(sample.sample_id, is_really)
        return sample.sample_id

    def say(self, sample_id: str, label: str) -> None:
        """Let a person label a sample."""
        with self.control.write() as tx:
            tx.add_label(LabelRow(sample_id, label, "ana", self.now_s))

    def score(self) -> Score:
        """Return how many labelled answers count since the laboratory was opened, and how many of them are right."""
        found = labelled(self.control, self.telemetry, model=MODEL, since_s=self.began_s)
        return Score(sum(each.is_right for each in found), len(found))


@pytest.fixture
def world() -> LabelledLaboratory:
    return LabelledLaboratory()


def test_an_answer_is_right_when_it_is_the_newest_label(world: LabelledLaboratory) -> None:
    world.answer("n0", "1")
    corrected = world.answer("n0", "1", says="3", is_really="7")

    assert world.score() == Score(1, 2)
    world.say(corrected, "3")
    assert world.score() == Score(2, 2)


def test_only_inputs_that_chance_has_kept_count(world: LabelledLaboratory) -> None:
    world.answer("n0", "1")
    for reason in ("low_confidence", "disagreement", "requested"):
        world.answer("n0", "1", is_really="3", reason=reason)

    assert world.score() == Score(1, 1)


def test_answers_of_another_model_without_a_prediction_or_from_before_do_not_count(world: LabelledLaboratory) -> None:
    world.answer("n0", "1", model="other")
    world.answer("n0", "1", says="")
    world.answer("n0", "1", corrected_at_ns=world.clock.utc_ns() - 10**9)

    assert world.score() == Score(0, 0)


def test_of_very_many_labels_the_newest_are_looked_at(
    world: LabelledLaboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled_answers, "LABELS_MAX", 2)
    world.answer("n0", "1", is_really="3")
    for _ in range(2):
        world.clock.advance(1.0)
        world.answer("n0", "1")

    assert world.score() == Score(2, 2)


def test_labels_decide_an_experiment_whose_versions_are_equally_sure_of_themselves(world: LabelledLaboratory) -> None:
    view = world.begin(replace(REQUEST, metric="accuracy"))
    world.live(6)
    control, challenger = (arm.node_names for arm in view.arms)
    for number in range(40):
        for node in control:
            world.answer(node, "1", is_really="7" if number % 2 else "3")
        for node in challenger:
            world.answer(node, "2", is_really="7" if number % 20 else "3")

    old, new = (accuracy(arm.metrics) for arm in world.live(1).arms)

    assert (old.right, old.labelled, old.finding) == (100, 200, "")
    assert (new.right, new.labelled, new.finding) == (190, 200, "better")


def test_an_answer_counts_for_the_arm_of_its_node_when_the_arms_version_gave_it(world: LabelledLaboratory) -> None:
    view = world.begin()
    world.live(6)
    tried = view.arms[1].node_names[0]
    world.answer(tried, "1")
    world.answer(view.arms[0].node_names[0], "2")
    world.answer("of-nobody", "2")
    world.answer(tried, "2")

    arms = world.live(1).arms

    assert [each.metric for each in arms[0].metrics].count("accuracy") == 0
    assert accuracy(arms[1].metrics).labelled == 1


def test_labels_of_hours_long_ago_count_after_the_hub_has_restarted(world: LabelledLaboratory) -> None:
    view = world.begin(replace(REQUEST, length_s=60 * 86_400.0))
    world.live(6)
    for arm in view.arms:
        for node in arm.node_names:
            for _ in range(10):
                world.answer(node, arm.version)
    world.clock.advance(20 * 86_400.0)
    world.experiments_of_restarted_hub()

    new = accuracy(world.live(2).arms[1].metrics)

    assert (new.labelled, new.difference) == (50, 0.0)


def accuracy(metrics: list[MetricResult]) -> MetricResult:
    return next(each for each in metrics if each.metric == "accuracy")
