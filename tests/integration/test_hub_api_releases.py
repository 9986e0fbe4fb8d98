"""Packages and other content over HTTP: in as a stream, out as files and ranges."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.wire import paths
from ganglion.wire.records import RecordClass
from integration.hub_api_world import ServedHub, make_package, make_sample, serving

WEIGHTS = bytes(range(256)) * 2000


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    with serving(HubSettings(data_dir=str(tmp_path_factory.mktemp("hub")), port=0)) as served:
        yield served


@pytest.fixture(scope="module")
def package(hub: ServedHub, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a released package."""
    content = make_package(tmp_path_factory.mktemp("package"), weights=WEIGHTS).read_bytes()
    assert hub.call("POST", paths.RELEASES, body=content).status == 201
    return content


def target(content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"{paths.TUF_TARGETS}/models/digits/1/{digest}.fp32.ganglion"


def test_a_package_is_released_listed_and_given_back(hub: ServedHub, package: bytes) -> None:
    again = hub.call("POST", paths.RELEASES, body=package)
    listed = hub.call("GET", f"{paths.RELEASES}?model=digits").json
    fetched = hub.call("GET", paths.release_package("digits", "1", "fp32"))

    assert again.status == 201
    assert listed == [again.json]
    assert fetched.body == package


def test_a_damaged_package_is_refused_and_leaves_nothing(hub: ServedHub, package: bytes) -> None:
    answer = hub.call("POST", paths.RELEASES, body=package[:-2000])

    assert (answer.status, answer.code) == (422, "package_invalid")
    assert list(hub.hub.uploads.iterdir()) == []


def test_other_bytes_for_a_released_version_are_a_conflict(hub: ServedHub, package: bytes, tmp_path: Path) -> None:
    other = make_package(tmp_path, weights=b"other").read_bytes()

    answer = hub.call("POST", paths.RELEASES, body=other)

    assert (answer.status, answer.code) == (409, "conflict")
    assert hub.call("GET", target(package)).body == package


def test_a_node_finds_its_target_in_the_signed_metadata(hub: ServedHub, package: bytes) -> None:
    node = hub.join("fetching")

    timestamp = json.loads(node.call("GET", f"{paths.TUF_METADATA}/timestamp.json").body)
    fetched = node.call("GET", target(package))

    assert timestamp["signed"]["_type"] == "timestamp"
    assert fetched.body == package


@pytest.mark.parametrize("name", ["nothing.json", "..%2f..%2fkeys%2froot", "root", "0.root.json"])
def test_metadata_that_does_not_exist_is_not_found(hub: ServedHub, name: str) -> None:
    assert hub.call("GET", f"{paths.TUF_METADATA}/{name}").status == 404


@pytest.mark.parametrize("path", ["models/digits/1/fp32.ganglion", "models/digits/1/../x", "x", "models/%00/1/y"])
def test_what_is_no_target_is_refused(hub: ServedHub, path: str) -> None:
    assert hub.call("GET", f"{paths.TUF_TARGETS}/{path}").status in {400, 404}


def test_a_target_needs_a_proof_of_identity(hub: ServedHub, package: bytes) -> None:
    assert hub.call("GET", target(package), token="").status == 401


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=0-9", 0, 10), ("bytes=500000-", 500_000, None), ("bytes=-7", -7, None)]
)
def test_a_range_gives_these_bytes_and_says_which(
    hub: ServedHub, package: bytes, asked: str, start: int, end: int | None
) -> None:
    answer = hub.call("GET", target(package), headers={"Range": asked})

    expected = package[start:end]
    first = start if start >= 0 else len(package) + start
    assert answer.status == 206
    assert answer.body == expected
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{len(package)}"
    assert answer.headers["content-length"] == str(len(expected))


def test_a_range_behind_the_end_is_not_satisfiable(hub: ServedHub, package: bytes) -> None:
    answer = hub.call("GET", target(package), headers={"Range": f"bytes={len(package)}-"})

    assert (answer.status, answer.code) == (416, "request_invalid")
    assert answer.headers["content-range"] == f"bytes */{len(package)}"


def test_a_part_of_something_else_is_not_resumed(hub: ServedHub, package: bytes) -> None:
    answer = hub.call("GET", target(package), headers={"Range": "bytes=5-", "If-Range": '"another"'})

    assert (answer.status, answer.body) == (200, package)


def test_the_digest_is_the_etag_and_spares_what_the_client_has(hub: ServedHub, package: bytes) -> None:
    etag = f'"{hashlib.sha256(package).hexdigest()}"'

    answer = hub.call("GET", target(package), headers={"If-None-Match": etag})

    assert hub.call("GET", target(package), headers={"If-Range": etag, "Range": "bytes=0-0"}).status == 206
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)


def test_labelled_samples_become_a_data_set_whose_content_can_be_fetched(hub: ServedHub, package: bytes) -> None:
    hub.join("keeping").send((RecordClass.SAMPLE, make_sample()), (RecordClass.SAMPLE, make_sample("zero")))
    samples = hub.call("GET", f"{paths.SAMPLES}?model=digits&node=keeping&unlabelled=true").json
    assert isinstance(samples, list)

    labels = [{"sample_id": sample["sample_id"], "label": "one"} for sample in samples]
    stored = hub.post(paths.LABELS, {"labels": labels}).json
    built = hub.post(paths.DATASETS, {"name": "meter", "model": "digits"})

    assert stored == {"stored": 2}
    assert hub.call("GET", f"{paths.SAMPLES}?unlabelled=true").json == []
    assert built.status == 201
    assert hub.call("GET", f"{paths.DATASETS}?name=meter").json == [built.json]
    manifest = hub.call("GET", paths.dataset("meter", 1)).json
    assert isinstance(manifest, dict)
    tensor = hub.call("GET", paths.artifact(manifest["inputs"]["pixels"]["sha256"]))
    assert hashlib.sha256(tensor.body).hexdigest() == manifest["inputs"]["pixels"]["sha256"]


@pytest.mark.parametrize(("digest", "status"), [("0" * 64, 404), ("0" * 63, 400), ("..%2f..%2fcontrol.db", 404)])
def test_content_that_does_not_exist_is_refused(hub: ServedHub, digest: str, status: int) -> None:
    assert hub.call("GET", f"{paths.ARTIFACTS}/{digest}").status == status


def test_an_account_can_make_another(hub: ServedHub) -> None:
    made = hub.post(paths.ACCOUNTS, {"name": "ci"})

    assert made.status == 201
    assert isinstance(made.json, dict)
    assert hub.call("GET", paths.NODES, token=made.json["token"]).status == 200
    assert hub.post(paths.ACCOUNTS, {"name": "ci"}).status == 409
