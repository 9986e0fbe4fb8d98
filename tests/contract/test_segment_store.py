"""What `ports.segment_store` promises, held by a directory, by the fake, and by a bucket that speaks S3."""

import io
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from minio import Minio
from minio.error import S3Error
from moto.server import ThreadedMotoServer

from ganglion.adapters.s3_segments import S3Place, S3Segments
from ganglion.adapters.segment_directory import SegmentDirectory
from ganglion.core.errors import Conflict, DataCorrupt, InvalidSettings, NotFound
from ganglion.core.identity_errors import SegmentStoreUnavailable
from ganglion.entrypoints.hub_wiring.segment_stores import open_segment_store
from ganglion.hub.domain.audit_limits import ShippingSettings
from ganglion.ports.segment_store import SegmentStore
from ganglion.testing.memory_segments import MemorySegments
from ganglion.trust.audit_segment import BYTES_MAX

NAME = f"hub/{1:012d}-{7:012d}-{'a' * 16}.jsonl"
OTHER = f"hub/{8:012d}-{9:012d}-{'b' * 16}.jsonl"
UNTIL = datetime.now(tz=UTC) + timedelta(days=200)
KEEP_UNTIL_S = UNTIL.timestamp()
BUCKET = "audit"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Start an object store that knows locks."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def place(endpoint: str, request: pytest.FixtureRequest) -> S3Place:
    """Make an empty prefix in a bucket with object lock."""
    place = S3Place(
        bucket=BUCKET,
        prefix=f"plant/{abs(hash(request.node.name))}/",
        endpoint=endpoint,
        region="us-east-1",
        access_key="hub",
        secret_key="not-much-of-a-secret",
    )
    client = client_of(place)
    if not client.bucket_exists(BUCKET):
        client.make_bucket(BUCKET, object_lock=True)
    return place


def client_of(place: S3Place) -> Minio:
    address = place.endpoint.removeprefix("http://")
    return Minio(address, place.access_key, place.secret_key, secure=False, region="us-east-1")


@pytest.fixture(params=["directory", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SegmentStore]:
    """Open the same store again and again."""
    if request.param == "memory":
        memory = MemorySegments()
        return lambda: memory
    if request.param == "directory":
        return lambda: SegmentDirectory(tmp_path / "shipped")
    place = request.getfixturevalue("place")
    return lambda: S3Segments(place)


def test_what_was_put_is_there_when_the_store_is_opened_again(store: Callable[[], SegmentStore]) -> None:
    store().put(NAME, b"first\n", keep_until_s=KEEP_UNTIL_S)
    store().put(OTHER, b"second\n", keep_until_s=KEEP_UNTIL_S)

    assert sorted(store().names()) == [NAME, OTHER]
    assert store().get(NAME) == b"first\n"


def test_the_same_content_twice_is_once(store: Callable[[], SegmentStore]) -> None:
    for _ in range(2):
        store().put(NAME, b"first\n", keep_until_s=KEEP_UNTIL_S)

    assert store().names() == [NAME]


def test_other_content_never_takes_the_place_of_what_is_there(store: Callable[[], SegmentStore]) -> None:
    store().put(NAME, b"first\n", keep_until_s=KEEP_UNTIL_S)

    with pytest.raises(Conflict):
        store().put(NAME, b"forged\n", keep_until_s=KEEP_UNTIL_S)

    assert store().get(NAME) == b"first\n"


def test_an_empty_store_has_nothing(store: Callable[[], SegmentStore]) -> None:
    assert store().names() == []
    with pytest.raises(NotFound):
        store().get(NAME)


def test_objects_are_locked_until_their_time(place: S3Place) -> None:
    S3Segments(place).put(NAME, b"first\n", keep_until_s=KEEP_UNTIL_S)

    client, key = client_of(place), f"{place.prefix}{NAME}"
    stored = client.stat_object(BUCKET, key)
    assert stored.metadata is not None
    until = datetime.fromisoformat(str(stored.metadata["x-amz-object-lock-retain-until-date"]))
    assert stored.metadata["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert abs((until - UNTIL).total_seconds()) < 2
    with pytest.raises(S3Error, match=r"(?i)lock|denied"):
        client.remove_object(BUCKET, key, stored.version_id)


def test_without_a_lock_nothing_is_asked_of_the_bucket(place: S3Place) -> None:
    client = client_of(place)
    if not client.bucket_exists("plain"):
        client.make_bucket("plain")
    store = S3Segments(replace(place, bucket="plain", lock=""))

    store.put(NAME, b"first\n", keep_until_s=KEEP_UNTIL_S)

    assert store.names() == [NAME]


def test_what_is_no_segment_is_passed_over(place: S3Place, tmp_path: Path) -> None:
    client_of(place).put_object(BUCKET, f"{place.prefix}hub/readme.txt", io.BytesIO(b"x"), 1)
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "readme.jsonl").write_text("x")

    assert S3Segments(place).names() == []
    assert SegmentDirectory(tmp_path).names() == []


def test_a_store_that_refuses_or_is_away_says_so(place: S3Place) -> None:
    with pytest.raises(SegmentStoreUnavailable, match="NoSuchBucket"):
        S3Segments(replace(place, bucket="nowhere")).names()
    with pytest.raises(SegmentStoreUnavailable, match="does not answer"):
        S3Segments(replace(place, endpoint="http://127.0.0.1:9")).names()


class Stranger(BaseHTTPRequestHandler):
    """Answers everything with a page, as a portal of a hotel does."""

    def do_GET(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        self.wfile.write(b"<html>Welcome!<br></html>")

    def log_message(self, *_args: object) -> None:
        pass


def test_what_is_no_object_store_is_told_from_one(place: S3Place) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = S3Segments(replace(place, endpoint=f"http://127.0.0.1:{server.server_port}"))

        with pytest.raises(SegmentStoreUnavailable):
            store.names()
        with pytest.raises(Conflict):  # It has something else under this name: nothing is overwritten.
            store.put(NAME, b"first\n", keep_until_s=KEEP_UNTIL_S)
        server.shutdown()


def test_the_secret_stands_in_no_message(place: S3Place) -> None:
    with pytest.raises(SegmentStoreUnavailable) as caught:
        S3Segments(replace(place, bucket="nowhere")).names()

    assert place.secret_key not in str(caught.value)


def test_files_of_a_directory_are_for_reading_alone(tmp_path: Path) -> None:
    SegmentDirectory(tmp_path).put(NAME, b"first\n", keep_until_s=KEEP_UNTIL_S)

    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o444
    assert [path.name for path in (tmp_path / "hub").iterdir()] == [NAME.partition("/")[2]]


def test_a_file_that_is_larger_than_any_segment_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    with (tmp_path / NAME).open("wb") as file:
        file.truncate(BYTES_MAX + 1)

    with pytest.raises(DataCorrupt):
        SegmentDirectory(tmp_path).get(NAME)


@pytest.mark.parametrize("endpoint", ["", "store.example", "ftp://store.example", "https://", "https://a/b"])
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    settings = ShippingSettings(access_key="hub", secret_key_file=str(secret), endpoint=endpoint)

    with pytest.raises(InvalidSettings):
        open_segment_store(settings, "s3://audit/plant")


def test_an_object_store_needs_a_bucket_and_a_key(tmp_path: Path) -> None:
    whole = ShippingSettings(access_key="hub", secret_key_file=str(tmp_path / "missing"))

    for settings, target in (
        (ShippingSettings(), "s3://audit"),
        (whole, "s3://"),
        (whole, "s3://audit"),
    ):
        with pytest.raises(InvalidSettings):
            open_segment_store(settings, target)
