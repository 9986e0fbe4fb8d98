"""A hub that signs what a real hub signs, and a server before it that does to the bytes whatever a test says."""

import hashlib
import re
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from ganglion.adapters.certificates import TlsFiles, open_authority
from ganglion.adapters.files import DirectoryFiles
from ganglion.adapters.https_link import HttpsHubLink, Identity, LinkSettings
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import NotFound
from ganglion.core.ids import Digest
from ganglion.hub.services.releases.repository import Repository
from ganglion.ports.clock import utc_s
from ganglion.ports.metadata_files import MetadataFiles
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_files import MemoryMetadataFiles, MemorySigningKeys
from ganglion.testing.memory_keys import MemoryKeys
from ganglion.trust import target_path
from ganglion.trust.assignment import AssignmentStatement
from ganglion.trust.edition import MetadataFile
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.trust.node_statements import Rekey
from ganglion.trust.signing import Signing
from ganglion.wire import codec, paths
from ganglion.wire.desired import Assignment, DesiredState, NodeReport
from ganglion.wire.identity import AccessReply, Challenge, RekeyRequest
from ganglion.wire.problems import PROBLEM_TYPE, problem_of
from ganglion.wire.records import Ack, Batch, EventRecord, RecordClass

DAY_S = 86_400.0
TODAY_NS = 1_790_000_000 * 1_000_000_000
"""September 2026: later than the release, so that a clock of that date is believed."""
NODE = "node-1"
CONTENT = bytes(range(256)) * 400
PATIENT = LinkSettings(chunk_bytes=4096)
_METADATA, _TARGETS = f"{paths.TUF_METADATA}/", f"{paths.TUF_TARGETS}/"

Sender = Callable[[BufferedIOBase, bytes], object]
"""Writes a body its own way; the head has announced the length of the whole body."""


class Hub:
    """The repository, the packages by digest, and what is done to them on the way."""

    def __init__(self, tls: TlsFiles) -> None:
        self.tls, self.url = tls, ""
        self.clock = FakeClock(utc_ns=TODAY_NS)
        self.files, self.keys = MemoryMetadataFiles(), MemorySigningKeys()
        self.repository = Repository(files=self.files, keys=self.keys, clock=self.clock)
        self.repository.initialise()
        self.tampered: dict[str, bytes] = {}
        """Metadata by name that is sent in place of the real one."""
        self.hidden: set[str] = set()
        self.packages: dict[str, bytes] = {}
        self.send: dict[str, Sender] = {}
        """How the body of a file is sent, by the end of its name."""
        self.without_length: set[str] = set()
        """Names of files whose length the head does not announce: the body goes on as long as it is sent."""
        self.lie_by = 0
        """How far the Content-Range of a reply is off."""
        self.clock_ahead_s = 0.0
        """How far the time is off that the hub states."""
        self.head_pause_s = 0.0
        """Time between two bytes of the head of a reply, on the hub's clock."""
        self.reports = 0
        self.told: list[NodeReport] = []
        """What nodes reported, …"""
        self.events: list[EventRecord] = []
        """… and the events that they sent."""
        self.wish: Callable[[int], DesiredState | bytes | None] = lambda _asked: None
        """What a node that holds this revision is answered; bytes are sent as they are, None is nothing new."""
        self.node_keys = [MemoryKeys().current().public_key]
        """Every key that the node had, as far as it told."""
        self.failing: list[bytes] = []
        """Bodies of errors with which the next questions for a desired state are answered."""
        self.polls = 0
        self.asked: list[tuple[str, str]] = []
        """Path and Range of each request for a file."""

    def put(self, files: Iterable[MetadataFile]) -> None:
        """Publish metadata that the hub itself would not have signed."""
        for file in files:
            self.files.write(file.name, file.data)

    @property
    def now_s(self) -> float:
        return utc_s(self.clock)

    def signing(self) -> Signing:
        return Signing(private_key=self.keys.private_bytes, now_s=self.now_s, settings=RepositorySettings())

    def release(self, version: str = "1", *, model: str = "m1", content: bytes = CONTENT) -> Assignment:
        """Sign a package and return the assignment that a node is given."""
        path = paths.target_path(model, version, "fp32")
        digest = digest_of(content)
        self.repository.publish(path, digest, len(content), model)
        self.packages[digest] = content
        return self.assign(path, digest, len(content))

    def assign(self, path: str, digest: str, size_bytes: int, *, node_id: str = NODE) -> Assignment:
        """Return an assignment of these bytes, signed by the hub."""
        _, model, version, file = path.split("/", maxsplit=3)
        wish = Assignment(
            model=model,
            version=version,
            variant=file.split(".")[0],
            target_path=path,
            size_bytes=size_bytes,
            sha256=digest,
            arch="any",
            runtime="onnxruntime",
        )
        statement = AssignmentStatement(
            node_id=node_id,
            incarnation="hub-1",
            revision=1,
            target_path=path,
            sha256=digest,
            size_bytes=size_bytes,
            policy=msgspec.Raw(codec.encode_json(wish.policy)),
        )
        signed = self.repository.sign_assignment(statement)
        assert signed is not None, "a new repository names a key for assignments"
        return msgspec.structs.replace(
            wish, statement=signed.payload, statement_key=signed.key_id, statement_signature=signed.signature
        )

    def metadata(self, name: str) -> bytes:
        if name in self.hidden:
            raise NotFound(f"{name} is hidden")
        return self.tampered[name] if name in self.tampered else self.repository.metadata(name)

    def package(self, name: str) -> bytes:
        return self.packages[target_path.parse_hashed(name)[1]]


@dataclass
class Node:
    """The real link of one node, with its memory on a real disk."""

    hub: Hub
    directory: Path
    settings: LinkSettings = PATIENT
    clock: FakeClock = field(default_factory=lambda: FakeClock(utc_ns=TODAY_NS))

    def __post_init__(self) -> None:
        self.root = self.hub.repository.root()
        self.downloads = self.directory / "downloads"
        self.downloads.mkdir(parents=True)
        self.start()

    def start(self, *, files: MetadataFiles | None = None) -> None:
        """Begin as after a boot: nothing is known but what lies on the disk."""
        self.link = HttpsHubLink(
            identity=Identity(hub_url=self.hub.url, node_id=NODE, audience="pin", keys=MemoryKeys()),
            ca_pem=self.hub.tls.ca_path.read_bytes(),
            tuf_root=self.root,
            open_metadata=lambda: files or DirectoryFiles(self.metadata),
            clock=self.clock,
            settings=self.settings,
        )

    @property
    def metadata(self) -> Path:
        return self.directory / "metadata"

    @property
    def package(self) -> Path:
        return self.downloads / "package.ganglion"

    @property
    def part(self) -> Path:
        return self.downloads / "package.part"

    def check(self, assignment: Assignment, *, root_version_min: int = 1) -> None:
        self.link.check_target(assignment, root_version_min=root_version_min)

    def bring(self, assignment: Assignment) -> bytes:
        self.link.download(assignment, self.package)
        return self.package.read_bytes()

    def take(self, assignment: Assignment) -> bytes:
        """Check, then bring, as an update does."""
        self.check(assignment)
        return self.bring(assignment)


@contextmanager
def hostile_hub(directory: Path, *, tls_age_s: float = 0.0) -> Iterator[Hub]:
    tls = open_authority(directory, hostnames=("localhost",), now_s=utc_s(SystemClock()) - tls_age_s)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.cert_path, tls.key_path)

    class Answering(_Answering):
        hub = Hub(tls)

    with _Server(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        Answering.hub.url = f"https://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Answering.hub
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a client breaks a connection off: that is what these tests are about."""


class _Answering(BaseHTTPRequestHandler):
    hub: ClassVar[Hub]
    protocol_version = "HTTP/1.1"
    timeout = 5.0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == paths.REPORT:
            self.hub.reports += 1
            self.hub.told.append(codec.decode_json(body, NodeReport))
            self._reply(b"{}")
            return
        if self.path == paths.REKEY:
            request = codec.decode_json(body, RekeyRequest)
            self.hub.node_keys.append(codec.decode_json(request.statement, Rekey).public_key)
            self._reply(b"{}")
            return
        if self.path == paths.BATCHES:
            self._reply(self._stored(codec.decode_packed(codec.decompress(body, size_max=10_000_000), Batch)))
            return
        issued_at_s = self.hub.now_s + self.hub.clock_ahead_s
        replies = {
            paths.CHALLENGE: Challenge(nonce="n", expires_in_s=60, issued_at_s=issued_at_s),
            paths.ACCESS: AccessReply(access_token="token", expires_in_s=600),
        }
        self._reply(msgspec.json.encode(replies[self.path]))

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.hub.asked.append((self.path, asked))
        if self.hub.head_pause_s:
            self._dribble_head()
            return
        if self.path.startswith(paths.DESIRED):
            self._send_wish(int(parse_qs(urlsplit(self.path).query)["revision"][0]))
            return
        try:
            if self.path.startswith(_METADATA):
                self._reply(self.hub.metadata(self.path.removeprefix(_METADATA)))
            else:
                self._send_package(self.hub.package(self.path.removeprefix(_TARGETS)), asked)
        except NotFound as error:
            problem = problem_of(error)
            self._reply(msgspec.json.encode(problem), status=problem.status, kind=PROBLEM_TYPE)

    def _send_wish(self, revision: int) -> None:
        self.hub.polls += 1
        if self.hub.failing:
            self._reply(self.hub.failing.pop(), status=500, kind=PROBLEM_TYPE)
            return
        wish = self.hub.wish(revision)
        if wish is None:
            self._reply(b"", status=204)
            return
        self._reply(wish if isinstance(wish, bytes) else codec.encode_json(wish))

    def _stored(self, batch: Batch) -> bytes:
        for record in batch.records:
            if record.record_class == RecordClass.EVENT:
                self.hub.events.append(codec.decode_packed(record.payload, EventRecord))
        return codec.encode_json(Ack(batch.epoch, max((record.seq for record in batch.records), default=0)))

    def _dribble_head(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            self.hub.clock.advance(self.hub.head_pause_s)
            self.wfile.write(b"x")

    def _send_package(self, content: bytes, asked: str) -> None:
        match = re.fullmatch(r"bytes=(\d+)-", asked)
        start = int(match[1]) if match else 0
        extra = {"Content-Range": f"bytes {start + self.hub.lie_by}-{len(content) - 1}/{len(content)}"} if match else {}
        self._reply(content[start:], status=206 if match else 200, extra=extra)

    def _reply(
        self, body: bytes, *, status: int = 200, kind: str = codec.JSON_TYPE, extra: dict[str, str] | None = None
    ) -> None:
        name = self.path.rpartition("/")[2]
        self.send_response(status)
        for key, value in {"Content-Type": kind, "Connection": "close", **(extra or {})}.items():
            self.send_header(key, value)
        if name not in self.hub.without_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.close_connection = True
        self.hub.send.get(name, _plainly)(self.wfile, body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        """Print nothing."""


def _plainly(out: BufferedIOBase, body: bytes) -> None:
    out.write(body)


def digest_of(content: bytes) -> Digest:
    return Digest(hashlib.sha256(content).hexdigest())
