import hashlib
import os
import stat
from pathlib import Path
from threading import Thread

import pytest

from ganglion.adapters.artifact_files import ArtifactFiles
from ganglion.core.errors import DataCorrupt, DiskUnusable, NotFound
from ganglion.core.ids import Digest
from ganglion.ports.artifacts import ArtifactStore

CONTENT = b"weights" * 1000
DIGEST = Digest(hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactFiles:
    return ArtifactFiles(tmp_path / "artifacts")


def files_under(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"X" + path.read_bytes()[1:])


def test_content_is_found_by_its_digest(artifacts: ArtifactFiles) -> None:
    store: ArtifactStore = artifacts

    digest = store.put(CONTENT)

    assert (digest, store.read(digest)) == (DIGEST, CONTENT)
    assert store.path(digest).read_bytes() == CONTENT
    assert stat.S_IMODE(store.path(digest).stat().st_mode) == 0o444


def test_putting_the_same_content_again_changes_nothing(artifacts: ArtifactFiles, tmp_path: Path) -> None:
    artifacts.put(CONTENT)
    artifacts.put(CONTENT)

    assert files_under(tmp_path / "artifacts") == [f"{DIGEST[:2]}/{DIGEST}"]


def test_a_file_is_taken_in_and_stays_where_it_was(artifacts: ArtifactFiles, tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(CONTENT)

    digest = artifacts.put_file(file)

    assert (digest, artifacts.read(digest), file.read_bytes()) == (DIGEST, CONTENT, CONTENT)


def test_unknown_content_is_not_found(artifacts: ArtifactFiles) -> None:
    with pytest.raises(NotFound, match=DIGEST):
        artifacts.path(DIGEST)
    with pytest.raises(NotFound, match=DIGEST):
        artifacts.read(DIGEST)


def test_damaged_content_is_moved_aside_and_can_be_put_again(artifacts: ArtifactFiles) -> None:
    artifacts.put(CONTENT)
    damage(artifacts.path(DIGEST))

    with pytest.raises(DataCorrupt) as caught:
        artifacts.read(DIGEST)

    aside = Path(caught.value.message.rpartition(" ")[2])
    assert aside.read_bytes()[:1] == b"X"
    with pytest.raises(NotFound):
        artifacts.read(DIGEST)
    artifacts.put(CONTENT)
    assert artifacts.read(DIGEST) == CONTENT


def test_putting_content_heals_a_damaged_copy(artifacts: ArtifactFiles) -> None:
    artifacts.put(CONTENT)
    damage(artifacts.path(DIGEST))

    artifacts.put(CONTENT)

    assert artifacts.read(DIGEST) == CONTENT


def test_a_full_disk_leaves_nothing_behind(
    artifacts: ArtifactFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(DiskUnusable, match="No space left"):
            artifacts.put(CONTENT)

    assert files_under(tmp_path / "artifacts") == []


def test_a_place_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_bytes(b"")

    with pytest.raises(DiskUnusable, match="artifacts"):
        ArtifactFiles(tmp_path / "artifacts")


def test_what_a_crash_left_half_written_is_removed_at_the_next_start(tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    ArtifactFiles(root).put(CONTENT)
    (root / "unfinished" / "tmp1").write_bytes(b"half")

    artifacts = ArtifactFiles(root)

    assert files_under(root) == [f"{DIGEST[:2]}/{DIGEST}"]
    assert artifacts.read(DIGEST) == CONTENT


def test_threads_can_put_the_same_content_at_once(artifacts: ArtifactFiles) -> None:
    got: list[Digest] = []

    threads = [Thread(target=lambda: got.append(artifacts.put(CONTENT))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20.0)

    assert got == [DIGEST] * 8
    assert artifacts.read(DIGEST) == CONTENT
