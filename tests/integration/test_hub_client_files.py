import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ganglion.core.errors import Conflict, DiskUnusable, GanglionError, HubUnreachable, InvalidRequest, NotFound
from ganglion.core.ids import Digest
from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.wire import paths
from ganglion.wire.resources import DatasetManifest, DatasetTensor, DatasetView, ReleaseView
from integration.scripted_hub import Reply, ScriptedHub, client_of, scripted_hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ScriptedHub]:
    with scripted_hub(tmp_path / "tls") as scripted:
        yield scripted


@pytest.fixture
def client(hub: ScriptedHub) -> Iterator[HubClient]:
    with client_of(hub) as connected:
        yield connected


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest())


# --- files ----------------------------------------------------------------------------------------

PACKAGE = b"package" * 100_000
RELEASE = ReleaseView("digits", "1", "fp32", "any", "onnxruntime", digest_of(PACKAGE), len(PACKAGE), 1.0)


def test_a_package_is_sent_whole_and_its_size_is_announced(hub: ScriptedHub, client: HubClient, tmp_path: Path) -> None:
    file = tmp_path / "digits.ganglion"
    file.write_bytes(PACKAGE)
    hub.answers(paths.RELEASES, Reply.of(RELEASE, 201))

    assert client.release(file) == RELEASE
    assert hub.asked[0].body == PACKAGE
    assert hub.asked[0].headers["Content-Length"] == str(len(PACKAGE))


def test_a_package_that_is_not_there_is_named(client: HubClient, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"nothing\.ganglion cannot be read"):
        client.release(tmp_path / "nothing.ganglion")


def test_a_fetched_package_is_the_released_one(hub: ScriptedHub, client: HubClient, tmp_path: Path) -> None:
    hub.answers(paths.RELEASES, Reply.of([RELEASE]))
    hub.answers(paths.release_package("digits", "1", "fp32"), Reply(PACKAGE))

    assert client.fetch_package("digits", "1", "fp32", tmp_path / "p") == RELEASE
    assert (tmp_path / "p").read_bytes() == PACKAGE


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(PACKAGE[:-1] + b"!"), ArtifactUntrusted),
        (Reply(PACKAGE[:-1]), ArtifactUntrusted),
        (Reply(PACKAGE[:1000], announced_bytes=len(PACKAGE)), HubUnreachable),
        (Reply.refusing(NotFound("gone")), NotFound),
    ],
)
def test_a_package_that_is_not_whole_leaves_nothing_behind(
    hub: ScriptedHub, client: HubClient, tmp_path: Path, reply: Reply, error: type[GanglionError]
) -> None:
    hub.answers(paths.RELEASES, Reply.of([RELEASE]))
    hub.answers(paths.release_package("digits", "1", "fp32"), reply)
    destination = tmp_path / "new" / "p"
    destination.parent.mkdir()

    with pytest.raises(error):
        client.fetch_package("digits", "1", "fp32", destination)

    assert list(destination.parent.iterdir()) == []


def test_a_package_for_a_directory_that_is_not_there_is_refused(
    hub: ScriptedHub, client: HubClient, tmp_path: Path
) -> None:
    hub.answers(paths.RELEASES, Reply.of([RELEASE]))
    hub.answers(paths.release_package("digits", "1", "fp32"), Reply(PACKAGE))

    with pytest.raises(DiskUnusable, match="cannot be written"):
        client.fetch_package("digits", "1", "fp32", tmp_path / "missing" / "p")


def test_a_variant_that_was_not_released_is_named(hub: ScriptedHub, client: HubClient, tmp_path: Path) -> None:
    hub.answers(paths.RELEASES, Reply.of([RELEASE]))

    with pytest.raises(NotFound, match="digits:1 has no variant int8"):
        client.fetch_package("digits", "1", "int8", tmp_path / "p")


# --- data sets ------------------------------------------------------------------------------------


def npy(array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_that_says(header: str) -> bytes:
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def serve_dataset(hub: ScriptedHub, tensor: bytes, *, shape: list[int], labels: list[str], sent: bytes = b"") -> None:
    """Let the hub offer one data set of one input; `sent` are other bytes than those that were frozen."""
    listed = DatasetTensor(digest_of(tensor), "FP32", shape)
    manifest = msgspec.json.encode(
        DatasetManifest("meters", 1, "digits", {"image": listed}, labels, [f"s-{label}" for label in labels])
    )
    view = DatasetView("meters", 1, digest_of(manifest), len(labels), 1.0)
    hub.answers(paths.DATASETS, Reply.of([view]))
    hub.answers(paths.artifact(digest_of(manifest)), Reply(manifest))
    hub.answers(paths.artifact(digest_of(tensor)), Reply(sent or tensor))


IMAGES = np.arange(8, dtype=np.float32).reshape(2, 4)


def test_a_data_set_arrives_as_it_was_frozen(hub: ScriptedHub, client: HubClient) -> None:
    serve_dataset(hub, npy(IMAGES), shape=[2, 4], labels=["7", "1"])

    manifest, arrays = client.dataset("meters", 1)

    assert manifest.labels == ["7", "1"]
    np.testing.assert_array_equal(arrays["image"], IMAGES)


def test_a_data_set_is_written_whole(hub: ScriptedHub, client: HubClient, tmp_path: Path) -> None:
    serve_dataset(hub, npy(IMAGES), shape=[2, 4], labels=["7", "1"])

    manifest = client.fetch_dataset("meters", 1, tmp_path / "meters-1")

    assert msgspec.json.decode((tmp_path / "meters-1" / "manifest.json").read_bytes(), type=DatasetManifest) == manifest
    np.testing.assert_array_equal(np.load(tmp_path / "meters-1" / f"{digest_of(npy(IMAGES))}.npy"), IMAGES)


def test_a_data_set_with_changed_bytes_is_refused_and_leaves_nothing(
    hub: ScriptedHub, client: HubClient, tmp_path: Path
) -> None:
    serve_dataset(hub, npy(IMAGES), shape=[2, 4], labels=["7", "1"], sent=npy(IMAGES + 1))
    (tmp_path / "sets").mkdir()

    with pytest.raises(ArtifactUntrusted):
        client.dataset("meters", 1)
    with pytest.raises(ArtifactUntrusted):
        client.fetch_dataset("meters", 1, tmp_path / "sets" / "meters")

    assert list((tmp_path / "sets").iterdir()) == []


@pytest.mark.parametrize(
    ("tensor", "shape", "labels"),
    [
        (npy(IMAGES), [2, 4], ["7"]),
        (npy(IMAGES), [4, 2], ["7", "1"]),
        (b"not an array", [2, 4], ["7", "1"]),
        (npy(np.array([{"a": 1}, 2], dtype=object)), [2], ["7", "1"]),
        (npy(IMAGES.astype(np.int32)), [2, 4], ["7", "1"]),
        (npy_that_says("{[]: 1}\n"), [2, 4], ["7", "1"]),
        (npy_that_says("{'descr': (\n"), [2, 4], ["7", "1"]),
        (
            npy_that_says(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {(2, 2**40)}, }}\n"),
            [2, 2**40],
            ["7", "1"],
        ),
    ],
)
def test_a_data_set_that_contradicts_itself_is_refused(
    hub: ScriptedHub, client: HubClient, tensor: bytes, shape: list[int], labels: list[str]
) -> None:
    serve_dataset(hub, tensor, shape=shape, labels=labels)

    with pytest.raises(ArtifactUntrusted):
        client.dataset("meters", 1)


def test_a_data_set_is_not_written_over_another(hub: ScriptedHub, client: HubClient, tmp_path: Path) -> None:
    serve_dataset(hub, npy(IMAGES), shape=[2, 4], labels=["7", "1"])

    with pytest.raises(Conflict):
        client.fetch_dataset("meters", 1, tmp_path)


def test_a_data_set_version_that_is_not_there_is_named(hub: ScriptedHub, client: HubClient) -> None:
    hub.answers(paths.DATASETS, Reply.of([]))

    with pytest.raises(NotFound, match="no version 3 of the data set meters"):
        client.dataset("meters", 3)
