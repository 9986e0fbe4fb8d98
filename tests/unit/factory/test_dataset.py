import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import Tensors
from ganglion.factory.steps.dataset import LabelledDataset, dataset_rows
from ganglion.wire.resources import DatasetManifest
from unit.core.builders import a_manifest, rows

LABELS = ("low", "mid", "high")


def a_dataset(*labels: str, model: str = "meter", arrays: Tensors | None = None) -> LabelledDataset:
    samples = [f"s{index}" for index in range(len(labels))]
    manifest = DatasetManifest("gate", 2, model, {}, list(labels), samples)
    return LabelledDataset(manifest, arrays if arrays is not None else {"x": rows(*[(1, 0, 0)] * len(labels))})


def test_samples_become_rows_under_the_models_labels() -> None:
    made = dataset_rows(a_dataset("low", "high"), a_manifest(), LABELS)

    assert made.y == ("low", "high")
    assert made.labels == LABELS
    assert made.x.shape == (2, 3)


def test_a_misspelt_label_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="hihg"):
        dataset_rows(a_dataset("low", "hihg"), a_manifest(), LABELS)


def test_a_data_set_of_another_model_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="gate:2 is of door"):
        dataset_rows(a_dataset("low", model="door"), a_manifest(), LABELS)


@pytest.mark.parametrize("arrays", [{}, {"x": rows((1, 0, 0))}])
def test_a_data_set_without_an_input_for_every_label_is_refused(arrays: Tensors) -> None:
    with pytest.raises(InvalidRequest, match="for every label"):
        dataset_rows(a_dataset("low", "mid", arrays=arrays), a_manifest(), LABELS)
