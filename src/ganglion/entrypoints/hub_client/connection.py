"""One authenticated line to a hub: requests with deadlines, typed answers, files that are whole or absent.

Only questions (GET) are repeated. Every error is ours: the hub's own from its problem document, otherwise
HubUnreachable or CaMismatch.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.response import BaseHTTPResponse

from ganglion.adapters.system import SystemClock
from ganglion.core.errors import DiskUnusable, HubUnreachable, InvalidRequest, TooLarge
from ganglion.core.identity_errors import Unauthenticated
from ganglion.core.ids import Digest
from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.entrypoints.hub_client.errors import misunderstood, refusal, reply_error
from ganglion.entrypoints.hub_client.pinned_tls import context_for, parse_address
from ganglion.entrypoints.settings.client import ClientSettings
from ganglion.ports.clock import Clock
from ganglion.wire.codec import JSON_TYPE

T = TypeVar("T")

Query = Mapping[str, str | int | bool | None]
_CHUNK_BYTES = 262_144
_PASSING = (502, 503, 504)
_REDIRECT = 300


class HubConnection:
    """Requests to one hub, as one account; as nobody with an empty token."""

    def __init__(
        self, url: str, *, ca_pem: bytes, token: str, settings: ClientSettings, clock: Clock | None = None
    ) -> None:
        self.address = parse_address(url)
        self._settings = settings
        self._clock = clock or SystemClock()
        self._pool = urllib3.HTTPSConnectionPool(
            self.address.host,
            self.address.port,
            ssl_context=context_for(ca_pem),
            timeout=urllib3.Timeout(connect=settings.connect_timeout_s, read=settings.timeout_s),
            headers=_identity(token) | {"Accept": JSON_TYPE},
        )

    def close(self) -> None:
        """Close the line."""
        self._pool.close()

    def get(self, path: str, kind: type[T], query: Query | None = None) -> T:
        """Ask for a `kind`."""
        with self._exchange("GET", path + _encoded(query or {})) as reply:
            return self._decoded(path, self._body(reply), kind)

    def post(self, path: str, body: object, kind: type[T]) -> T:
        """Send `body` as JSON; the answer is a `kind`."""
        with self._exchange("POST", path, msgspec.json.encode(_said(body)), {"Content-Type": JSON_TYPE}) as reply:
            return self._decoded(path, self._body(reply), kind)

    def upload(self, path: str, file: Path, content_type: str, kind: type[T]) -> T:
        """Send a file; the answer is a `kind`. Raises: InvalidRequest: the file cannot be read."""
        try:
            source = file.open("rb")
        except OSError as error:
            raise InvalidRequest(f"{file} cannot be read: {error.strerror}") from error
        with source, self._exchange("POST", path, source, _file_headers(source, content_type)) as reply:
            return self._decoded(path, self._body(reply), kind)

    def content(self, path: str, digest: Digest) -> bytes:
        """Return the file with this digest. Raises: ArtifactUntrusted: other bytes came. TooLarge."""
        with self._exchange("GET", path) as reply:
            data = self._body(reply)
        self._check(path, hashlib.sha256(data).hexdigest(), digest)
        return data

    def raw(self, path: str) -> bytes:
        """Return a reply as it is. Raises: TooLarge."""
        with self._exchange("GET", path) as reply:
            return self._body(reply)

    def download(self, path: str, destination: Path, digest: Digest) -> None:
        """Bring the file with this digest to `destination`, which appears whole or not at all.

        Raises: ArtifactUntrusted: other bytes came. DiskUnusable, TooLarge.
        """
        with self._exchange("GET", path) as reply, _appearing(destination) as target:
            hasher = hashlib.sha256()
            for chunk in self._chunks(reply, "file_bytes_max", self._settings.file_bytes_max):
                hasher.update(chunk)
                target.write(chunk)
            self._check(path, hasher.hexdigest(), digest)

    def _check(self, path: str, found: str, expected: Digest) -> None:
        if found != expected:
            raise ArtifactUntrusted(f"{self.address}{path} sent other bytes than those of {expected}")

    @contextmanager
    def _exchange(
        self, method: str, target: str, body: bytes | BinaryIO | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[BaseHTTPResponse]:
        try:
            reply = self._pool.urlopen(
                method,
                target,
                body=body,
                headers={**self._pool.headers, **(headers or {})},
                retries=self._retries(method),
                redirect=False,
                preload_content=False,
            )
            with reply:
                if reply.status >= _REDIRECT:
                    raise reply_error(
                        self.address, reply.status, reply.headers.get("Content-Type", ""), self._body(reply)
                    )
                yield reply
        except urllib3.exceptions.HTTPError as error:
            raise refusal(self.address, error) from error

    def _retries(self, method: str) -> urllib3.Retry:
        """Return how often a request may be repeated: never one that could have changed something."""
        total = self._settings.retries_max if method == "GET" else 0
        return urllib3.Retry(
            total,
            status_forcelist=_PASSING,
            backoff_factor=self._settings.retry_delay_s,
            raise_on_status=False,  # the last answer has the reason
            respect_retry_after_header=False,  # a hub must not decide how long we hang
        )

    def _body(self, reply: BaseHTTPResponse) -> bytes:
        deadline_s = self._clock.monotonic_s() + self._settings.timeout_s
        body = bytearray()
        for chunk in self._chunks(reply, "reply_bytes_max", self._settings.reply_bytes_max):
            body += chunk
            if self._clock.monotonic_s() > deadline_s:
                raise HubUnreachable(f"{self.address} did not finish its answer in {self._settings.timeout_s:g} s")
        return bytes(body)

    def _chunks(self, reply: BaseHTTPResponse, limit: str, size_max: int) -> Iterator[bytes]:
        size_bytes = 0
        for chunk in reply.stream(_CHUNK_BYTES):
            size_bytes += len(chunk)
            if size_bytes > size_max:
                raise TooLarge(f"{self.address} sent more than client.{limit} = {size_max} allows")
            yield chunk

    def _decoded(self, path: str, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body or b"null", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise misunderstood(self.address, path, error) from error


def _said(body: object) -> object:
    """Leave out what is at its default: an older hub refuses fields that it does not know."""
    if isinstance(body, list | tuple):
        return [_said(each) for each in body]
    if not is_dataclass(body) or isinstance(body, type):
        return body
    said = {}
    for each in fields(body):
        default = each.default if each.default_factory is MISSING else each.default_factory()
        if (value := getattr(body, each.name)) != default:
            said[each.name] = _said(value)
    return said


@contextmanager
def _appearing(destination: Path) -> Iterator[BinaryIO]:
    """Write beside `destination`, and move over it when all is there.

    Raises: DiskUnusable.
    """
    part = destination.with_name(f"{destination.name}.part")
    try:
        with part.open("wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        part.replace(destination)
    except OSError as error:
        raise DiskUnusable(f"{destination} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _file_headers(file: BinaryIO, content_type: str) -> dict[str, str]:
    """Announce the size, so that a hub can refuse a file that is too large before it is sent."""
    return {"Content-Type": content_type, "Content-Length": str(os.fstat(file.fileno()).st_size)}


def _identity(token: str) -> dict[str, str]:
    """Return what proves who calls; nothing for who has still to log in."""
    return {"Authorization": f"Bearer {_checked(token)}"} if token else {}


def _checked(token: str) -> str:
    if token.isascii() and token.isprintable() and " " not in token:
        return token
    raise Unauthenticated("the token has characters that no token has; was it copied whole?")


def _encoded(query: Query) -> str:
    given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
    text = urlencode({name: value for name, value in given.items() if value is not None})
    return f"?{text}" if text else ""
