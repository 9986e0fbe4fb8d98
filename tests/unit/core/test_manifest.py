import json
from typing import Any

import msgspec
import pytest

from ganglion.core import manifest as manifests
from ganglion.core.errors import InvalidName, InvalidPackage
from ganglion.core.manifest import Classification, DriftReference, Golden, HistogramReference, Manifest, TensorSpec
from ganglion.core.steps import Scale, Softmax
from unit.core.builders import a_manifest, files


def document(**changes: Any) -> bytes:
    """Return a manifest as JSON with top-level keys replaced."""
    return json.dumps({**json.loads(manifests.encode(a_manifest())), **changes}).encode()


def test_a_manifest_survives_encoding() -> None:
    manifest = a_manifest(preprocess=(Scale("x", 0.5),), postprocess=(Softmax("scores"),))

    assert manifests.parse(manifests.encode(manifest)) == manifest


def test_equal_manifests_have_equal_bytes() -> None:
    assert manifests.encode(a_manifest(members=files())) == manifests.encode(
        a_manifest(members=dict(reversed(files().items())))
    )


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(InvalidPackage, match="colour"):
        manifests.parse(document(colour="red"))


def test_an_unknown_step_is_refused_when_the_manifest_is_read() -> None:
    with pytest.raises(InvalidPackage, match="sharpen"):
        manifests.parse(document(preprocess=[{"step": "sharpen", "tensor": "x"}]))


def test_a_newer_schema_is_refused() -> None:
    with pytest.raises(InvalidPackage, match="schema"):
        manifests.parse(document(schema=2))


def test_a_key_that_stands_twice_is_refused() -> None:
    twice = manifests.encode(a_manifest()).replace(b'"version"', b'"name": "other",\n  "version"', 1)

    with pytest.raises(InvalidPackage, match="stands twice"):
        manifests.parse(twice)


@pytest.mark.parametrize(
    "path",
    [
        "../model.onnx",
        "/etc/passwd",
        "golden/../../x",
        "golden//x",
        "./x",
        "a\\b",
        "a\0b",
        "C:x",
        "a%2e",
        "",
        "line\nfeed",
        "x" * 201,
        "manifest.json",
        "manifest.json/x",
    ],
)
def test_a_member_path_that_could_leave_or_replace_is_refused(path: str) -> None:
    manifest = a_manifest(members={**files(), path: b""})

    with pytest.raises(InvalidPackage):
        manifests.check(manifest)


def test_a_member_cannot_be_the_folder_of_another() -> None:
    manifest = a_manifest(members={**files(), "model.onnx/part": b""})

    with pytest.raises(InvalidPackage, match="folder"):
        manifests.check(manifest)


def test_too_many_members_are_refused() -> None:
    members = files() | {f"extra/{index}": b"" for index in range(manifests.MEMBERS_MAX)}

    with pytest.raises(InvalidPackage, match="members"):
        manifests.check(a_manifest(members=members))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "other.onnx"}, "not listed"),
        ({"golden": Golden({}, {"scores": "golden/outputs/0.npy"})}, "golden inputs"),
        ({"golden": Golden({"x": "golden/inputs/0.npy"}, {})}, "golden outputs"),
        ({"golden": Golden({"x": "missing.npy"}, {"scores": "golden/outputs/0.npy"})}, "not listed"),
        ({"inputs": ()}, "inputs"),
        ({"inputs": (TensorSpec("x", "FP32", (1,)), TensorSpec("x", "FP32", (1,)))}, "twice"),
        ({"prediction": Classification(output="boxes")}, "not declared"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidPackage, match=reason):
        manifests.check(a_manifest(**changes))


def a_drift_reference(**inputs: tuple[float, ...]) -> DriftReference:
    histograms = {name: HistogramReference(edges, (1,) * (len(edges) - 1)) for name, edges in inputs.items()}
    return DriftReference(HistogramReference((0.0, 1.0), (2,)), {"low": 2}, histograms)


def test_edges_of_inputs_survive_encoding_to_the_last_bit() -> None:
    manifest = a_manifest(drift=a_drift_reference(x=(0.1, 0.1 + 2**-55, 1e300), **{"x[31]": (0.0, 5e-324)}))

    assert manifests.parse(manifests.encode(manifest)) == manifest


def test_a_reference_without_inputs_has_the_bytes_that_it_always_had() -> None:
    written = json.loads(manifests.encode(a_manifest(drift=a_drift_reference())))

    assert set(written["drift"]) == {"confidence", "classes"}


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"y": (0.0, 1.0)}, "not an input"),
        ({"x[32]": (0.0, 1.0)}, "not an input"),
        ({"x": (1.0, 1.0)}, "above the one before"),
        ({"x": tuple(map(float, range(65)))}, "65 edges"),
        ({f"x[{at}]": (0.0, 1.0) for at in range(65)}, "65 inputs"),
    ],
)
def test_edges_over_which_no_input_can_be_counted_are_refused(
    inputs: dict[str, tuple[float, ...]], reason: str
) -> None:
    with pytest.raises(InvalidPackage, match=reason):
        manifests.check(a_manifest(drift=a_drift_reference(**inputs)))


def test_golden_inputs_may_be_missing_and_are_then_read_as_missing() -> None:
    unproved = a_manifest(golden=None)

    assert manifests.parse(manifests.encode(unproved)) == unproved


@pytest.mark.parametrize("data", [b"", b"[]", b"NaN", b'{"schema": 1}', document(name="../x"), document(version=1)])
def test_whatever_is_wrong_with_a_manifest_the_package_is_invalid(data: bytes) -> None:
    with pytest.raises(InvalidPackage):
        manifests.parse(data)


@pytest.mark.parametrize("field", ["name", "version", "variant"])
def test_names_that_do_not_fit_a_path_are_refused(field: str) -> None:
    changes: dict[str, Any] = {field: "../x"}

    with pytest.raises(InvalidName):
        manifests.check(a_manifest(**changes))


def test_a_digest_that_is_none_is_refused() -> None:
    manifest = a_manifest()
    broken = msgspec.structs.replace(manifest.members["model.onnx"], sha256="F" * 64)

    with pytest.raises(InvalidPackage, match=r"model\.onnx"):
        manifests.check(_with_member(manifest, broken))


def _with_member(manifest: Manifest, member: manifests.Member) -> Manifest:
    return msgspec.structs.replace(manifest, members={**manifest.members, "model.onnx": member})
