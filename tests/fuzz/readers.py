"""Readers of untrusted bytes, one function each: out comes a value or an error of ours, soon, in little memory."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec
import numpy as np
from onnx import helper

from fuzz.campaign import Case, Finding
from fuzz.hostile import NAMES
from fuzz.mutations import damaged, encode, odd_value, spliced, spoilt
from ganglion.adapters.node_keys import RawKey
from ganglion.adapters.package_files.archive import PackageArchives, pack
from ganglion.core import manifest as manifests
from ganglion.core import npy, strict_json
from ganglion.core.errors import GanglionError
from ganglion.core.manifest import describe_member
from ganglion.core.steps import from_bytes
from ganglion.trust import assertion, join_token, node_statements
from ganglion.trust.model_files.gate import check_file, check_package
from ganglion.trust.model_files.limits import ModelFileLimits
from ganglion.trust.node_statements import Measured, Rekey
from ganglion.wire import codec
from ganglion.wire.desired import NodeReport
from ganglion.wire.identity import JoinRequest
from ganglion.wire.records import Batch, Envelope, ResultRecord
from unit.node.serving_builders import manifest_of
from unit.trust import onnx_models

_PLAIN_BYTES_MAX = 100_000
_KEY = bytes(range(32))
_PUBLIC = assertion.public_key_of(_KEY)
_STATEMENTS = (
    Rekey(node_id="n", audience="hub", nonce="n-1", public_key=_PUBLIC),
    Measured(node_id="n", audience="hub", nonce="n-1", facts={"release": "1", "image_sha256": "ab"}),
)
_XML = (
    b'<?xml version="1.0"?><net name="m" version="11"><layers><layer id="0" name="c" type="Const" version="opset1">'
    b'<data element_type="f32" shape="2" offset="0" size="8"/><output><port id="0"><dim>2</dim></port></output></layer>'
    b'<layer id="1" name="r" type="Result" version="opset1"/></layers><edges/></net>'
)


@dataclass(frozen=True, slots=True)
class Reader:
    """A function that is given bytes of strangers, and correct input for it."""

    read: Callable[[bytes], object]
    samples: tuple[bytes, ...]


def readers(folder: Path) -> dict[str, Reader]:
    """Return every reader; `folder` is theirs to write in."""
    archive = _archive(folder)
    return {
        "onnx": Reader(_model_file("m.onnx"), _onnx_samples()),
        "tflite": Reader(
            _model_file("m.tflite"), (b"\x1c\0\0\0TFL3\x14\0\x20\0" + bytes(18) + b"\x14\0\0\0" + bytes(64),)
        ),
        "openvino": Reader(_model_file("m.xml"), (_XML,)),
        "member": Reader(
            _check_member, (npy.encode(np.zeros((2, 3), np.float32)), b"plain text", b"\x80\x04\x95" + bytes(20))
        ),
        "archive": Reader(_Inspect(folder / "attacked.tar"), (archive,)),
        "manifest": Reader(manifests.parse, (manifests.encode(manifest_of()),)),
        "npy": Reader(
            lambda data: npy.decode(data, what="x"),
            (npy.encode(np.arange(6, dtype=np.int64).reshape(2, 3)), npy.encode(np.array([b"ab", b"c"], object))),
        ),
        "bytes": Reader(_bytes_tensor, (b"\x02\0\0\0ab\0\0\0\0\x01\0\0\0c",)),
        "strict_json": Reader(
            lambda data: strict_json.loads(data, what="x"), (b'{"a":[1,2.5,"\\u00e9",null,{"b":true}]}',)
        ),
        "batch": Reader(_batch, (codec.compress(codec.encode_packed(_BATCH)),)),
        "packed": Reader(_packed, (codec.encode_packed(_BATCH), b"\x81\xa1a\x01")),
        "report": Reader(
            _reports, (b'{"public_key":"00"}', b"{}", json.dumps({"models": [{"name": "m", "version": "1"}]}).encode())
        ),
        "token": Reader(_token, (join_token.compose(bytes(24), "ab" * 32).encode(),)),
        "assertion": Reader(
            _assertion, (assertion.compose(node_id="n", audience="hub", nonce="n-1", issued_at_s=1_700_000_000.0),)
        ),
        "statement": Reader(_statements, tuple(node_statements.encode(statement) for statement in _STATEMENTS)),
    }


class ReadersTarget:
    """All readers, taking turns."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ganglion-fuzz-")
        self._readers = readers(Path(self._folder.name))
        self._names = tuple(self._readers)

    def make(self, random: Random) -> Case:
        """Return damaged input for one of the readers."""
        name = random.choice(self._names)
        return Case(name, (_spoil(self._readers[name].samples, random),))

    def run(self, case: Case) -> str:
        """Read. Raises: Finding: an error that is not ours, or one without a reason."""
        try:
            self._readers[case.kind].read(b"".join(case.pieces))
        except GanglionError as error:
            if not error.message or error.code in {"internal", "broken"}:
                raise Finding(f"{case.kind}: {error.code}: {error.message!r}") from error
            return f"{case.kind} refused"
        return f"{case.kind} read"

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()


def _spoil(samples: tuple[bytes, ...], random: Random) -> bytes:
    sample = random.choice(samples)
    choice = random.randrange(8)
    if choice == 0:
        return random.randbytes(random.randrange(200))
    if choice == 1:
        return spliced(sample, random.choice(samples), random)
    if choice < 5 and sample.startswith(b"{"):
        document = json.loads(sample)
        for _ in range(random.randint(1, 3)):
            document = spoilt(document, random, names=NAMES) if isinstance(document, dict) else odd_value(random)
        return encode(document)
    return damaged(sample, random)


def _model_file(name: str) -> Callable[[bytes], object]:
    weights = memoryview(bytes(8))
    limits = ModelFileLimits()

    def read(data: bytes) -> None:
        check_file(name, {name: memoryview(data), "m.bin": weights}, limits)

    return read


def _onnx_samples() -> tuple[bytes, ...]:
    # Of each kind of structure that the gate follows.
    models = (
        onnx_models.a_model(),
        onnx_models.a_model(initializers=[onnx_models.tensor(np.ones((3, 3), np.float32))]),
        onnx_models.a_model(onnx_models.constant(onnx_models.tensor(np.arange(4)))),
        onnx_models.nested_ifs(4),
        onnx_models.endless_loop(),
        onnx_models.allocation_bomb(),
        onnx_models.custom_operator(),
        onnx_models.a_model(
            helper.make_node("f", ["x"], ["y"], domain="local"),
            functions=[onnx_models.function("f", "g", "g"), onnx_models.function("g")],
        ),
    )
    return tuple(model.SerializeToString() for model in models)


def _check_member(data: bytes) -> None:
    check_package(manifest_of(), {"x.npy": memoryview(data), "model.onnx": memoryview(b"")}, ModelFileLimits())


def _bytes_tensor(data: bytes) -> None:
    for shape in ((3,), (1,), (0,), (2**62, 2**62), (0, 2**63)):
        try:
            tensor = from_bytes(data, "BYTES", shape)
        except GanglionError:
            continue
        if sum(map(len, tensor.ravel())) > len(data):
            raise Finding(f"{data!r} became more than it has")


def _batch(data: bytes) -> Batch:
    return codec.decode_packed(codec.decompress(data, size_max=_PLAIN_BYTES_MAX), Batch)


def _packed(data: bytes) -> None:
    for kind in (Batch, ResultRecord):
        try:
            codec.decode_packed(data, kind)
        except GanglionError:
            continue


def _reports(data: bytes) -> None:
    for kind in (NodeReport, JoinRequest):
        try:
            codec.decode_json(data, kind)
        except GanglionError:
            continue


def _token(data: bytes) -> None:
    join_token.secret_in(data.decode("latin-1"))


def _assertion(data: bytes) -> None:
    expected = assertion.Expectation(audience="hub", now_s=1_700_000_000.0)
    # Signed by a node that was enrolled: behind the signature the words are as hostile as before it.
    assertion.verify(_PUBLIC, data, assertion.sign(_KEY, data), expected)
    assertion.parse_public_key(data.decode("latin-1"))


def _statements(data: bytes) -> None:
    kinds: tuple[type[Rekey | Measured], ...] = (Rekey, Measured)
    for kind in kinds:
        try:
            node_statements.verify(kind, _PUBLIC, data, RawKey(_KEY).sign(node_statements.signed_bytes(kind, data)))
        except GanglionError:
            continue


class _Inspect:
    def __init__(self, file: Path) -> None:
        self._file, self._archives = (
            file,
            PackageArchives(gate=lambda manifest, members: check_package(manifest, members, ModelFileLimits())),
        )

    def __call__(self, data: bytes) -> object:
        self._file.write_bytes(data)
        return self._archives.inspect(self._file)


def _archive(folder: Path) -> bytes:
    """Return a whole package in one file."""
    package = folder / "package"
    package.mkdir()
    members = {
        "model.onnx": onnx_models.a_model().SerializeToString(),
        "x.npy": npy.encode(np.zeros((1, 2), np.float32)),
        "p.npy": npy.encode(np.zeros((1, 2), np.float32)),
    }
    for name, data in members.items():
        (package / name).write_bytes(data)
    manifest = manifests.encode(_with_members(members))
    (package / manifests.MANIFEST_PATH).write_bytes(manifest)
    pack(package, folder / "package.tar")
    return (folder / "package.tar").read_bytes()


def _with_members(members: dict[str, bytes]) -> manifests.Manifest:

    return msgspec.structs.replace(
        manifest_of(), members={name: describe_member(data) for name, data in members.items()}
    )


_BATCH = Batch(
    id="b1",
    sent_at_ns=1,
    epoch="e1",
    records=(Envelope(1, 2, 3, codec.encode_packed(ResultRecord("r", "m", "1", 5, ("left",), (0.5,)))),),
    shed={"sample": 4},
    made=5,
)
