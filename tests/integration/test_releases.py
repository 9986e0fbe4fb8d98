"""Releasing: everything or nothing is visible, and repeating a release that was cut short completes it."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ganglion.core import manifest as manifests
from ganglion.core.errors import Conflict, DiskUnusable, GoldenMissing, InvalidName, InvalidPackage, NotFound
from ganglion.core.ids import Digest, ModelName, Variant, Version
from ganglion.core.manifest import Golden, Lineage, Manifest, Target, TensorSpec
from ganglion.hub.services.releases.releases import Releases
from ganglion.hub.services.releases.repository import Repository
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_files import MemoryArtifactStore, MemoryMetadataFiles, MemorySigningKeys
from ganglion.testing.memory_store import MemoryControlStore
from ganglion.trust import edition


class ManifestAsPackage:
    """Packages that consist of their manifest: enough for a service that never looks at weights."""

    def inspect(self, file: Path) -> Manifest:
        return manifests.parse(file.read_bytes())

    def unpack(self, file: Path, directory: Path) -> Manifest:
        raise AssertionError("the hub unpacks no package")

    def check(self, directory: Path) -> Manifest:
        raise AssertionError("the hub unpacks no package")


class Hub:
    """A release service on fakes, with a real directory for package files."""

    def __init__(self, directory: Path, clock: FakeClock) -> None:
        self.directory = directory
        self.control = MemoryControlStore()
        self.artifacts = MemoryArtifactStore(directory / "artifacts")
        self.metadata = MemoryMetadataFiles()
        self.repository = Repository(files=self.metadata, keys=MemorySigningKeys(), clock=clock)
        self.repository.initialise()
        self.releases = Releases(
            control=self.control,
            artifacts=self.artifacts,
            packages=ManifestAsPackage(),
            repository=self.repository,
            clock=clock,
        )

    def package(self, *, version: str = "1", variant: str = "fp32", notes: str = "") -> Path:
        vector = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))
        members = {name: manifests.describe_member(name.encode()) for name in ("model.onnx", "x.npy", "y.npy")}
        manifest = Manifest(
            name=ModelName("digits"),
            version=Version(version),
            variant=Variant(variant),
            target=Target(arch="x86_64"),
            inputs=(vector,),
            outputs=(msgspec.structs.replace(vector, name="y"),),
            golden=Golden(inputs={"x": "x.npy"}, outputs={"y": "y.npy"}),
            lineage=Lineage(parent="digits:0", metrics={"accuracy": 0.97}, notes=notes),
            members=members,
        )
        file = self.directory / "upload"
        file.write_bytes(manifests.encode(manifest))
        return file

    def signed_paths(self) -> list[str]:
        now = edition.load(self.metadata.read)
        return [path for role in now.model_roles() for path in now.model(role).signed.targets]


@pytest.fixture
def hub(tmp_path: Path, clock: FakeClock) -> Hub:
    return Hub(tmp_path, clock)


def test_a_release_is_named_by_its_manifest(hub: Hub, clock: FakeClock) -> None:
    file = hub.package(version="1.2", variant="int8")
    content = file.read_bytes()

    view = hub.releases.release(file)

    assert (view.model, view.version, view.variant) == ("digits", "1.2", "int8")
    assert (view.arch, view.runtime) == ("x86_64", "onnxruntime")
    assert (view.sha256, view.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (view.parent, view.metrics) == ("digits:0", {"accuracy": 0.97})
    assert view.released_at_s == clock.utc_ns() / 1e9


def test_a_release_is_stored_signed_and_listed(hub: Hub) -> None:
    content = hub.package().read_bytes()

    view = hub.releases.release(hub.package())

    assert hub.releases.list() == hub.releases.list("digits") == [view]
    assert hub.signed_paths() == ["models/digits/1/fp32.ganglion"]
    assert hub.releases.package_path("digits", "1", "fp32").read_bytes() == content


def test_the_signed_target_is_found_by_the_name_that_clients_ask_for(hub: Hub) -> None:
    content = hub.package().read_bytes()
    view = hub.releases.release(hub.package())

    path = hub.releases.target_path(f"models/digits/1/{view.sha256}.fp32.ganglion")

    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "name", [f"models/digits/1/{'0' * 64}.fp32.ganglion", f"models/digits/9/{'0' * 64}.fp32.ganglion"]
)
def test_a_target_that_was_not_released_is_not_found(hub: Hub, name: str) -> None:
    hub.releases.release(hub.package())

    with pytest.raises(NotFound, match="there is no target"):
        hub.releases.target_path(name)


def test_a_target_name_that_leaves_the_store_is_refused(hub: Hub) -> None:
    with pytest.raises(InvalidName):
        hub.releases.target_path(f"models/../../{'0' * 64}.fp32.ganglion")


def test_releases_are_listed_newest_first(hub: Hub, clock: FakeClock) -> None:
    for version in ("1", "2"):
        hub.releases.release(hub.package(version=version))
        clock.advance(1)

    assert [view.version for view in hub.releases.list()] == ["2", "1"]
    assert hub.releases.list("gauges") == []


def test_releasing_the_same_package_again_changes_nothing(hub: Hub, clock: FakeClock) -> None:
    first = hub.releases.release(hub.package())
    before = dict(hub.metadata.files)
    clock.advance(60)

    assert hub.releases.release(hub.package()) == first
    assert hub.releases.list() == [first]
    assert hub.metadata.files == before


def test_a_version_never_changes(hub: Hub) -> None:
    first = hub.releases.release(hub.package())
    stored = dict(hub.artifacts.contents)

    with pytest.raises(Conflict, match=r"digits:1 \(fp32\) was released with other bytes"):
        hub.releases.release(hub.package(notes="changed"))

    assert hub.releases.list() == [first]
    assert hub.artifacts.contents == stored


def test_a_damaged_package_leaves_nothing_behind(hub: Hub) -> None:
    file = hub.package()
    file.write_bytes(file.read_bytes().replace(b'"x.npy"', b'"z.npy"', 1))

    with pytest.raises(InvalidPackage):
        hub.releases.release(file)

    assert (hub.releases.list(), hub.signed_paths(), hub.artifacts.contents) == ([], [], {})


def test_a_package_without_golden_inputs_is_refused_before_anything_is_stored(hub: Hub) -> None:
    file = hub.package()
    unproved = msgspec.structs.replace(manifests.parse(file.read_bytes()), golden=None)
    file.write_bytes(manifests.encode(unproved))

    with pytest.raises(GoldenMissing, match="digits:1"):
        hub.releases.release(file)

    assert hub.releases.list() == []
    assert hub.signed_paths() == []


def test_what_was_never_released_is_not_found(hub: Hub) -> None:
    hub.releases.release(hub.package())

    with pytest.raises(NotFound, match="digits:1 has no released variant 'int8'"):
        hub.releases.package_path("digits", "1", "int8")


def fail_before_storing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.artifacts, "put", _power_cut)


def fail_before_signing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.metadata, "write", _power_cut)


def fail_before_listing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.control, "disk_full", True)


def _power_cut(*_: object) -> Digest:
    raise DiskUnusable("the power went")


@pytest.mark.parametrize("fail", [fail_before_storing, fail_before_signing, fail_before_listing])
def test_a_release_that_was_cut_short_is_completed_by_repeating_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, fail: Callable[[Hub, pytest.MonkeyPatch], None]
) -> None:
    with monkeypatch.context() as fault:
        fail(hub, fault)
        with pytest.raises(DiskUnusable):
            hub.releases.release(hub.package())
    assert hub.releases.list() == []

    view = hub.releases.release(hub.package())

    assert hub.releases.list() == [view]
    assert hub.signed_paths() == ["models/digits/1/fp32.ganglion"]
    assert hub.releases.package_path("digits", "1", "fp32").is_file()
