"""Training and retraining for real, on scikit-learn's bundled handwriting."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # it ships no types

from ganglion.adapters.onnxruntime import OnnxRuntime
from ganglion.adapters.package_files import PackageArchives
from ganglion.core.errors import CheckFailed, InvalidRequest, NotFound, NotGoodEnough
from ganglion.core.manifest import Manifest
from ganglion.core.steps import Scale
from ganglion.entrypoints.cli import model
from ganglion.entrypoints.learning import (
    InputSettings,
    LabelledDataset,
    LearningSettings,
    TrainedVersion,
    retrain_version,
    train_version,
)
from ganglion.entrypoints.models import local_packages
from ganglion.factory.domain import rows
from ganglion.factory.domain.ladder import LadderSettings
from ganglion.factory.domain.rows import LabelledRows, make_rows
from ganglion.factory.steps.data_file import read_rows
from ganglion.factory.steps.measure import MeasureSettings
from ganglion.factory.steps.quantise import quantise
from ganglion.factory.steps.train import TrainSettings, train
from ganglion.factory.steps.version import VersionSettings
from ganglion.wire.resources import DatasetManifest
from integration.models import classifier

DIGITS = load_digits()
LABELS = list(range(10))
PIXELS = InputSettings(scale=1 / 16, image=(8, 8))


def some_digits(first: int, last: int, *, labels: np.ndarray | None = None) -> LabelledRows:
    y = DIGITS.target if labels is None else labels
    return make_rows(DIGITS.images[first:last], y[first:last], LABELS)


def quick(*, speed_ratio_min: float = 0.0, accuracy_loss_max: float = 1.0, optimise: bool = True) -> LearningSettings:
    """Return settings for a small net that is trained in a moment; by default INT8 is kept whatever it does."""
    version = VersionSettings(
        train=TrainSettings(hidden=(32,), epochs_max=120),
        measure=MeasureSettings(rounds=3, calls_per_round=3),
        ladder=LadderSettings(accuracy_loss_max=accuracy_loss_max, speed_ratio_min=speed_ratio_min),
        optimise=optimise,
        calibration_rows_max=64,
    )
    return LearningSettings(version=version)


HELD_OUT = some_digits(1200, 1797)


def save_rows(file: Path, rows: LabelledRows) -> None:
    """Write rows as people do."""
    np.savez_compressed(file, x=rows.x, y=np.array(rows.y), labels=np.array(rows.labels))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> TrainedVersion:
    """Return a first version, trained on few labels."""
    return train_version(
        "meter",
        "1",
        some_digits(0, 150),
        directory=tmp_path_factory.mktemp("first"),
        held_out=HELD_OUT,
        inputs=PIXELS,
        settings=quick(),
    )


def a_dataset(first_row: int, last_row: int, *, labels: np.ndarray | None = None) -> LabelledDataset:
    named = [str(label) for label in (DIGITS.target if labels is None else labels)[first_row:last_row]]
    manifest = DatasetManifest("meter-labels", 3, "meter", {}, named, [f"s{index}" for index in range(len(named))])
    return LabelledDataset(manifest, {"pixels": DIGITS.data[first_row:last_row].astype(np.float32)})


# --- training -------------------------------------------------------------------------------------


def test_a_trained_package_proves_itself_and_answers_as_its_report_says(first: TrainedVersion) -> None:
    with local_packages.open_package(first.package_file) as package:
        assert package.prove().passed
        answer = package.pipeline().answer({"pixels": HELD_OUT.x[:50]})

    right = [prediction.label == truth for prediction, truth in zip(answer.predictions, HELD_OUT.y, strict=False)]
    assert sum(right) / 50 > 0.6
    assert 0.6 < first.report.accuracy < 1.0


def test_the_manifest_says_where_the_version_came_from(first: TrainedVersion) -> None:
    manifest = first.manifest

    assert manifest.preprocess == (Scale("pixels", 1 / 16),)
    assert manifest.inputs[0].image == (8, 8)
    assert manifest.labels == tuple(map(str, LABELS))
    assert manifest.lineage.data == rows.digest(some_digits(0, 150))
    assert manifest.lineage.code.startswith("ganglion ")
    assert manifest.lineage.metrics == {"accuracy": first.report.accuracy}
    assert manifest.drift is not None
    assert sum(manifest.drift.confidence.counts) == first.report.judged_rows
    assert sum(manifest.drift.inputs["pixels"].counts) == len(HELD_OUT) - first.report.judged_rows


def test_int8_is_a_fraction_of_the_size_and_for_this_machine(first: TrainedVersion) -> None:
    baseline, int8 = (rung.attempt for rung in first.report.choice.rungs)

    assert (first.manifest.variant, first.manifest.target.precision) == ("int8", "int8")
    assert first.manifest.target.arch == local_packages.machine_arch()
    assert int8.size_bytes < baseline.size_bytes
    assert int8.latency_us > 0


def test_rows_that_choose_the_variant_do_not_judge_it(first: TrainedVersion) -> None:
    selection = first.report.choice.rungs[0].attempt.comparison

    assert selection is not None
    assert selection.rows + first.report.judged_rows == len(HELD_OUT)


@pytest.mark.parametrize("settings", [quick(speed_ratio_min=1e9), quick(accuracy_loss_max=-1.0), quick(optimise=False)])
def test_int8_that_does_not_earn_its_place_is_left_out(tmp_path: Path, settings: LearningSettings) -> None:
    made = train_version("meter", "1", some_digits(0, 150), directory=tmp_path, held_out=HELD_OUT, settings=settings)

    assert made.manifest.variant == "fp32"
    assert made.manifest.target.arch == "any"
    assert made.package_file == tmp_path / "meter-1-fp32.ganglion"


def test_the_same_rows_and_seed_give_the_same_package(tmp_path: Path) -> None:
    made = [
        train_version(
            "meter",
            "1",
            some_digits(0, 150),
            directory=tmp_path / str(attempt),
            held_out=HELD_OUT,
            settings=quick(optimise=False),
        )
        for attempt in range(2)
    ]

    assert made[0].package_file.read_bytes() == made[1].package_file.read_bytes()


def test_rows_that_are_held_out_are_dropped_from_training_and_counted(tmp_path: Path) -> None:
    made = train_version(
        "meter",
        "1",
        some_digits(0, 200),
        directory=tmp_path,
        held_out=some_digits(150, 400),
        settings=quick(optimise=False),
    )

    assert (made.report.training_rows, made.report.dropped_rows) == (150, 50)


def test_without_held_out_rows_a_share_is_held_out(tmp_path: Path) -> None:
    made = train_version("meter", "1", some_digits(0, 400), directory=tmp_path, settings=quick(optimise=False))

    assert made.report.training_rows == 320
    assert made.report.judged_rows == 40


@pytest.mark.parametrize(
    ("data", "inputs", "reason"),
    [
        (make_rows(np.arange(10).reshape(10, 1), ["a"] * 10), InputSettings(), "two classes"),
        (some_digits(0, 150), InputSettings(image=(9, 9)), "9x9"),
        (make_rows(np.arange(2).reshape(2, 1), ["a", "b"]), InputSettings(), "too few"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_nothing_is_written(
    tmp_path: Path, data: LabelledRows, inputs: InputSettings, reason: str
) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        train_version("meter", "1", data, directory=tmp_path, inputs=inputs, settings=quick())

    assert list(tmp_path.iterdir()) == []


def test_a_class_with_one_row_is_trained_too() -> None:
    x = np.random.default_rng(0).random((600, 4), np.float32)
    y = ("rare", *("a", "b") * 299, "a")

    trained = train(x, y, ("a", "b", "rare"), TrainSettings(hidden=(4,), epochs_max=5))

    assert trained.labels == ("a", "b", "rare")


# --- retraining -----------------------------------------------------------------------------------


def test_more_labels_make_a_better_version_with_a_parent(tmp_path: Path, first: TrainedVersion) -> None:
    made = retrain_version(
        first.package_file,
        some_digits(0, 150),
        a_dataset(150, 900),
        held_out=HELD_OUT,
        directory=tmp_path,
        settings=quick(),
    )

    assert (made.manifest.version, made.manifest.lineage.parent) == ("2", "meter:1")
    assert made.report.comparison is not None
    assert made.report.comparison.won > made.report.comparison.lost
    assert made.manifest.lineage.metrics["parent_accuracy"] == first.report.accuracy
    assert made.manifest.inputs == first.manifest.inputs
    assert made.manifest.preprocess == first.manifest.preprocess
    assert PackageArchives().inspect(made.package_file) == made.manifest


def test_a_model_made_worse_by_wrong_labels_becomes_no_version(tmp_path: Path, first: TrainedVersion) -> None:
    wrong = (DIGITS.target + 1) % 10

    with pytest.raises(NotGoodEnough, match="held-out rows"):
        retrain_version(
            first.package_file,
            some_digits(0, 150),
            a_dataset(150, 900, labels=wrong),
            held_out=HELD_OUT,
            directory=tmp_path,
            settings=quick(),
        )

    assert list(tmp_path.iterdir()) == []


def test_a_version_is_never_made_twice(tmp_path: Path, first: TrainedVersion) -> None:
    with pytest.raises(InvalidRequest, match="current version"):
        retrain_version(
            first.package_file,
            some_digits(0, 150),
            a_dataset(150, 200),
            held_out=HELD_OUT,
            directory=tmp_path,
            version="1",
            settings=quick(),
        )


# --- single steps ---------------------------------------------------------------------------------


def test_a_graph_that_cannot_be_quantised_is_a_failed_check(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")

    with pytest.raises(CheckFailed, match="INT8 quantisation failed"):
        quantise(tmp_path / "bad.onnx", tmp_path / "out.onnx", [])


def test_quantising_leaves_the_root_logger_as_it_was(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), list(root.filters))
    feeds = [{"x": row[None]} for row in np.eye(3, dtype=np.float32)]

    quantise(classifier(tmp_path / "m.onnx"), tmp_path / "out.onnx", feeds)

    assert (root.handlers, root.filters) == before
    engine = OnnxRuntime().load(tmp_path / "out.onnx", threads=1)
    assert np.argmax(engine.infer({"x": np.eye(3, dtype=np.float32)})["scores"], axis=1).tolist() == [0, 1, 2]


def test_a_data_file_is_read_as_numpy_wrote_it(tmp_path: Path) -> None:
    save_rows(tmp_path / "rows.npz", some_digits(0, 20))

    again = read_rows(tmp_path / "rows.npz")

    assert np.array_equal(again.x, some_digits(0, 20).x)
    assert (again.y, again.labels) == (some_digits(0, 20).y, some_digits(0, 20).labels)


def test_data_files_that_are_none_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "only_x.npz", x=np.zeros((2, 2)))
    np.savez(tmp_path / "pickled.npz", x=np.array([object()]), y=np.zeros(1), allow_pickle=True)
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("x,y\n1,2\n")

    for name in ("only_x.npz", "pickled.npz", "one.npy", "text.npz"):
        with pytest.raises(InvalidRequest, match=name):
            read_rows(tmp_path / name)
    with pytest.raises(NotFound):
        read_rows(tmp_path / "none.npz")


# --- the command line -----------------------------------------------------------------------------


def test_the_command_trains_from_a_file_and_reports_every_candidate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "rows.npz", x=DIGITS.images[:300], y=DIGITS.target[:300])
    words = f"train {tmp_path}/rows.npz --name meter --scale 0.0625 --image 8x8 --hidden 32 -d {tmp_path} -o json"

    model.app(args=words.split(), standalone_mode=False)

    shown = json.loads(capsys.readouterr().out)
    assert Path(shown["file"]).is_file()
    assert [candidate["variant"] for candidate in shown["candidates"]] == ["fp32", "int8"]
    assert inspected(Path(shown["file"])).variant == shown["variant"]


@pytest.mark.parametrize("option", [["--image", "8"], ["--image", "axb"], ["--hidden", "0"], ["--hidden", "a,b"]])
def test_options_that_are_no_sizes_are_refused(tmp_path: Path, option: list[str]) -> None:
    save_rows(tmp_path / "rows.npz", some_digits(0, 20))

    with pytest.raises(InvalidRequest, match=option[0]):
        model.app(args=["train", str(tmp_path / "rows.npz"), "--name", "m", *option], standalone_mode=False)


def inspected(file: Path) -> Manifest:
    return PackageArchives().inspect(file)
