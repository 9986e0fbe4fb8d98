"""Segments of audit chains in a bucket that speaks S3, each locked until its time where the bucket allows locks.

In the mode COMPLIANCE nobody can remove a version before its time, not even the owner of the account; whoever has
the keys can still write a newer version of the same name, which verification reads and finds wrong.
"""

import base64
import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from minio.retention import Retention

from ganglion.core.errors import Conflict, DataCorrupt, InvalidSettings, NotFound
from ganglion.core.identity_errors import SegmentStoreUnavailable
from ganglion.trust.audit_segment import BYTES_MAX, is_name

_PART_BYTES = 128 * 2**20
"""More than any segment has: one request sends it whole."""
_ABSENT = frozenset({"NoSuchKey", "NoSuchVersion"})


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Place:
    """Where a bucket is, and who asks. An empty `lock` is none."""

    bucket: str
    prefix: str = ""
    endpoint: str = "https://s3.amazonaws.com"
    region: str = ""
    access_key: str
    secret_key: str
    lock: str = "COMPLIANCE"
    timeout_s: float = 15.0


class S3Segments:
    """Implements `ports.segment_store.SegmentStore`. Raises: InvalidSettings: the endpoint is no address."""

    def __init__(self, place: S3Place) -> None:
        self._place = place
        address = urlsplit(place.endpoint)
        if address.scheme not in {"http", "https"} or not address.netloc or address.path not in {"", "/"}:
            raise InvalidSettings(f"{place.endpoint[:80]!r} is not the address of an object store: https://HOST[:PORT]")
        timeout = urllib3.Timeout(connect=5.0, read=place.timeout_s)
        try:
            self._client = Minio(
                address.netloc,
                place.access_key,
                place.secret_key,
                secure=address.scheme == "https",
                region=place.region or None,
                http_client=urllib3.PoolManager(timeout=timeout, retries=urllib3.Retry(total=1, status=0)),
            )
        except ValueError as error:
            raise InvalidSettings(f"{place.endpoint[:80]!r} is not the address of an object store: {error}") from error

    def names(self) -> Sequence[str]:
        """See the port."""
        prefix = self._key("")
        with self._store_errors():
            found = [
                str(each.object_name) for each in self._client.list_objects(self._place.bucket, prefix, recursive=True)
            ]
        names = [key.removeprefix(prefix) for key in found]
        return [name for name in names if is_name(name)]

    def put(self, name: str, data: bytes, *, keep_until_s: float) -> None:
        """See the port."""
        try:
            known = self.get(name)
        except NotFound:
            known = None
        if known == data:
            return
        if known is not None:
            raise Conflict(f"{self._key(name)} holds another history for the same links")
        until = datetime.fromtimestamp(int(keep_until_s), tz=UTC)
        retention = Retention(self._place.lock, until) if self._place.lock else None
        # Stores take nothing under a lock without a checksum, which over plain HTTP the client does not send by itself.
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        headers: dict[str, str | list[str] | tuple[str]] = {
            "x-amz-sdk-checksum-algorithm": "SHA256",
            "x-amz-checksum-sha256": checksum,
        }
        with self._store_errors():
            self._client.put_object(
                self._place.bucket,
                self._key(name),
                io.BytesIO(data),
                len(data),
                content_type="application/x-ndjson",
                metadata=headers,
                part_size=_PART_BYTES,
                retention=retention,
            )

    def get(self, name: str) -> bytes:
        """See the port."""
        with self._store_errors():
            answer = self._client.get_object(self._place.bucket, self._key(name))
            try:
                data: bytes = answer.read(BYTES_MAX + 1)
            finally:
                answer.close()
                answer.release_conn()
        if len(data) > BYTES_MAX:
            raise DataCorrupt(f"{name} is larger than any segment")
        return data

    def _key(self, name: str) -> str:
        prefix = self._place.prefix.strip("/")
        return f"{prefix}/{name}" if prefix else name

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            if error.code in _ABSENT:
                raise NotFound(f"the bucket {self._place.bucket} has no such object") from error
            raise SegmentStoreUnavailable(
                f"the bucket {self._place.bucket} refused: {error.code}: {error.message}"
            ) from error
        except (MinioException, urllib3.exceptions.HTTPError, ParseError, OSError, ValueError) as error:
            reason = str(error)[:200]
            raise SegmentStoreUnavailable(f"{self._place.endpoint} does not answer: {reason}") from error
