"""Laws of packages: manifests survive, archives are decided by their members, damage is seen."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ganglion.adapters.package_files import PackageArchives, pack, write_package
from ganglion.core import manifest as manifests
from ganglion.core import npy
from ganglion.core.errors import InvalidPackage, InvalidRequest
from ganglion.core.manifest import Lineage
from ganglion.core.steps import DTYPES, Cast, Clip, Normalise, Reshape, Scale, Sigmoid, Softmax, Step, Transpose
from unit.core.builders import a_manifest, files

FLOATS = st.floats(-1e6, 1e6)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(Scale, st.just("x"), FLOATS, FLOATS),
    st.builds(Normalise, st.just("x"), st.tuples(FLOATS), st.tuples(FLOATS.filter(bool)), st.integers(-3, 3)),
    st.tuples(FLOATS, FLOATS).map(lambda limits: Clip("x", min(limits), max(limits))),
    st.builds(Cast, st.just("x"), st.sampled_from(sorted(DTYPES.keys() - {"BYTES", "BF16"}))),
    st.builds(Reshape, st.just("x"), st.lists(st.integers(1, 9), max_size=3).map(tuple)),
    st.builds(Transpose, st.just("x"), st.permutations([0, 1, 2]).map(tuple)),
    st.builds(Softmax, st.just("x")),
    st.builds(Sigmoid, st.just("x")),
)
LABELS = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=8).map(tuple)
LINEAGE = st.builds(Lineage, st.text(max_size=9), st.text(max_size=9), st.text(max_size=9), st.just({}), st.text())


@given(st.lists(STEPS, max_size=5).map(tuple), LABELS, LINEAGE)
def test_a_manifest_is_read_as_it_was_written(
    steps: tuple[Step, ...], labels: tuple[str, ...], lineage: Lineage
) -> None:
    manifest = a_manifest(preprocess=steps, labels=labels, lineage=lineage)

    assert manifests.parse(manifests.encode(manifest)) == manifest


@given(st.data())
def test_no_change_of_a_byte_makes_a_manifest_that_is_read_as_the_old_one(data: st.DataObject) -> None:
    original = bytearray(manifests.encode(a_manifest()))
    place = data.draw(st.integers(0, len(original) - 1))
    changed = bytearray(original)
    changed[place] ^= data.draw(st.integers(1, 255))

    try:
        manifest = manifests.parse(bytes(changed))
    except InvalidPackage:
        return
    # White space may differ; the canonical form does not.
    assert manifest != a_manifest() or manifests.encode(manifest) == bytes(original)


@given(
    st.sampled_from(sorted(name for name, dtype in DTYPES.items() if not dtype.hasobject)).flatmap(
        lambda name: arrays.arrays(DTYPES[name], arrays.array_shapes(min_dims=0, max_dims=4, max_side=4))
    )
)
def test_a_tensor_file_is_read_as_it_was_written(tensor: np.ndarray) -> None:
    again = npy.decode(npy.encode(tensor), what="it")

    assert again.dtype == tensor.dtype
    assert again.shape == tensor.shape
    assert again.tobytes() == tensor.tobytes()


@given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda body: npy.encode(np.zeros(3, "<f4")) + body))
def test_any_bytes_give_a_tensor_of_that_size_or_a_refusal(data: bytes) -> None:
    try:
        tensor = npy.decode(data, what="it")
    except InvalidRequest:
        return

    assert tensor.nbytes <= len(data)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a single-file package."""
    folder = tmp_path_factory.mktemp("packed")
    write_package(folder / "p", a_manifest(), files())
    pack(folder / "p", folder / "p.ganglion")
    return folder / "p.ganglion"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_changed_byte_outside_the_manifest_is_always_seen(packed: Path, data: st.DataObject) -> None:
    content = bytearray(packed.read_bytes())
    size = len(manifests.encode(a_manifest()))
    place = data.draw(st.integers(0, len(content) - 1).filter(lambda index: not 512 <= index < 512 + size))
    content[place] ^= data.draw(st.integers(1, 255))
    damaged = packed.with_name("damaged.ganglion")
    damaged.write_bytes(content)

    with pytest.raises(InvalidPackage):
        PackageArchives().inspect(damaged)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_file_that_ends_early_is_always_refused(packed: Path, data: st.DataObject) -> None:
    content = packed.read_bytes()
    cut = packed.with_name("cut.ganglion")
    cut.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])

    with pytest.raises(InvalidPackage):
        PackageArchives().inspect(cut)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.from_regex(r"extra/[a-z]{1,8}", fullmatch=True), st.binary(max_size=2000), max_size=4))
def test_any_members_come_out_as_they_went_in(packed: Path, extra: dict[str, bytes]) -> None:
    members = {**files(), **extra}
    manifest = msgspec.structs.replace(a_manifest(members))
    folder = packed.parent / "any"

    write_package(folder / "in", manifest, members)
    pack(folder / "in", folder / "any.ganglion")
    PackageArchives().unpack(folder / "any.ganglion", folder / "out")

    assert {path: (folder / "out" / path).read_bytes() for path in members} == members
