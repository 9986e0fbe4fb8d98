"""The gate for whole packages, and for the formats that are no ONNX."""

import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from ganglion.core import npy
from ganglion.core.errors import InvalidPackage
from ganglion.core.manifest import Limits
from ganglion.trust.model_files.gate import check_file, check_package
from ganglion.trust.model_files.limits import ModelFileLimits
from ganglion.trust.model_files.openvino_ir import XML_BYTES_MAX
from unit.core.builders import a_manifest, files
from unit.trust.onnx_models import a_model, endless_loop

LIMITS = ModelFileLimits()
LAYER = '<layer id="0" name="a" type="{type}" version="{version}"><data offset="{offset}" size="{size}"/></layer>'
TFLITE = bytes([16, 0, 0, 0]) + b"TFL3" + bytes(4) + bytes([4, 0, 8, 0]) + bytes([4, 0, 0, 0]) + bytes(8)


class Code:
    """What a pickle runs when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run",)


def package(**members: bytes) -> None:
    """Pass a package with these further members, '_' for '.', through the gate."""
    everything = files(a_model().SerializeToString()) | {name.replace("_", "."): data for name, data in members.items()}
    views = {name: memoryview(data) for name, data in everything.items()}
    check_package(a_manifest(everything), views, LIMITS)


def openvino(*layers: str, before: str = '<?xml version="1.0"?>', weights: int = 100, loops: bool = False) -> None:
    """Pass an OpenVINO model through the gate."""
    text = f'{before}<net name="n" version="11"><layers>{"".join(layers)}</layers></net>'
    parts = {"m.xml": memoryview(text.encode()), "m.bin": memoryview(bytes(weights))}
    check_file("m.xml", parts, LIMITS, loops_allowed=loops)


def layer(kind: str = "Const", version: str = "opset1", offset: object = 0, size: object = 100) -> str:
    return LAYER.format(type=kind, version=version, offset=offset, size=size)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Code()))
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("data.pkl"))
    return buffer.getvalue()


def portable_executable() -> bytes:
    return b"MZ" + bytes(0x3A) + (0x80).to_bytes(4, "little") + bytes(0x40) + b"PE\0\0" + bytes(100)


PICKLES = [pickle.dumps(thing, protocol) for protocol in range(6) for thing in (Code(), {"weights": [1.0]}, np.ones(3))]
FOREIGN = {
    **{f"pickle {number}": data for number, data in enumerate(PICKLES)},
    "zip, as torch.save writes it": zipped(),
    "tar": tarred(),
    "gzip": b"\x1f\x8b\x08" + bytes(20),
    "zstd": b"\x28\xb5\x2f\xfd" + bytes(20),
    "elf": b"\x7fELF\x02\x01\x01" + bytes(57),
    "mach-o": b"\xcf\xfa\xed\xfe" + bytes(60),
    "pe": portable_executable(),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(50),
    "script": b"#!/bin/sh\nrm -rf /\n",
}


def test_an_honest_package_passes() -> None:
    package(weights_bin=bytes(range(256)), notes_md=b"MZ stands for Mustererkennung\n")


@pytest.mark.parametrize(
    "labels", ["cat\ndog\n", "car\nbus\nperson\n", "cat\ndog\n(other)\n", "dog\nquail\n", "(in)\n"]
)
def test_a_list_of_labels_is_no_pickle(labels: str) -> None:
    package(labels_txt=labels.encode())


# --- attack 36: code under another name -----------------------------------------------------------


@pytest.mark.parametrize("suffix", ["onnx", "bin", "npy", "txt"])
@pytest.mark.parametrize("data", FOREIGN.values(), ids=list(FOREIGN))
def test_code_and_archives_are_refused_whatever_they_are_called(suffix: str, data: bytes) -> None:
    with pytest.raises(InvalidPackage, match=f"^extra.{suffix} is"):
        package(**{f"extra_{suffix}": data})


@pytest.mark.parametrize("data", FOREIGN.values(), ids=list(FOREIGN))
def test_they_are_no_model_either(data: bytes) -> None:
    with pytest.raises(InvalidPackage, match=r"^m\.onnx: its content is not what its name says"):
        check_file("m.onnx", {"m.onnx": memoryview(data)}, LIMITS)


@pytest.mark.parametrize("name", ["ops_so", "ops_so_1", "OPS_DLL", "model_pt", "model_pkl", "a_npz", "m_ort", "x_py"])
def test_kinds_of_files_that_hold_code_are_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidPackage, match="hold code, or can"):
        package(**{name: b"harmless"})


def test_an_array_of_objects_is_refused() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Code()], object), allow_pickle=True)

    with pytest.raises(InvalidPackage, match=r"no \.npy of plain numbers"):
        package(more_npy=buffer.getvalue())
    with pytest.raises(InvalidPackage, match=r"no \.npy of plain numbers"):
        package(disguised_bin=buffer.getvalue())


def test_an_array_of_structures_with_objects_is_refused() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(2, np.dtype([("a", "O"), ("b", "f4")])), allow_pickle=True)

    with pytest.raises(InvalidPackage, match=r"no \.npy of plain numbers"):
        package(more_npy=buffer.getvalue())


def test_arrays_of_every_kind_of_number_pass() -> None:
    for kind in (np.bool_, np.uint8, np.int64, np.float16, np.float64):
        package(more_npy=npy.encode(np.zeros((2, 0, 3), kind)))
    package(more_npy=npy.encode(np.array(1.0)))
    package(more_npy=npy.encode(np.array([b"picture", b"sound"], object)))


# --- limits and permissions of a package ----------------------------------------------------------


def test_the_manifest_may_allow_loops() -> None:
    everything = files(endless_loop().SerializeToString())
    views = {name: memoryview(data) for name, data in everything.items()}

    check_package(a_manifest(everything, limits=Limits(loops_allowed=True)), views, LIMITS)
    with pytest.raises(InvalidPackage, match=r"^model\.onnx: its operator 'Loop' may never end"):
        check_package(a_manifest(everything), views, LIMITS)


def test_a_model_file_larger_than_the_limit_is_refused() -> None:
    data = a_model().SerializeToString()

    with pytest.raises(InvalidPackage, match="file_bytes_max allows 10"):
        check_file("m.onnx", {"m.onnx": memoryview(data)}, ModelFileLimits(file_bytes_max=10))


@pytest.mark.parametrize("name", ["model.bin", "model", "model.safetensors", "onnx"])
def test_a_file_of_another_kind_is_no_model(name: str) -> None:
    with pytest.raises(InvalidPackage, match="of no kind that is served"):
        check_file(name, {name: memoryview(a_model().SerializeToString())}, LIMITS)


# --- TensorFlow Lite ------------------------------------------------------------------------------


def test_a_tflite_file_begins_as_one() -> None:
    check_file("m.tflite", {"m.tflite": memoryview(TFLITE)}, LIMITS)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "magic"),
        (b"TFL3" * 10, "root table"),
        (TFLITE.replace(b"TFL3", b"TFL2"), "magic"),
        (b"\xff\xff\xff\x7f" + TFLITE[4:], "root table"),
        (TFLITE[:16] + b"\xff\xff\xff\x7f" + TFLITE[20:], "root table"),
        (TFLITE[:12], "root table"),
    ],
)
def test_a_tflite_file_that_is_none_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidPackage, match=reason):
        check_file("m.tflite", {"m.tflite": memoryview(data)}, LIMITS)


# --- OpenVINO -------------------------------------------------------------------------------------


def test_an_openvino_model_passes() -> None:
    openvino(layer(), layer("Convolution", "opset13", "x", "y"))


@pytest.mark.parametrize(
    "before",
    [
        '<!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<?xml version="1.0"?><!doctype net>',
        '<!DOCTYPE n [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ],
)
def test_entities_are_refused(before: str) -> None:
    with pytest.raises(InvalidPackage, match="document type or an entity"):
        openvino(before=before)


def test_an_entity_cannot_hide_in_another_encoding() -> None:
    hidden = '<!DOCTYPE net [<!ENTITY a "b">]><net/>'.encode("utf-16")

    with pytest.raises(InvalidPackage, match="only UTF-8"):
        check_file("m.xml", {"m.xml": memoryview(hidden)}, LIMITS)
    with pytest.raises(InvalidPackage, match="only UTF-8"):
        openvino(before='<?xml version="1.0" encoding="UTF-7"?>')


@pytest.mark.parametrize(("offset", "size"), [(0, 101), (1, 100), (-1, 5), ("1e3", 1), (10**30, 1), ("", 1)])
def test_a_constant_lies_inside_the_weights(offset: object, size: object) -> None:
    with pytest.raises(InvalidPackage, match=r"its \.bin has 100"):
        openvino(layer(offset=offset, size=size))


@pytest.mark.parametrize("version", ["extension", "opset", "opset1 ", "custom_opset1", ""])
def test_a_layer_that_openvino_does_not_bring_is_refused(version: str) -> None:
    with pytest.raises(InvalidPackage, match="needs a native library"):
        openvino(layer("Evil", version))


def test_a_loop_layer_needs_the_manifests_permission() -> None:
    with pytest.raises(InvalidPackage, match="may never end"):
        openvino(layer("Loop", "opset5"))

    openvino(layer("Loop", "opset5"), loops=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<html></html>", "begins with <html>"),
        ("<net>", "no XML"),
        ("", "no XML"),
        ("<net>" * 100, "nested deeper"),
        ("<net>" + "<a/>" * 50 + "</net>", "more than 50 elements"),
    ],
)
def test_what_is_no_model_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidPackage, match=reason):
        check_file(
            "m.xml", {"m.xml": memoryview(text.encode())}, ModelFileLimits(fields_max=50 if "<a/>" in text else 1000)
        )


def test_a_very_large_document_is_not_read() -> None:
    with pytest.raises(InvalidPackage, match=f"at most {XML_BYTES_MAX} are read"):
        check_file("m.xml", {"m.xml": memoryview(bytes(XML_BYTES_MAX + 1))}, LIMITS)
