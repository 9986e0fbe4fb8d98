"""Attacks 33 to 38 on the two places where a package comes in: the hub that releases it, the node that takes it."""

import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import anyio
import numpy as np
import pytest
from onnx import ModelProto

from ganglion.adapters.package_files import PackageArchives, pack
from ganglion.adapters.system import node_facts
from ganglion.core import manifest as manifests
from ganglion.core.errors import GanglionError, InvalidPackage
from ganglion.core.manifest import Limits
from ganglion.entrypoints.processes.sandboxes import gated_archives
from ganglion.node.domain.update.reconcile import ModelState
from ganglion.node.domain.update.table import Update, UpdateEvent
from ganglion.node.services.places import Places
from ganglion.node.services.update.effects import UpdateEffects
from ganglion.ports.hub_link import HubLink
from ganglion.ports.serving_control import Command, Done, Load, Reply, ServingStatus
from ganglion.trust.model_files.limits import ModelFileLimits
from ganglion.wire.desired import UpdateState
from integration.sandbox_world import ROWS, a_sandbox, package_of
from unit.node.builders import an_assignment
from unit.trust.onnx_models import (
    a_model,
    allocation_bomb,
    constant,
    custom_operator,
    endless_loop,
    external,
    nested_ifs,
)

BLOCK = 512
SECRET = np.full(3, 42, np.float32).tobytes()
NO_HUB = cast("HubLink", None)  # nobody asks it here
OUT_OF_MEMORY = r"(?i)in the sandbox.*alloc"


class RecordedServing:
    """A serving process that does all it is told, and remembers it."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    async def call(self, command: Command, *, timeout_s: float) -> Reply:
        self.commands.append(command)
        return Done()


class Node:
    """The part of a node that takes a verified package into its serving process."""

    def __init__(self, data: Path) -> None:
        self.places, self.serving = Places(data), RecordedServing()
        self.update = Update(an_assignment("2"), state=UpdateState.VERIFIED)
        self.directory = self.places.package(self.update.assignment)

    def load(self, *, was_committed: bool = False, cpu_s_max: int = 60) -> UpdateEvent:
        """Take the package at `directory`."""
        effects = UpdateEffects(
            link=NO_HUB,
            control=self.serving,
            packages=PackageArchives(),
            sandbox=a_sandbox(cpu_s_max=cpu_s_max),
            places=self.places,
            facts=node_facts(runtimes=("onnxruntime",), release="1"),
            root_version_min=lambda: 1,
            memory_free=lambda: 2_000_000_000,
        )
        update = Update(self.update.assignment, state=UpdateState.VERIFIED, was_committed=was_committed)
        return anyio.run(effects.perform, update, ModelState(), ServingStatus(instance="1", models={})).event


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "node")


def assert_refused(node: Node, reason: str) -> None:
    """The hub does not release the package at the node's place, and the node does not load it."""
    assert_not_released(node.directory, reason)
    assert_not_loaded(node, reason)


def assert_not_released(directory: Path, reason: str) -> None:
    with pytest.raises(InvalidPackage, match=reason):
        released(directory)


def assert_not_loaded(node: Node, reason: str, *, cpu_s_max: int = 60) -> None:
    with pytest.raises(GanglionError, match=reason):
        node.load(cpu_s_max=cpu_s_max)
    assert node.serving.commands == []


def released(directory: Path) -> manifests.Manifest:
    file = directory.with_suffix(".ganglion")
    pack(directory, file)
    return gated_archives(ModelFileLimits()).inspect(file)


def test_an_honest_package_is_released_and_loaded(node: Node) -> None:
    package_of(node.directory, a_model())

    assert released(node.directory).name == "meter"
    assert node.load() is UpdateEvent.LOADED
    assert node.serving.commands == [Load("meter", "2", str(node.directory))]


def test_a_version_with_other_answers_is_not_loaded(node: Node) -> None:
    package_of(node.directory, a_model(), expected=ROWS + 1)

    assert node.load() is UpdateEvent.FAILED
    assert node.serving.commands == []


def test_going_back_to_what_was_committed_needs_no_trial(node: Node) -> None:
    package_of(node.directory, endless_loop())

    assert node.load(was_committed=True) is UpdateEvent.LOADED


# --- 33 external data -----------------------------------------------------------------------------


def test_33_weights_outside_the_package_by_a_relative_path(node: Node, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    package_of(node.directory, a_model(constant(external("../../../../secret"))))

    assert_refused(node, "keeps weights in another file")


def test_33_weights_outside_the_package_by_an_absolute_path(node: Node, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    package_of(node.directory, a_model(initializers=[external(str(tmp_path / "secret"))]))

    assert_refused(node, "keeps weights in another file")


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to], ids=["symbolic", "hard"])
def test_33_weights_outside_the_package_by_a_link(
    node: Node, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    package_of(node.directory, a_model(initializers=[external("weights.bin")]))
    link(node.directory / "weights.bin", tmp_path / "secret")

    assert_refused(node, r"links and devices may not be|weights\.bin is in the package but not in its manifest")


def test_33_a_hard_link_that_the_manifest_lists_is_not_read_either(node: Node, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    package_of(node.directory, a_model(initializers=[external("weights.bin")]), others={"weights.bin": SECRET})
    (node.directory / "weights.bin").unlink()
    os.link(tmp_path / "secret", node.directory / "weights.bin")

    assert_refused(node, "keeps weights in another file")


# --- 34 allocates without end, runs without end ---------------------------------------------------


def test_34_a_file_of_150_bytes_that_takes_8_gib_is_never_loaded(node: Node) -> None:
    bomb = allocation_bomb(1 << 31)
    package_of(node.directory, bomb)

    assert len(bomb.SerializeToString()) < 200
    assert released(node.directory)  # Nothing in its structure tells.
    assert_not_loaded(node, OUT_OF_MEMORY)


def test_34_not_even_when_its_manifest_asks_for_that_much(node: Node) -> None:
    package_of(node.directory, allocation_bomb(1 << 31), limits=Limits(memory_bytes_max=100_000_000_000))

    assert_not_loaded(node, OUT_OF_MEMORY)


def test_34_an_endless_loop_is_refused(node: Node) -> None:
    package_of(node.directory, endless_loop())

    assert_refused(node, "'Loop' may never end")


def test_34_an_endless_loop_that_its_manifest_allows_is_ended(node: Node) -> None:
    package_of(node.directory, endless_loop(), limits=Limits(loops_allowed=True))

    assert released(node.directory)
    assert_not_loaded(node, "used more than 1 s of processor time", cpu_s_max=1)


def test_34_branches_nested_25_deep_are_refused(node: Node) -> None:
    package_of(node.directory, nested_ifs(25))

    assert_refused(node, "nested deeper than 8")


# --- 35 foreign code ------------------------------------------------------------------------------


def test_35_an_operator_of_an_unknown_domain(node: Node) -> None:
    package_of(node.directory, custom_operator("com.example"))

    assert_refused(node, "domain 'com.example', which needs a native library")


@pytest.mark.parametrize("name", ["libops.so", "ops.dll", "weights.bin"])
def test_35_a_bundled_native_library(node: Node, name: str) -> None:
    package_of(node.directory, a_model(), others={name: b"\x7fELF\x02\x01\x01" + bytes(57)})

    assert_refused(node, f"^(in the sandbox: )?{name}")


# --- 36 pickle under another name -----------------------------------------------------------------


class Code:
    """What a pickle runs when it is read: it makes a file."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._mark,)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["model.onnx", "extra.bin", "extra.npy"])
def test_36_a_pickle_under_another_name(node: Node, name: str, protocol: int) -> None:
    mark = node.directory / "the-pickle-ran"
    code = pickle.dumps(Code(mark), protocol)
    package_of(
        node.directory, code if name == "model.onnx" else a_model(), others={} if name == "model.onnx" else {name: code}
    )

    assert_refused(node, f"{name} is not what its name says: it is a Python pickle")
    assert not mark.exists()


def test_36_an_array_of_objects(node: Node) -> None:
    mark, buffer = node.directory / "the-array-ran", io.BytesIO()
    np.save(buffer, np.array([Code(mark)], object), allow_pickle=True)
    package_of(node.directory, a_model(), others={"extra.npy": buffer.getvalue()})

    assert_refused(node, r"extra\.npy is no \.npy of plain numbers")
    assert not mark.exists()


# --- 37 archives ----------------------------------------------------------------------------------


def entry(name: str, data: bytes = b"", **fields: object) -> bytes:
    header = tarfile.TarInfo(name)
    header.size, header.mode = len(data), 0o644
    for field, value in fields.items():
        setattr(header, field, value)
    return header.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK)


def honest_archive(tmp_path: Path) -> bytes:
    file = tmp_path / "honest.ganglion"
    pack(package_of(tmp_path / "honest", a_model()), file)
    return file.read_bytes()


TAMPERED: dict[str, bytes] = {
    "a second model.onnx": entry("model.onnx", a_model().SerializeToString()),
    "a device": entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "a symbolic link": entry("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": entry("link", type=tarfile.LNKTYPE, linkname="model.onnx"),
    "a pipe": entry("pipe", type=tarfile.FIFOTYPE),
    "a path outside": entry("../outside", b"x"),
    "a sparse file of a terabyte": entry("large", type=b"S"),
}


@pytest.mark.parametrize("extra", TAMPERED.values(), ids=list(TAMPERED))
@pytest.mark.parametrize("place", ["first", "last"])
def test_37_entries_that_no_package_has(tmp_path: Path, extra: bytes, place: str) -> None:
    honest = honest_archive(tmp_path)
    end = len(honest) - 2 * BLOCK
    data = extra + honest if place == "first" else honest[:end] + extra + honest[end:]
    (tmp_path / "bad.ganglion").write_bytes(data)

    assert_not_unpacked(tmp_path / "bad.ganglion", tmp_path / "out")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_37_a_compressed_archive_is_no_package_so_none_grows_a_thousandfold(tmp_path: Path, mode: str) -> None:
    with tarfile.open(tmp_path / "bomb.ganglion", mode) as archive:  # type: ignore[call-overload]  # the modes are literals
        header = tarfile.TarInfo("model.onnx")
        header.size = 20_000_000
        archive.addfile(header, io.BytesIO(bytes(header.size)))
    assert (tmp_path / "bomb.ganglion").stat().st_size * 500 < header.size

    assert_not_unpacked(tmp_path / "bomb.ganglion", tmp_path / "out")


def test_37_a_package_never_unpacks_to_more_than_its_own_size(tmp_path: Path) -> None:
    (tmp_path / "p.ganglion").write_bytes(honest_archive(tmp_path))

    gated_archives(ModelFileLimits()).unpack(tmp_path / "p.ganglion", tmp_path / "out")

    unpacked = sum(file.stat().st_size for file in (tmp_path / "out").rglob("*") if file.is_file())
    assert unpacked < (tmp_path / "p.ganglion").stat().st_size


def test_37_a_manifest_that_promises_more_than_the_file_holds(tmp_path: Path) -> None:
    honest = honest_archive(tmp_path)
    size = len(a_model().SerializeToString())
    lying = honest.replace(f'"size_bytes": {size}'.encode(), f'"size_bytes": {9 * 10 ** (len(str(size)) - 1)}'.encode())
    (tmp_path / "bad.ganglion").write_bytes(lying)
    assert lying != honest

    assert_not_unpacked(tmp_path / "bad.ganglion", tmp_path / "out")


def assert_not_unpacked(file: Path, directory: Path) -> None:
    for archives in (PackageArchives(), gated_archives(ModelFileLimits())):
        with pytest.raises(InvalidPackage):
            archives.unpack(file, directory)
        with pytest.raises(InvalidPackage):
            archives.inspect(file)
    assert not directory.exists()
    assert not [path for path in directory.parent.iterdir() if ".partial" in path.name]


# --- 38 manifests ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace(b"{\n", b'{"name": "other",\n', 1), "'name' stands twice"),
        (
            lambda text: text.replace(b'"batch_max": 64', b'"batch_max": 64, "batch_max": 65536'),
            "'batch_max' stands twice",
        ),
        (lambda text: text.replace(b'"absolute_tolerance": 0.0001', b'"absolute_tolerance": NaN'), "NaN is not JSON"),
        (lambda text: text.replace(b'"absolute_tolerance": 0.0001', b'"absolute_tolerance": 1e999'), "out of range"),
        (lambda text: b"[" * 100_000 + b"]" * 100_000, "nested deeper than 64"),
        (lambda text: text.replace(b'"labels": []', b'"labels": ' + b"[" * 100_000 + b"]" * 100_000), "nested deeper"),
    ],
    ids=["name twice", "limit twice", "NaN", "infinity", "100,000 deep", "100,000 deep inside"],
)
def test_38_a_manifest_that_can_be_read_in_two_ways_or_never(
    node: Node, change: Callable[[bytes], bytes], reason: str
) -> None:
    directory = package_of(node.directory, a_model())
    text = (directory / "manifest.json").read_bytes()
    (directory / "manifest.json").write_bytes(change(text))
    assert change(text) != text

    assert_refused(node, reason)


def test_the_models_of_these_tests_are_what_onnx_itself_reads() -> None:
    for model in (allocation_bomb(), endless_loop(), custom_operator(), nested_ifs(25)):
        assert ModelProto.FromString(model.SerializeToString()) == model
