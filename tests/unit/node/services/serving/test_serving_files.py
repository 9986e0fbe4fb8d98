"""Models that take files: whose fault a bad one is, where they run, and what is kept of them."""

import math

import msgspec
import numpy as np
import pytest

from ganglion.core.manifest import TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.serving_errors import InputUnusable
from ganglion.core.steps import DecodeImage, Tensors, bytes_tensor, to_bytes
from ganglion.node.services.serving.records import Recorder, RequestName
from ganglion.node.services.serving.runs import Package, run, warm_up
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.wire.desired import CollectionSettings
from ganglion.wire.records import RecordClass, SampleRecord
from unit.core.builders import a_manifest
from unit.core.pictures import colours, png
from unit.node.serving_builders import FakeJournal

PHOTO = bytes_tensor([png(colours(4, 4))])


def a_package() -> Package:
    """Return a model that says how bright a picture is."""

    def infer(feeds: Tensors) -> Tensors:
        return {"scores": feeds["image"].mean(axis=(1, 2), dtype=np.float32)}

    manifest = a_manifest(
        inputs=(TensorSpec("image", "BYTES", (-1,)),), preprocess=(DecodeImage("image"),), prediction=None
    )
    return Package(Pipeline(manifest, infer), golden=lambda: ({"image": PHOTO}, {}))


def test_a_file_that_cannot_be_decoded_is_not_the_models_failure() -> None:
    outcome = run(a_package(), {"image": bytes_tensor([b"hello"])}, FakeClock()).outcome

    assert isinstance(outcome, InputUnusable)


def test_a_model_that_takes_files_never_runs_where_health_checks_are_answered() -> None:
    assert warm_up(a_package(), FakeClock()) == math.inf


@pytest.mark.parametrize(("bytes_per_hour", "kept"), [(10_000_000, 1), (100, 0)])
def test_a_kept_file_is_whole_and_counts_with_its_bytes(bytes_per_hour: int, kept: int) -> None:
    journal = FakeJournal()
    collection = CollectionSettings(confidence_below=0.0, random_share=1.0, bytes_per_hour=bytes_per_hour)
    recorder = Recorder(journal=journal, clock=FakeClock(), chance=SeededChance(1), collection=collection)
    result = run(a_package(), {"image": PHOTO}, FakeClock())

    recorder.consider_sample(RequestName("r", "m", "1"), {"image": PHOTO}, result)

    samples = [
        msgspec.msgpack.decode(payload, type=SampleRecord)
        for record_class, payload in journal.records
        if record_class is RecordClass.SAMPLE
    ]
    assert len(samples) == kept
    assert all(sample.inputs["image"].data == to_bytes(PHOTO) for sample in samples)
