"""What a path holds: files, packages and folders as people keep them."""

import os
from pathlib import Path

import pytest

from e2e.serving_world import write_model
from ganglion.adapters.package_files import pack
from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.entrypoints.models.chosen_target import ChosenTarget
from ganglion.entrypoints.models.model_folder import contents_of
from integration.models import classifier


def names(path: Path) -> list[tuple[str, str, str]]:
    """Return what is found as (model, version, name of the file or folder)."""
    return [
        (source.name, source.version, source.path.name) for source in ChosenTarget().choose(contents_of(path)).sources
    ]


def reasons(path: Path) -> dict[str, str]:
    return {each.path.name: each.reason for each in ChosenTarget().choose(contents_of(path)).unusable}


def test_a_model_file_is_a_model_of_its_name(tmp_path: Path) -> None:
    assert names(classifier(tmp_path / "gate 3.onnx")) == [("gate-3", "1", "gate 3.onnx")]


def test_a_package_is_named_by_its_manifest_in_both_forms(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "packages", name="meter", version="7", seed=1)
    pack(directory, tmp_path / "anything.ganglion")

    assert names(directory) == [("meter", "7", "7")]
    assert names(tmp_path / "anything.ganglion") == [("meter", "7", "anything.ganglion")]


def test_a_folder_of_files_is_a_model_each_and_everything_else_is_left_alone(tmp_path: Path) -> None:
    classifier(tmp_path / "b.onnx")
    classifier(tmp_path / "a.onnx")
    classifier(tmp_path / ".hidden.onnx")
    for other in ("LICENSE", "labels.txt", "a.onnx.sha256"):
        (tmp_path / other).write_text("text")
    (tmp_path / "notes.xml").write_text("<notes/>")
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / "a.npz").write_bytes(b"")

    assert names(tmp_path) == [("a", "1", "a.onnx"), ("b", "1", "b.onnx")]
    assert reasons(tmp_path) == {}


def test_what_is_neither_a_file_nor_a_folder_is_refused_in_these_words(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate.onnx")

    with pytest.raises(InvalidRequest, match="neither a file nor a folder"):
        contents_of(tmp_path / "gate.onnx")


def test_an_xml_file_that_holds_a_net_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "gate.xml").write_text('<?xml version="1.0"?>\n<net name="gate" version="11"></net>')

    assert names(tmp_path) == [("gate", "1", "gate.xml")]


def test_subfolders_with_numbers_are_versions_and_the_newest_comes_last(tmp_path: Path) -> None:
    for version in ("1", "10", "9"):
        (tmp_path / "gate" / version).mkdir(parents=True)
        classifier(tmp_path / "gate" / version / "model.onnx")

    assert names(tmp_path) == [("gate", version, "model.onnx") for version in ("1", "9", "10")]
    assert names(tmp_path / "gate") == names(tmp_path)


def test_a_version_that_is_no_model_costs_itself_alone_and_is_named(tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        (tmp_path / "gate" / version).mkdir(parents=True)
        classifier(tmp_path / "gate" / version / "model.onnx")
    (tmp_path / "gate" / "2" / "manifest.json").write_text("{}")

    assert [version for _, version, _ in names(tmp_path)] == ["1", "3"]
    assert list(reasons(tmp_path)) == ["2"]


def test_a_folder_with_one_model_file_is_a_model_of_the_folders_name(tmp_path: Path) -> None:
    (tmp_path / "gate").mkdir()
    classifier(tmp_path / "gate" / "model.onnx")

    assert names(tmp_path) == [("gate", "1", "model.onnx")]


def test_a_folder_with_several_model_files_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "gate").mkdir()
    classifier(tmp_path / "gate" / "a.onnx")
    classifier(tmp_path / "gate" / "b.onnx")
    classifier(tmp_path / "good.onnx")

    assert names(tmp_path) == [("good", "1", "good.onnx")]
    assert "a.onnx, b.onnx" in reasons(tmp_path)["gate"]


def test_of_two_with_the_same_name_the_first_wins_and_the_second_is_named(tmp_path: Path) -> None:
    classifier(tmp_path / "gate.onnx")
    (tmp_path / "gate.tflite").write_bytes(b"")

    assert names(tmp_path) == [("gate", "1", "gate.onnx")]
    assert "gate:1 already" in reasons(tmp_path)["gate.tflite"]


def test_a_damaged_package_is_a_reason_and_not_the_end(tmp_path: Path) -> None:
    classifier(tmp_path / "good.onnx")
    (tmp_path / "bad.ganglion").write_bytes(b"no archive")
    (tmp_path / "worse").mkdir()
    (tmp_path / "worse" / "manifest.json").write_text("{}")

    assert names(tmp_path) == [("good", "1", "good.onnx")]
    assert reasons(tmp_path).keys() == {"bad.ganglion", "worse"}


def test_a_path_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no"):
        contents_of(tmp_path / "gate.onnx")


def test_a_folder_without_models_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no model"):
        contents_of(tmp_path)


def test_a_file_that_is_no_model_is_refused_with_the_names_that_would_do(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    file.write_bytes(b"")

    with pytest.raises(InvalidRequest, match=r"\.onnx, \.tflite, \.xml, \.ganglion"):
        contents_of(file)
