"""What a serving node finds out about its inputs after it has answered: quality, rules, strangeness, disagreement."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ganglion.core.manifest import DriftReference, HistogramReference, TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import DecodeImage, Tensors, bytes_tensor
from ganglion.node.services.serving.runs import Package
from ganglion.node.services.serving.versions import LoadedVersion
from ganglion.wire.desired import CollectionSettings
from unit.core.builders import a_manifest
from unit.core.pictures import colours, png
from unit.node.serving_builders import NOTHING_COLLECTED, ServingWorld, manifest_of, package_of, rows, version_of

PLACE = Path("/packages/1")
LOOKS = msgspec.structs.replace(NOTHING_COLLECTED, quality_looks_per_minute=6)


def world_with(**settings: object) -> ServingWorld:
    return ServingWorld(collection=msgspec.structs.replace(NOTHING_COLLECTED, **settings))


def turned(feeds: Tensors) -> Tensors:
    return {"probabilities": feeds["x"][:, ::-1]}


def test_an_input_is_looked_at_after_its_answer_and_aside() -> None:
    world = ServingWorld(collection=LOOKS)
    world.add(version_of("1"))

    answers = world.ask(rows((0.9, math.nan)))

    assert (len(answers), world.journal.looks) == (1, [])
    world.aside.run()
    (look,) = world.journal.looks
    assert (look.model, look.version, look.measures["missing"]) == ("steer", "1", 0.5)


def test_the_first_row_of_a_look_is_counted_over_the_edges_of_the_package() -> None:
    inputs = {"x[0]": HistogramReference((0.0, 0.5, 1.0), (5, 5)), "x[1]": HistogramReference((0.0, 0.5, 1.0), (5, 5))}
    reference = DriftReference(HistogramReference((0.0, 1.0), (10,)), {"left": 10}, inputs)
    pipeline = Pipeline(
        msgspec.structs.replace(manifest_of(), drift=reference), lambda feeds: {"probabilities": feeds["x"]}
    )
    world = ServingWorld(collection=LOOKS)
    world.add(LoadedVersion("1", PLACE, msgspec.structs.replace(package_of(), pipeline=pipeline), element_us=1.0))

    world.ask(rows((0.9, math.nan), (0.1, 0.1)))
    world.aside.run()

    (look,) = world.journal.looks
    assert look.inputs == {"x[0]": (2, 4)}


def test_looks_are_as_many_as_the_settings_say_whatever_comes() -> None:
    world = ServingWorld(collection=LOOKS)
    world.add(version_of("1"))

    for _ in range(600):
        world.ask()
        world.aside.run()
        world.clock.advance(0.1)

    assert len(world.journal.looks) == 6


def test_no_input_is_looked_at_when_nobody_wants_it() -> None:
    world = world_with(quality_looks_per_minute=0)
    world.add(version_of("1"))

    world.ask()
    world.aside.run()

    assert world.journal.records[1:] == []


def test_a_look_that_finds_another_under_way_does_not_take_place() -> None:
    world = ServingWorld(collection=LOOKS)
    world.add(version_of("1"))

    for _ in range(3):
        world.ask()
        world.clock.advance(60.0)
    world.aside.run()

    assert len(world.journal.looks) == 1


def test_a_source_that_repeats_itself_shows_as_no_change() -> None:
    world = ServingWorld(collection=LOOKS)
    world.add(version_of("1"))

    for inputs in (rows((0.9, 0.1)), rows((0.9, 0.1)), rows((0.4, 0.6))):
        world.ask(inputs)
        world.aside.run()
        world.clock.advance(60.0)

    first, second, third = world.journal.looks
    assert "change" not in first.measures
    assert second.measures["change"] == 0.0
    assert third.measures["change"] == pytest.approx(0.5)


def test_a_picture_in_a_file_is_looked_at_as_a_picture() -> None:
    manifest = a_manifest(
        inputs=(TensorSpec("image", "BYTES", (-1,)),), preprocess=(DecodeImage("image"),), prediction=None
    )
    package = Package(
        Pipeline(manifest, lambda feeds: {"scores": feeds["image"].mean(axis=(1, 2), dtype=np.float32)}),
        golden=lambda: ({}, {}),
    )
    world = ServingWorld(collection=LOOKS)
    world.add(LoadedVersion("1", PLACE, package, element_us=1.0))

    world.ask({"image": bytes_tensor([png(colours(16, 16))])})
    world.aside.run()

    assert world.journal.looks[0].measures.keys() >= {"sharpness", "brightness", "covered"}


def test_an_input_is_kept_when_the_rule_asks_about_quality_and_it_is_so() -> None:
    world = world_with(quality_looks_per_minute=6, keep_when="quality.change=0")
    world.add(version_of("1"))

    for number in range(2):
        world.ask(rows((0.9, 0.1)), request_id=f"r{number}")
        world.aside.run()
        world.clock.advance(60.0)

    assert [(each.request_id, each.reason) for each in world.journal.samples] == [("r1", "trigger_rule")]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (CollectionSettings(confidence_below=0.0, random_share=0.0, margin_below=0.2), "small_margin"),
        (CollectionSettings(confidence_below=0.0, random_share=0.0, keep_when="margin<0.2"), "trigger_rule"),
        (
            CollectionSettings(confidence_below=0.0, random_share=0.0, out_of_distribution_above=0.9),
            "out_of_distribution",
        ),
    ],
)
def test_the_row_with_a_reason_is_kept_and_says_it(settings: CollectionSettings, reason: str) -> None:
    reference = DriftReference(HistogramReference((0.0, 0.8, 1.0), (0, 99)), {"left": 50, "right": 49})
    package = package_of()
    judged = msgspec.structs.replace(
        package,
        pipeline=Pipeline(
            msgspec.structs.replace(manifest_of(), drift=reference), lambda feeds: {"probabilities": feeds["x"]}
        ),
    )
    world = ServingWorld(collection=settings)
    world.add(LoadedVersion("1", PLACE, judged, element_us=1.0))

    world.ask(rows((0.9, 0.1)), request_id="plain")
    world.ask(rows((0.95, 0.05), (0.55, 0.45)), request_id="telling")

    (sample,) = world.journal.samples
    assert (sample.request_id, sample.reason) == ("telling", reason)
    assert sample.confidence == pytest.approx(0.55)


def test_chance_is_asked_before_every_other_reason_so_that_its_samples_are_a_picture_of_all_requests() -> None:
    world = world_with(random_share=1.0, confidence_below=0.99, margin_below=0.9, keep_when="margin<0.9")
    world.add(version_of("1"))

    world.ask()

    assert [each.reason for each in world.journal.samples] == ["random"]


def test_a_rule_that_this_release_cannot_read_keeps_nothing_and_stops_nothing() -> None:
    world = world_with(keep_when="colour=red")
    world.add(version_of("1"))

    world.ask()

    assert (len(world.journal.results), world.journal.samples) == (1, [])


def test_an_input_on_which_two_versions_disagree_is_kept() -> None:
    world = world_with(disagreements=True)
    world.add(version_of("1", turned))
    world.add(version_of("2"), compare_with="1")

    world.ask(rows((0.5, 0.5), (0.9, 0.1)), request_id="r1")
    world.lane.run()

    (sample,) = world.journal.samples
    assert (sample.request_id, sample.reason, sample.version, sample.label) == ("r1", "disagreement", "2", "left")
    assert np.frombuffer(sample.inputs["x"].data, "<f4") == pytest.approx([0.9, 0.1])


def test_an_input_that_was_kept_already_is_not_kept_again_over_a_disagreement() -> None:
    world = world_with(disagreements=True, margin_below=0.9)
    world.add(version_of("1", turned))
    world.add(version_of("2"), compare_with="1")

    for _ in range(2):
        world.ask(rows((0.9, 0.1)), request_id="each the same")
    world.lane.run()

    assert [each.reason for each in world.journal.samples] == ["small_margin", "small_margin"]


def test_disagreements_spend_no_more_than_the_budget() -> None:
    world = world_with(disagreements=True, bytes_per_hour=400)
    world.add(version_of("1", turned))
    world.add(version_of("2"), compare_with="1")

    for _ in range(20):
        world.ask(rows((0.9, 0.1)))
        world.lane.run()

    assert len(world.journal.samples) == 1
