"""How many bytes a 500 MB package moves over a link that is cut 15 times, while the process is killed 5 times more.

The node's real link, in a process of its own, against a server that knows byte ranges, through the relay. The line is
slower than the node, as lines are: what waits in socket buffers of this machine when it is cut never was on a line.
"""

import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import msgspec

from ganglion.adapters.certificates import open_authority
from ganglion.adapters.files import DirectoryFiles
from ganglion.adapters.https_link import HttpsHubLink, Identity, LinkSettings
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import HubUnreachable
from ganglion.ports.clock import utc_s
from ganglion.testing.memory_keys import MemoryKeys
from ganglion.testing.relay import ThreadedRelay
from ganglion.wire import paths
from ganglion.wire.desired import Assignment
from ganglion.wire.identity import AccessReply, Challenge

SIZE_BYTES = 500_000_000
CUTS, KILL_EVERY = 20, 4
PIECE = 1 << 18
LINE_BYTES_PER_S = 40_000_000
SHARE_MAX = 1.05
RESULTS = Path(__file__).parent / "results"


class Answers(BaseHTTPRequestHandler):
    """The three paths of a hub that a download needs."""

    file: ClassVar[Path]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        reply: msgspec.Struct = AccessReply(access_token="t", expires_in_s=600)
        if self.path == paths.CHALLENGE:
            reply = Challenge(nonce="n", expires_in_s=60, issued_at_s=time.time())
        body = msgspec.json.encode(reply)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{SIZE_BYTES - 1}/{SIZE_BYTES}")
        self.send_header("Content-Length", str(SIZE_BYTES - start))
        self.end_headers()
        with self.file.open("rb") as source:
            source.seek(start)
            began_s, sent = time.perf_counter(), 0
            while piece := source.read(PIECE):
                self.wfile.write(piece)
                sent += len(piece)
                time.sleep(max(0.0, began_s + sent / LINE_BYTES_PER_S - time.perf_counter()))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        """Print nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a client goes."""


@contextmanager
def serving(directory: Path, file: Path) -> Iterator[tuple[int, Path]]:
    tls = open_authority(directory, hostnames=("localhost",), now_s=utc_s(SystemClock()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.cert_path, tls.key_path)
    Answers.file = file
    with Server(("127.0.0.1", 0), Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], tls.ca_path
        server.shutdown()


def bring(url: str, ca: str, digest: str, destination: str) -> None:
    """Be the node: try until the package is whole."""
    link = HttpsHubLink(
        identity=Identity(hub_url=url, node_id="n", audience="pin", keys=MemoryKeys()),
        ca_pem=Path(ca).read_bytes(),
        tuf_root=b"",
        open_metadata=lambda: DirectoryFiles(Path(destination).parent / "metadata"),
        clock=SystemClock(),
        settings=LinkSettings(),
    )
    assignment = Assignment(
        model="m", version="1", variant="fp32", target_path=paths.target_path("m", "1", "fp32"),
        size_bytes=SIZE_BYTES, sha256=digest, arch="any", runtime="onnxruntime",
    )  # fmt: skip
    while True:
        try:
            link.download(assignment, Path(destination))
        except HubUnreachable:
            time.sleep(0.05)
        else:
            return


def interrupted(relay: ThreadedRelay, part: Path, command: list[str]) -> tuple[int, int]:
    """Bring the package; return how often the line was cut and the process killed on the way."""
    cuts = kills = 0
    process = subprocess.Popen(command)
    for number in range(1, CUTS + 1):
        threshold = SIZE_BYTES * number // (CUTS + 1)
        while not part.exists() or part.stat().st_size < threshold:
            assert process.poll() is None, "it ended before it was interrupted"
            time.sleep(0.002)
        if number % KILL_EVERY == 0:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            process, kills = subprocess.Popen(command), kills + 1
        else:
            relay.cut()
            relay.restore()
            cuts += 1
    assert process.wait() == 0, "the package was brought"
    return cuts, kills


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        source, destination = Path(scratch, "package"), Path(scratch, "brought.ganglion")
        with source.open("wb") as file:
            for _ in range(SIZE_BYTES // 1_000_000):
                file.write(os.urandom(1_000_000))
        with source.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        with serving(Path(scratch, "tls"), source) as (port, ca), ThreadedRelay("127.0.0.1", port) as relay:
            url = f"https://127.0.0.1:{relay.port}"
            command = [sys.executable, __file__, "--bring", url, str(ca), digest, str(destination)]
            began_s = time.perf_counter()
            cuts, kills = interrupted(relay, destination.with_suffix(".part"), command)
            took_s = time.perf_counter() - began_s
            moved = relay.down_bytes
        with destination.open("rb") as stream:
            assert hashlib.file_digest(stream, "sha256").hexdigest() == digest, "the right bytes"
    share = moved / SIZE_BYTES
    print(f"{cuts} cuts, {kills} kills: {moved:,} bytes moved for {SIZE_BYTES:,}: {share:.4f} (at most {SHARE_MAX})")
    print(f"{took_s:.1f} s")
    RESULTS.mkdir(exist_ok=True)
    figures = {"cuts": cuts, "kills": kills, "moved_bytes": moved, "size_bytes": SIZE_BYTES, "share": share}
    (RESULTS / "update_500mb.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bring"]:
        bring(*sys.argv[2:])
    else:
        main()
