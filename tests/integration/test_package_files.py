import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ganglion.adapters.package_files import (
    PackageArchives,
    PackageLimits,
    pack,
    read_golden,
    read_manifest,
    write_package,
)
from ganglion.core import manifest as manifests
from ganglion.core.errors import DiskUnusable, GanglionError, InvalidPackage, NotFound
from unit.core.builders import GOLDEN_INPUT, a_manifest, files

BLOCK = 512


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a package directory."""
    path = tmp_path / "meter-1"
    write_package(path, a_manifest(), files())
    return path


@pytest.fixture
def file(tmp_path: Path, directory: Path) -> Path:
    """Return a single-file package."""
    path = tmp_path / "meter-1.ganglion"
    pack(directory, path)
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- the directory form ---------------------------------------------------------------------------


def test_what_was_written_is_read(directory: Path) -> None:
    manifest = read_manifest(directory)
    inputs, outputs = read_golden(directory, manifest)

    assert manifest == a_manifest()
    assert np.array_equal(inputs["x"], GOLDEN_INPUT)
    assert np.array_equal(outputs["scores"], GOLDEN_INPUT)


def test_a_place_without_a_manifest_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no model package"):
        read_manifest(tmp_path)


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def link_out(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def link_to_the_same_bytes(path: Path) -> None:
    copy = path.parent.parent / "copy"
    path.rename(copy)
    path.symlink_to(copy)


@pytest.mark.parametrize("harm", [damage, cut, link_out, link_to_the_same_bytes, Path.unlink])
def test_a_member_that_is_not_the_listed_file_is_refused(directory: Path, harm: Callable[[Path], None]) -> None:
    harm(directory / "model.onnx")

    with pytest.raises(InvalidPackage, match=r"model\.onnx"):
        read_manifest(directory)


def test_a_file_that_is_not_listed_is_refused(directory: Path) -> None:
    (directory / "golden/weights.bin").write_bytes(b"")

    with pytest.raises(InvalidPackage, match=r"golden/weights\.bin is in the package but not"):
        read_manifest(directory)


def test_a_pipe_in_the_place_of_a_member_is_refused_and_not_read(directory: Path) -> None:
    (directory / "model.onnx").unlink()
    os.mkfifo(directory / "model.onnx")

    with pytest.raises(InvalidPackage, match="devices"):
        read_manifest(directory)


def test_golden_files_that_are_no_tensors_are_refused(tmp_path: Path) -> None:
    members = {**files(), "golden/inputs/0.npy": b"\x80\x04pickle"}
    write_package(tmp_path / "p", a_manifest(members), members)

    with pytest.raises(InvalidPackage, match=r"golden/inputs/0\.npy"):
        read_golden(tmp_path / "p", read_manifest(tmp_path / "p"))


def test_a_manifest_that_does_not_list_the_files_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidPackage):
        write_package(tmp_path / "p", a_manifest(), {**files(), "model.onnx": b"others"})

    assert list(tmp_path.iterdir()) == []


# --- the single-file form -------------------------------------------------------------------------


def test_a_packed_package_unpacks_to_the_same_bytes(tmp_path: Path, directory: Path, file: Path) -> None:
    manifest = PackageArchives().unpack(file, tmp_path / "again")

    assert manifest == PackageArchives().inspect(file) == PackageArchives().check(tmp_path / "again")
    assert content(tmp_path / "again") == content(directory)


def test_packing_on_another_day_by_another_user_gives_the_same_bytes(
    tmp_path: Path, directory: Path, file: Path
) -> None:
    for path in directory.rglob("*"):
        path.chmod(0o700)
        os.utime(path, (0, 0))

    pack(directory, tmp_path / "later")

    assert (tmp_path / "later").read_bytes() == file.read_bytes()


def test_other_programs_can_list_it_and_the_manifest_comes_first(file: Path) -> None:
    with tarfile.open(file) as archive:
        names = archive.getnames()

    assert names == ["manifest.json", *sorted(files())]


def test_no_cut_is_taken_for_a_package(tmp_path: Path, file: Path) -> None:
    whole = file.read_bytes()
    for length in (0, 1, BLOCK - 1, BLOCK, 2 * BLOCK, len(whole) // 2, len(whole) - 2 * BLOCK, len(whole) - 1):
        file.write_bytes(whole[:length])

        with pytest.raises(InvalidPackage, match="no intact model package"):
            PackageArchives().unpack(file, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_bytes_added_at_the_end_are_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes() + bytes(BLOCK))

    with pytest.raises(InvalidPackage, match="added to"):
        PackageArchives().inspect(file)


def test_one_changed_byte_in_a_member_is_refused_and_nothing_is_left(tmp_path: Path, file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"weights", b"weightz"))

    with pytest.raises(InvalidPackage, match=r"model\.onnx is damaged"):
        PackageArchives().unpack(file, tmp_path / "out")

    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_bytes_hidden_between_members_are_refused(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(b"weights") + len(b"weights")] = 1
    file.write_bytes(data)

    with pytest.raises(InvalidPackage, match="between the members"):
        PackageArchives().inspect(file)


@pytest.mark.parametrize("data", [b"PK\x03\x04" + bytes(2000), b"\x80\x04.", b"{}", bytes(10_240)])
def test_a_file_of_another_kind_is_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)

    with pytest.raises(InvalidPackage, match=r"does not begin with manifest\.json"):
        PackageArchives().inspect(file)


def entry(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.size, made.mode, made.type, made.linkname = len(data), 0o644, kind, link
    return made, data


def archive_of(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for made, data in entries:
            archive.addfile(made, io.BytesIO(data))
    return buffer.getvalue()


MANIFEST = entry("manifest.json", manifests.encode(a_manifest()))
REST = [entry(path, data) for path, data in sorted(files().items())]


@pytest.mark.parametrize(
    "entries",
    [
        [MANIFEST, *REST, entry("../escape", b"x")],
        [MANIFEST, *REST, entry("/escape", b"x")],
        [MANIFEST, *REST, REST[-1]],
        [MANIFEST, *REST, MANIFEST],
        [MANIFEST, *REST[:-1], entry("model.onnx", kind=tarfile.SYMTYPE, link="/etc/passwd")],
        [MANIFEST, *REST[:-1], entry("model.onnx", kind=tarfile.LNKTYPE, link="golden/inputs/0.npy")],
        [MANIFEST, *REST[:-1], entry("model.onnx", kind=tarfile.CHRTYPE)],
        [MANIFEST, *REST[:-1], entry("model.onnx", kind=tarfile.FIFOTYPE)],
        [MANIFEST, entry("golden", kind=tarfile.DIRTYPE), *REST],
        [MANIFEST, *REST[:-1]],
        [MANIFEST, *reversed(REST)],
        [*REST, MANIFEST],
        [MANIFEST, *REST, entry("weights.bin", b"x")],
    ],
)
def test_an_archive_that_is_not_exactly_the_listed_files_in_order_is_refused(
    tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    (tmp_path / "bad").write_bytes(archive_of(*entries))

    with pytest.raises(InvalidPackage):
        PackageArchives().unpack(tmp_path / "bad", tmp_path / "out")

    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


def test_a_file_over_the_limit_is_refused_before_it_is_read(file: Path) -> None:
    with pytest.raises(InvalidPackage, match="file_bytes_max"):
        PackageArchives(PackageLimits(file_bytes_max=100)).inspect(file)


def test_a_manifest_that_claims_gigabytes_allocates_nothing(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[124:136] = b"77777777777\0"
    file.write_bytes(data)

    with pytest.raises(InvalidPackage, match="does not begin"):
        PackageArchives().inspect(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nothing\.ganglion"):
        PackageArchives().inspect(tmp_path / "nothing.ganglion")


# --- whole or not at all --------------------------------------------------------------------------


def test_what_an_interrupted_attempt_left_does_not_stop_the_next(tmp_path: Path, directory: Path, file: Path) -> None:
    stale = tmp_path / ".out.partial"
    stale.mkdir()
    (stale / "model.onnx").write_bytes(b"half")

    PackageArchives().unpack(file, tmp_path / "out")

    assert content(tmp_path / "out") == content(directory)
    assert not stale.exists()


def test_a_damaged_package_in_the_way_is_replaced(tmp_path: Path, directory: Path, file: Path) -> None:
    PackageArchives().unpack(file, tmp_path / "out")
    (tmp_path / "out/model.onnx").write_bytes(b"rotten!")

    PackageArchives().unpack(file, tmp_path / "out")

    assert content(tmp_path / "out") == content(directory)


def test_the_same_package_in_place_is_left_alone(tmp_path: Path, file: Path) -> None:
    PackageArchives().unpack(file, tmp_path / "out")
    before = (tmp_path / "out/model.onnx").stat().st_ino

    PackageArchives().unpack(file, tmp_path / "out")

    assert (tmp_path / "out/model.onnx").stat().st_ino == before


def test_a_place_that_cannot_be_written_is_told_as_such(tmp_path: Path, directory: Path, file: Path) -> None:
    (tmp_path / "occupied").write_bytes(b"a file")

    with pytest.raises(DiskUnusable, match="occupied"):
        PackageArchives().unpack(file, tmp_path / "occupied" / "out")
    with pytest.raises(DiskUnusable, match="occupied"):
        pack(directory, tmp_path / "occupied" / "p.ganglion")


def test_a_failed_pack_leaves_the_old_file(tmp_path: Path, directory: Path, file: Path) -> None:
    before = file.read_bytes()
    damage(directory / "model.onnx")

    with pytest.raises(GanglionError):
        pack(directory, file)

    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["meter-1", "meter-1.ganglion"]
