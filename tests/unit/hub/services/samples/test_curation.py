import hashlib
import json
import math
from collections.abc import Mapping

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from ganglion.core import npy
from ganglion.core.errors import Conflict, InvalidName, InvalidRequest, NotFound, TooLarge
from ganglion.core.ids import Digest
from ganglion.core.steps import Tensor
from ganglion.hub.services.records.ingest import Ingest
from ganglion.hub.services.samples.curation import Curation, CurationLimits
from ganglion.ports.hub_store import NodeRow
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_files import MemoryArtifactStore
from ganglion.testing.memory_store import MemoryControlStore, MemoryTelemetryStore
from ganglion.wire.records import SampleRecord
from ganglion.wire.resources import DatasetRequest, LabelRequest
from ganglion.wire.rollout_resources import JudgedVersion
from unit.hub.records import batch, envelope, sample

LIMITS = CurationLimits(samples_max=300, values_shown_max=8, labels_max=3, label_length_max=10, dataset_bytes_max=2_000)
BUILD = DatasetRequest("meters", "digits")


class World:
    """A hub with one node, and samples on request."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.control = MemoryControlStore()
        self.telemetry = MemoryTelemetryStore()
        self.artifacts = MemoryArtifactStore()
        self.curation = Curation(
            control=self.control, telemetry=self.telemetry, artifacts=self.artifacts, clock=clock, limits=LIMITS
        )
        with self.control.write() as tx:
            tx.put_node(NodeRow("n1", "north", "s", "z", "00", "x-1", b"{}", 1.0))

    def keep(self, *samples: SampleRecord, node_id: str = "n1", epoch: str = "e1") -> None:
        """Let a node send samples; the times are 1 s, 2 s, … after 1970."""
        records = [envelope(seq, record, at_ns=seq * 10**9) for seq, record in enumerate(samples, start=1)]
        Ingest(telemetry=self.telemetry, clock=self.clock).store(node_id, batch(records, epoch=epoch))

    def label(self, words: Mapping[str, str], *, by: str = "ada") -> int:
        return self.curation.label([LabelRequest(name, word) for name, word in words.items()], by=by)


@pytest.fixture
def world(clock: FakeClock) -> World:
    return World(clock)


def image(value: float, *, size: int = 4) -> Tensor:
    return np.full((1, size), value, np.float32)


def test_a_sample_is_shown_with_its_node_prediction_and_input(world: World) -> None:
    world.keep(sample(image(0.5)))

    (view,) = world.curation.samples()

    assert (view.sample_id, view.node, view.at_s, view.prediction, view.label) == ("n1-e1-1", "north", 1.0, "7", "")
    shown = view.inputs["image"]
    assert (shown.datatype, shown.shape, shown.values) == ("FP32", [1, 4], [0.5] * 4)


def test_the_newest_label_is_shown(world: World) -> None:
    world.keep(sample())

    world.label({"n1-e1-1": "1"})
    world.label({"n1-e1-1": "4"}, by="bob")

    assert [view.label for view in world.curation.samples()] == ["4"]


def test_samples_are_found_by_why_they_were_kept(world: World) -> None:
    doubtful = replace(sample(), reason="low_confidence")
    world.keep(sample(), doubtful, sample(), doubtful)
    world.label({"n1-e1-3": "7"})

    assert [view.at_s for view in world.curation.samples(reason="random")] == [3.0, 1.0]
    assert [view.at_s for view in world.curation.samples(reason="random", unlabelled=True)] == [1.0]
    assert world.curation.samples(reason="beauty") == []


def test_people_say_how_often_each_version_was_right_on_inputs_that_chance_has_kept(world: World) -> None:
    old, new = (replace(sample(), version=version, reason="random") for version in ("1", "2"))
    world.keep(old, old, new, replace(new, reason="low_confidence"))
    world.label({"n1-e1-1": "7", "n1-e1-2": "1", "n1-e1-3": "7"})
    world.label({"n1-e1-4": "1"})

    assert world.curation.judged("digits", since_s=0.0) == [JudgedVersion("1", 1, 2), JudgedVersion("2", 1, 1)]
    assert world.curation.judged("digits", since_s=2.5) == [JudgedVersion("2", 1, 1)]
    assert world.curation.judged("gauges", since_s=0.0) == []


def test_a_new_label_changes_at_once_how_often_a_version_was_right(world: World) -> None:
    world.keep(sample(), sample())
    world.label({"n1-e1-1": "7"})
    assert world.curation.judged("digits", since_s=0.0) == [JudgedVersion("1", 1, 1)]

    world.label({"n1-e1-2": "1"})

    assert world.curation.judged("digits", since_s=0.0) == [JudgedVersion("1", 1, 2)]


def test_samples_come_newest_first_up_to_the_limit(world: World) -> None:
    world.keep(*[sample()] * 4)

    assert [view.at_s for view in world.curation.samples(limit=3)] == [4.0, 3.0, 2.0]


def test_samples_are_found_by_model_and_by_node_name_or_id(world: World) -> None:
    world.keep(sample(), sample(model="gauges"))
    world.keep(sample(), node_id="unlisted")

    assert [view.model for view in world.curation.samples(model="gauges")] == ["gauges"]
    assert [view.node for view in world.curation.samples()].count("unlisted") == 1
    assert {view.node for view in world.curation.samples(node_id="north")} == {"north"}
    assert world.curation.samples(node_id="n1") == world.curation.samples(node_id="north")
    with pytest.raises(NotFound, match="south"):
        world.curation.samples(node_id="south")


def test_unlabelled_samples_are_found_behind_many_labelled_ones(world: World) -> None:
    world.keep(*[sample()] * 450)
    for seq in range(3, 451):
        world.label({f"n1-e1-{seq}": "7"})

    assert [view.sample_id for view in world.curation.samples(unlabelled=True)] == ["n1-e1-2", "n1-e1-1"]
    assert [view.sample_id for view in world.curation.samples(unlabelled=True, limit=1)] == ["n1-e1-2"]


@pytest.mark.parametrize("limit", [0, -1, 301])
def test_a_limit_out_of_range_is_refused(world: World, limit: int) -> None:
    with pytest.raises(InvalidRequest, match="between 1 and 300"):
        world.curation.samples(limit=limit)


def test_a_large_input_is_listed_without_its_values(world: World) -> None:
    world.keep(sample(image(1.0, size=9)))

    shown = world.curation.samples()[0].inputs["image"]

    assert (shown.shape, shown.values) == ([1, 9], [])


def test_what_is_shown_has_no_number_that_json_lacks(world: World) -> None:
    world.keep(sample(np.array([[math.nan, math.inf]], np.float32), confidence=math.nan))

    text = msgspec.json.encode(world.curation.samples())

    assert "NaN" not in text.decode()
    assert json.loads(text)[0]["inputs"]["image"]["values"][0] == 0.0


def test_the_same_word_of_the_same_person_is_stored_once(world: World) -> None:
    world.keep(sample(), sample())

    first = world.label({"n1-e1-1": "7", "n1-e1-2": "3"})
    again = world.label({"n1-e1-1": "7", "n1-e1-2": "4"})
    other = world.label({"n1-e1-1": "7"}, by="bob")

    assert (first, again, other) == (2, 1, 1)


def test_a_label_on_an_unknown_sample_stores_nothing(world: World) -> None:
    world.keep(sample())

    with pytest.raises(NotFound, match="n1-e1-9"):
        world.label({"n1-e1-1": "7", "n1-e1-9": "7"})

    assert [view.label for view in world.curation.samples()] == [""]


@pytest.mark.parametrize("word", ["", " 7", "7\n", "a\tb", "x" * 11])
def test_a_label_that_is_no_word_is_refused(world: World, word: str) -> None:
    world.keep(sample())

    with pytest.raises(InvalidRequest, match="1 to 10 printable"):
        world.label({"n1-e1-1": word})


def test_too_many_labels_at_once_are_refused(world: World) -> None:
    with pytest.raises(InvalidRequest, match="at most 3"):
        world.label({str(number): "7" for number in range(4)})


def test_a_data_set_holds_every_labelled_sample_of_the_model_in_the_order_of_their_ids(world: World) -> None:
    world.keep(*(sample(image(value)) for value in (0.1, 0.2, 0.3)), sample(image(0.9), model="gauges"))
    world.label({"n1-e1-3": "3", "n1-e1-1": "1", "n1-e1-4": "9"})
    world.label({"n1-e1-3": "8"}, by="bob")

    view = world.curation.build_dataset(BUILD)

    manifest = world.curation.dataset_manifest("meters", 1)
    assert (view.name, view.version, view.samples) == ("meters", 1, 2)
    assert (manifest.model, manifest.samples, manifest.labels) == ("digits", ["n1-e1-1", "n1-e1-3"], ["1", "8"])
    assert (manifest.inputs["image"].datatype, manifest.inputs["image"].shape) == ("FP32", [2, 4])
    stacked = npy.decode(world.artifacts.read(Digest(manifest.inputs["image"].sha256)), what="image")
    assert np.array_equal(stacked, np.concatenate([image(0.1), image(0.3)]))


def test_the_manifest_is_canonical_and_named_by_its_digest(world: World) -> None:
    world.keep(sample())
    world.label({"n1-e1-1": "7"})

    view = world.curation.build_dataset(BUILD)

    data = world.artifacts.read(Digest(view.sha256))
    assert hashlib.sha256(data).hexdigest() == view.sha256
    assert data == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")).encode()


def test_building_the_same_again_gives_the_version_that_is_there(world: World) -> None:
    world.keep(sample())
    world.label({"n1-e1-1": "7"})
    first = world.curation.build_dataset(BUILD)
    world.clock.advance(60)
    world.label({"n1-e1-1": "7"}, by="bob")

    again = world.curation.build_dataset(BUILD)

    assert again == first
    assert world.curation.datasets() == [first]


def test_a_changed_label_makes_the_next_version_and_leaves_the_old_one(world: World) -> None:
    world.keep(sample())
    world.label({"n1-e1-1": "7"})
    first = world.curation.build_dataset(BUILD)
    world.label({"n1-e1-1": "1"})

    second = world.curation.build_dataset(BUILD)

    assert (second.version, world.curation.datasets("meters")) == (2, [second, first])
    assert world.curation.dataset_manifest("meters", 1).labels == ["7"]
    assert world.curation.dataset_manifest("meters", 2).labels == ["1"]


def test_data_sets_are_numbered_on_their_own(world: World) -> None:
    world.keep(sample())
    world.label({"n1-e1-1": "7"})
    world.curation.build_dataset(BUILD)

    other = world.curation.build_dataset(DatasetRequest("others", "digits"))

    assert (other.version, len(world.curation.datasets())) == (1, 2)


def test_nothing_labelled_is_no_data_set(world: World) -> None:
    world.keep(sample(), sample(model="gauges"))
    world.label({"n1-e1-2": "7"})

    with pytest.raises(NotFound, match="digits"):
        world.curation.build_dataset(BUILD)

    assert world.curation.datasets() == []


@pytest.mark.parametrize("other", [np.zeros((1, 5), np.float32), np.zeros((1, 4), np.uint8)], ids=["shape", "datatype"])
def test_samples_that_do_not_fit_each_other_are_no_data_set(world: World, other: Tensor) -> None:
    world.keep(sample(), sample(other))
    world.label({"n1-e1-1": "7", "n1-e1-2": "7"})

    with pytest.raises(Conflict, match="n1-e1-2"):
        world.curation.build_dataset(BUILD)


def test_a_data_set_that_does_not_fit_in_memory_is_refused(world: World) -> None:
    world.keep(sample(image(1.0, size=300)), sample(image(1.0, size=300)))
    world.label({"n1-e1-1": "7", "n1-e1-2": "7"})

    with pytest.raises(TooLarge, match="2000 bytes"):
        world.curation.build_dataset(BUILD)


@pytest.mark.parametrize("request_", [DatasetRequest("../x", "digits"), DatasetRequest("meters", "a/b")])
def test_a_name_that_cannot_be_one_is_refused(world: World, request_: DatasetRequest) -> None:
    with pytest.raises(InvalidName):
        world.curation.build_dataset(request_)


def test_an_unknown_version_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="version 1"):
        world.curation.dataset_manifest("meters", 1)
