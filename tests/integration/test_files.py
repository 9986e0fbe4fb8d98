import multiprocessing
import os
import stat
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ganglion.adapters.files import DirectoryFiles, KeyFiles, lock_directory, replace_file
from ganglion.core.errors import DataCorrupt, DataInUse, DiskUnusable, InvalidName

DEADLINE_S = 20.0


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make every sync fail, as a full disk does at the latest."""

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        yield


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_replaced_whole_and_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    replace_file(path, b"old")

    replace_file(path, b"new", mode=0o600)

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names_in(tmp_path) == ["state.json"]


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")

    with pytest.raises(DiskUnusable, match="No space left"):
        replace_file(path, b"new")

    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["state.json"]


def test_a_directory_that_cannot_be_written_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(DiskUnusable, match=r"file/state\.json"):
        replace_file(tmp_path / "file" / "state.json", b"new")


def test_the_content_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        steps.append("sync directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        real_sync(descriptor)

    def replace(path: Path, target: Path) -> Path:
        steps.append("name")
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    replace_file(tmp_path / "state.json", b"new")

    assert steps == ["sync file", "name", "sync directory"]


def test_a_locked_directory_is_refused_with_the_holder(tmp_path: Path) -> None:
    lock = lock_directory(tmp_path / "data")

    with pytest.raises(DataInUse, match=f"process {os.getpid()}"):
        lock_directory(tmp_path / "data")

    lock.release()
    lock.release()
    lock_directory(tmp_path / "data").release()


def hold_until_told(path: Path, pipe: Connection) -> None:
    lock = lock_directory(path)
    pipe.send("held")
    pipe.recv()
    lock.release()


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    ours, theirs = multiprocessing.Pipe()
    holder = multiprocessing.get_context("spawn").Process(target=hold_until_told, args=(tmp_path, theirs))
    holder.start()
    assert ours.poll(DEADLINE_S)

    with pytest.raises(DataInUse, match=f"process {holder.pid}"):
        lock_directory(tmp_path)
    holder.kill()
    holder.join(DEADLINE_S)

    lock_directory(tmp_path).release()


def test_metadata_files_are_read_back(tmp_path: Path) -> None:
    files = DirectoryFiles(tmp_path / "tuf" / "metadata")

    files.write("1.root.json", b"one")
    files.write("timestamp.json", b"old")
    files.write("timestamp.json", b"new")

    assert (files.read("1.root.json"), files.read("timestamp.json"), files.read("2.root.json")) == (
        b"one",
        b"new",
        None,
    )


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "../root.json", "a/b", "a\nb", "a\0b", "x" * 201])
def test_a_name_cannot_leave_the_directory(tmp_path: Path, name: str) -> None:
    files = DirectoryFiles(tmp_path)

    with pytest.raises(InvalidName):
        files.read(name)
    with pytest.raises(InvalidName):
        files.write(name, b"")


def test_what_a_crash_left_half_written_is_removed_at_the_next_start(tmp_path: Path) -> None:
    DirectoryFiles(tmp_path).write("root.json", b"{}")
    (tmp_path / ".unfinished-abc").write_bytes(b"ha")

    DirectoryFiles(tmp_path)

    assert names_in(tmp_path) == ["root.json"]


def test_a_key_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    root = tmp_path / "keys"

    made = KeyFiles(root).private_bytes("timestamp")

    assert KeyFiles(root).private_bytes("timestamp") == made
    assert KeyFiles(root).private_bytes("root") != made
    assert Ed25519PrivateKey.from_private_bytes(made).private_bytes_raw() == made
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()} == {0o600}


def test_threads_that_need_a_key_first_get_the_same(tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path)
    got: list[bytes] = []

    threads = [Thread(target=lambda: got.append(keys.private_bytes("root"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)

    assert len(got) == 8
    assert set(got) == {(tmp_path / "root.key").read_bytes()}


def test_a_damaged_key_is_reported_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "root.key").write_bytes(b"short")

    with pytest.raises(DataCorrupt, match=r"root\.key"):
        KeyFiles(tmp_path).private_bytes("root")

    assert (tmp_path / "root.key").read_bytes() == b"short"


def test_a_directory_is_locked_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", refuse)
    lock = lock_directory(tmp_path)

    with pytest.raises(DataInUse):
        lock_directory(tmp_path)
    lock.release()


def test_a_directory_that_was_locked_before_is_locked_on_a_read_only_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_directory(tmp_path).release()
    open_file = os.open

    def refuse_to_write(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise OSError(30, "Read-only file system")
        return open_file(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse_to_write)
    lock = lock_directory(tmp_path)

    with pytest.raises(DataInUse):
        lock_directory(tmp_path)
    lock.release()
