"""What a node checks and writes before a version comes near its serving process."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import anyio
import msgspec
import pytest

from ganglion.adapters.package_files import PackageArchives
from ganglion.core.errors import Conflict, DiskUnusable, GanglionError, InvalidPackage, TargetMismatch
from ganglion.core.serving_errors import ModelNotReady
from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.node.domain.orders.bounds import why_not_published
from ganglion.node.domain.update.reconcile import Installed, ModelState
from ganglion.node.domain.update.table import Update, UpdateEvent
from ganglion.node.services.places import Places
from ganglion.node.services.update.effects import UpdateEffects
from ganglion.ports.hub_link import HubLink, Vouched
from ganglion.ports.sandbox import Sandbox
from ganglion.ports.serving_control import ModelServing, ServingControl, ServingStatus
from ganglion.trust.envelope import AllowedModel
from ganglion.trust.limits import BUILT_IN
from ganglion.wire.desired import Assignment, DeploymentPolicy, UpdateState
from ganglion.wire.identity import NodeFacts
from integration.hub_api_world import make_package
from unit.node.builders import an_assignment, an_installed

FACTS = NodeFacts(arch="x86_64", runtime="onnxruntime", cores=2, memory_bytes=1, release="1")


class Usage(NamedTuple):
    total: int
    used: int
    free: int


class Bringing:
    """A link that brings what a test says, or has none."""

    def __init__(self) -> None:
        self.bring: Callable[[Path], object] = lambda _: None
        self.vouched = Vouched()

    def check_target(self, assignment: Assignment, *, root_version_min: int) -> Vouched:
        return self.vouched

    def download(self, assignment: Assignment, destination: Path, *, is_wanted: Callable[[], bool]) -> None:
        self.bring(destination)


class Node:
    def __init__(self, data: Path) -> None:
        self.places, self.link = Places(data), Bringing()
        self.others: tuple[Assignment, ...] = ()
        self.limits = BUILT_IN
        self.effects = UpdateEffects(
            link=cast("HubLink", self.link),
            control=cast("ServingControl", None),  # no serving process is asked here
            packages=PackageArchives(),
            sandbox=cast("Sandbox", None),  # nothing is tried here
            places=self.places,
            facts=FACTS,
            root_version_min=lambda: 1,
            memory_free=lambda: 2_000_000_000,
            why_not_published=lambda model, signers: why_not_published(model, signers, self.limits),
        )

    def perform(self, assignment: Assignment, state: UpdateState, *, held: Installed | None = None) -> UpdateEvent:
        status = ServingStatus(instance="1", models={})
        update = Update(assignment, state=state)
        perform = partial(self.effects.perform, others=self.others)
        return anyio.run(perform, update, ModelState(committed=held), status).event

    def precheck(self, assignment: Assignment, *, held: Installed | None = None) -> UpdateEvent:
        return self.perform(assignment, UpdateState.OFFERED, held=held)

    def trust(self, assignment: Assignment) -> UpdateEvent:
        return self.perform(assignment, UpdateState.PRECHECKED)

    def bring(self, assignment: Assignment) -> UpdateEvent:
        return self.perform(assignment, UpdateState.DOWNLOADING)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def changed(**fields: object) -> Assignment:
    return msgspec.structs.replace(an_assignment("2"), **fields)


def test_a_fitting_version_passes(node: Node) -> None:
    assert node.precheck(changed(arch="x86_64"), held=an_installed("1")) is UpdateEvent.PRECHECKED


@pytest.mark.parametrize(
    ("assignment", "error", "reason"),
    [
        (changed(arch="aarch64"), TargetMismatch, "for aarch64, this machine is x86_64"),
        (changed(runtime="tensorrt"), TargetMismatch, "needs tensorrt, this node has onnxruntime"),
        (changed(target_path="models/other/2/fp32.ganglion"), ArtifactUntrusted, "another model or version"),
    ],
)
def test_what_does_not_fit_this_machine_is_refused_before_anything_is_brought(
    node: Node, assignment: Assignment, error: type[GanglionError], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        node.precheck(assignment)


def test_a_version_of_a_publisher_whom_the_envelope_does_not_name_is_not_brought(node: Node) -> None:
    node.limits = replace(BUILT_IN, models=(AllowedModel(name="meter", publishers=("abcdef01",)),))

    node.link.vouched = Vouched(signers=("abcdef0123",))
    assert node.trust(changed()) is UpdateEvent.TRUSTED

    node.link.vouched = Vouched(signers=("99999999",))
    with pytest.raises(ArtifactUntrusted, match="another publisher"):
        node.trust(changed())


def test_behaviour_12_a_version_that_does_not_fit_on_the_disk_is_refused_before_anything_is_brought(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 1000, 1000))

    with pytest.raises(DiskUnusable, match="1,000 are free"):
        node.precheck(changed(size_bytes=10_000_000))


def test_behaviour_12_room_that_another_update_needs_is_not_free(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 10**8, 10**8))
    assert node.precheck(changed(size_bytes=10_000_000)) is UpdateEvent.PRECHECKED

    node.others = (changed(model="other", sha256="e" * 64, size_bytes=20_000_000),)

    with pytest.raises(DiskUnusable, match="beside 44,000,000 for other updates"):
        node.precheck(changed(size_bytes=10_000_000))


def test_behaviour_12_a_part_that_lies_here_needs_no_room_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    assignment = changed(size_bytes=1_000_000)
    part = node.places.download(assignment).with_suffix(".part")
    part.parent.mkdir(parents=True)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 51_500_000, 51_500_000))
    with pytest.raises(DiskUnusable):
        node.precheck(assignment)

    part.write_bytes(bytes(900_000))

    assert node.precheck(assignment) is UpdateEvent.PRECHECKED


def test_behaviour_12_a_model_that_needs_more_memory_than_is_free_is_refused_before_the_download(node: Node) -> None:
    node.link.vouched = Vouched(memory_bytes_max=3_000_000_000)

    with pytest.raises(TargetMismatch, match="3,000,000,000 bytes of memory, 2,000,000,000 are free"):
        node.trust(changed())


@pytest.mark.parametrize("memory_bytes_max", [None, 1_000_000_000, 2_000_000_000])
def test_a_model_that_fits_or_does_not_say_is_taken(node: Node, memory_bytes_max: int | None) -> None:
    node.link.vouched = Vouched(memory_bytes_max=memory_bytes_max)

    assert node.trust(changed()) is UpdateEvent.TRUSTED


def test_other_bytes_under_the_name_of_the_committed_version_are_refused(node: Node) -> None:
    with pytest.raises(Conflict, match="other bytes"):
        node.precheck(changed(sha256="f" * 64), held=an_installed("2"))


def test_a_package_is_unpacked_once_and_its_file_is_gone(node: Node, tmp_path: Path) -> None:
    package = make_package(tmp_path / "made", "2", model="meter")
    node.link.bring = lambda file: shutil.copy(package, file)

    assert node.bring(changed()) is UpdateEvent.DOWNLOADED
    node.link.bring = lambda _: pytest.fail("it is there already")
    assert node.bring(changed()) is UpdateEvent.DOWNLOADED

    assert list(node.places.downloads.iterdir()) == []


def test_an_unpacked_package_without_its_manifest_is_brought_again(node: Node, tmp_path: Path) -> None:
    package = make_package(tmp_path / "made", "2", model="meter")
    node.link.bring = lambda file: shutil.copy(package, file)
    node.bring(changed())
    (node.places.package(changed()) / "manifest.json").unlink()

    assert node.bring(changed()) is UpdateEvent.DOWNLOADED

    assert (node.places.package(changed()) / "manifest.json").is_file()


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\x00" * 10_240])
def test_what_is_no_package_leaves_nothing_behind(node: Node, content: bytes) -> None:
    node.link.bring = lambda file: file.write_bytes(content)

    with pytest.raises(InvalidPackage):
        node.bring(changed())

    assert not node.places.package(changed()).exists()
    assert list(node.places.downloads.iterdir()) == []


def test_a_package_of_another_model_leaves_nothing_behind(node: Node, tmp_path: Path) -> None:
    package = make_package(tmp_path / "made", "2", model="other")
    node.link.bring = lambda file: shutil.copy(package, file)

    with pytest.raises(InvalidPackage, match="other:2"):
        node.bring(changed())

    assert not node.places.package(changed()).exists()


def test_a_place_that_cannot_be_written_is_named(node: Node) -> None:
    node.places.downloads.write_bytes(b"a file where a directory should be")

    with pytest.raises(DiskUnusable, match="downloads"):
        node.bring(changed())


@pytest.mark.parametrize("share", [0.2, 0.0])
def test_a_held_version_gets_no_request_before_the_version_beside_it_answers(node: Node, share: float) -> None:
    policy = DeploymentPolicy(held=True, traffic_share=share)
    update = Update(an_assignment("2", policy=policy), state=UpdateState.PROVEN, control="1")
    silent = ServingStatus(instance="1", models={})

    with pytest.raises(ModelNotReady, match="version 1 does not answer yet"):
        anyio.run(node.effects.perform, update, ModelState(committed=an_installed("1")), silent)


def test_a_version_that_only_listens_goes_into_the_shadow_though_no_shadow_was_asked_for(node: Node) -> None:
    update = Update(an_assignment("2", policy=DeploymentPolicy(held=True)), state=UpdateState.PROVEN, control="1")
    answering = ServingStatus(instance="1", models={"meter": ModelServing("1", ("1", "2"), {})})

    outcome = anyio.run(node.effects.perform, update, ModelState(committed=an_installed("1")), answering)

    assert outcome.event is UpdateEvent.SHADOWED
