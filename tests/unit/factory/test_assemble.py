import itertools

import msgspec
import numpy as np
import pytest

from ganglion.core import golden, npy
from ganglion.core.errors import CheckFailed, InvalidRequest
from ganglion.core.manifest import Manifest
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import Tensors
from ganglion.factory.steps.assemble import assemble, empty_golden
from unit.core.builders import GOLDEN_INPUT, a_manifest, one_hot


class OneHot:
    """A model whose probabilities are its inputs."""

    def infer(self, feeds: Tensors) -> Tensors:
        return one_hot(feeds)


class Restless:
    """A model that never says the same twice."""

    def __init__(self) -> None:
        self._steps = itertools.count()

    def infer(self, feeds: Tensors) -> Tensors:
        return {"scores": feeds["x"] + np.float32(next(self._steps))}


class Silent:
    """A model that answers NaN."""

    def infer(self, feeds: Tensors) -> Tensors:
        return {"scores": feeds["x"] * np.float32("nan")}


def a_draft() -> Manifest:
    return msgspec.structs.replace(a_manifest(), golden=empty_golden(absolute_tolerance=1e-4), members={})


def test_the_golden_outputs_are_what_the_pipeline_answers() -> None:
    content = assemble(a_draft(), b"weights", OneHot(), {"x": GOLDEN_INPUT})

    expected = npy.decode(content.files[golden.golden_of(content.manifest).outputs["scores"]], what="it")
    pipeline = Pipeline(content.manifest, one_hot)
    assert golden.prove(pipeline, {"x": GOLDEN_INPUT}, {"scores": expected}).passed


def test_every_file_is_a_member_and_every_member_a_file() -> None:
    content = assemble(a_draft(), b"weights", OneHot(), {"x": GOLDEN_INPUT})

    assert content.files.keys() == content.manifest.members.keys()
    assert content.files["model.onnx"] == b"weights"


def test_golden_inputs_that_are_not_declared_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        assemble(a_draft(), b"weights", OneHot(), {"y": GOLDEN_INPUT})


@pytest.mark.parametrize("engine", [Restless(), Silent()])
def test_a_model_that_would_fail_its_own_golden_inputs_is_refused(engine: Restless | Silent) -> None:
    with pytest.raises(CheckFailed, match="asked twice"):
        assemble(a_draft(), b"weights", engine, {"x": GOLDEN_INPUT})
