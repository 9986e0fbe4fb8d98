"""Directories of processes, on a real file system."""

import tempfile
from pathlib import Path

import pytest

from ganglion.adapters.scratch import PREFIX, scratch_directory


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_directory_goes_with_all_that_is_in_it(parent: Path) -> None:
    with scratch_directory() as path:
        (path / "model").mkdir()
        (path / "model" / "model.onnx").write_bytes(b"weights")

    assert list(parent.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next_one(parent: Path) -> None:
    left = parent / f"{PREFIX}killed"
    left.mkdir()
    (left / "model.onnx").write_bytes(b"weights")

    with scratch_directory() as path:
        assert [*parent.iterdir()] == [path]


def test_directories_that_are_held_are_left_alone(parent: Path) -> None:
    with scratch_directory() as first, scratch_directory() as second:
        assert {*parent.iterdir()} == {first, second}


def test_a_link_to_somebody_elses_directory_is_not_followed(parent: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_bytes(b"kept")
    (parent / f"{PREFIX}link").symlink_to(precious)

    with scratch_directory():
        pass

    assert (precious / "file").read_bytes() == b"kept"
