"""The resumable download against a server that misbehaves on purpose."""

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import urllib3

from ganglion.adapters.https_link.download import Patience, Wanted, download
from ganglion.adapters.https_link.session import LinkSettings
from ganglion.core.errors import HubUnreachable, Rejected
from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.testing.clock import FakeClock

CONTENT = bytes(range(256)) * 400
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT. `cut_after` ends each reply early; `lie_by` shifts the stated offset."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.content = CONTENT
        self.cut_after: int | None = None
        self.lie_by = 0
        self.ignores_range = False
        self.sent_bytes = 0
        self.requests: list[str] = []


class _Answers(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range", "")
        server.requests.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and not server.ignores_range else 0
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            size = len(server.content)
            self.send_header("Content-Range", f"bytes {start + server.lie_by}-{size - 1}/{size}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = body if server.cut_after is None else body[: server.cut_after]
        server.sent_bytes += len(sent)
        self.wfile.write(sent)
        if len(sent) < len(body):
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass


class PlainSession:
    """The part of a session that a download uses, without TLS and tokens."""

    def __init__(self, port: int) -> None:
        self.settings, self.clock = LinkSettings(chunk_bytes=4096), FakeClock()
        self._pool = urllib3.HTTPConnectionPool("127.0.0.1", port, retries=False)

    def open(self, method: str, path: str, *, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        return self._pool.request(method, path, headers=dict(headers), preload_content=False)

    def close(self) -> None:
        self._pool.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def session(server: Server) -> Iterator[PlainSession]:
    plain = PlainSession(server.server_address[1])
    yield plain
    plain.close()


def bring(session: PlainSession, file: Path, *, limit: int = 0) -> None:
    wanted = Wanted(path="/package", size_bytes=len(CONTENT), hashes={"sha256": DIGEST}, bytes_per_s_max=limit)
    download(session, wanted, file)


def test_a_whole_download_lands_with_its_hash(session: PlainSession, tmp_path: Path) -> None:
    bring(session, tmp_path / "package.ganglion")

    assert (tmp_path / "package.ganglion").read_bytes() == CONTENT
    assert list(tmp_path.glob("*.part")) == []


def test_a_link_that_is_cut_again_and_again_moves_hardly_more_than_the_file(
    server: Server, session: PlainSession, tmp_path: Path
) -> None:
    server.cut_after = 9000
    attempts = 0

    while not (tmp_path / "package.ganglion").exists():
        attempts += 1
        assert attempts < 50
        try:
            bring(session, tmp_path / "package.ganglion")
        except HubUnreachable:
            continue

    assert attempts > 5
    assert (tmp_path / "package.ganglion").read_bytes() == CONTENT
    assert server.sent_bytes <= len(CONTENT) * 1.05


def test_one_flipped_byte_is_never_kept_and_the_next_attempt_works(
    server: Server, session: PlainSession, tmp_path: Path
) -> None:
    server.content = CONTENT[:5000] + b"!" + CONTENT[5001:]

    with pytest.raises(ArtifactUntrusted):
        bring(session, tmp_path / "package.ganglion")
    server.content = CONTENT
    bring(session, tmp_path / "package.ganglion")

    assert (tmp_path / "package.ganglion").read_bytes() == CONTENT


def test_a_reply_with_another_offset_is_not_appended(server: Server, session: PlainSession, tmp_path: Path) -> None:
    (tmp_path / "package.part").write_bytes(CONTENT[:1000])
    server.lie_by = 500

    with pytest.raises(HubUnreachable, match="from 1500"):
        bring(session, tmp_path / "package.ganglion")

    assert (tmp_path / "package.part").read_bytes() == CONTENT[:1000]


def test_a_reply_of_another_size_is_refused(server: Server, session: PlainSession, tmp_path: Path) -> None:
    (tmp_path / "package.part").write_bytes(CONTENT[:1000])
    server.content = CONTENT + b"more"

    with pytest.raises(Rejected):
        bring(session, tmp_path / "package.ganglion")


def test_a_mirror_that_ignores_ranges_still_gets_through_when_it_is_not_cut(
    server: Server, session: PlainSession, tmp_path: Path
) -> None:
    (tmp_path / "package.part").write_bytes(b"x" * 1000)
    server.ignores_range = True

    bring(session, tmp_path / "package.ganglion")

    assert (tmp_path / "package.ganglion").read_bytes() == CONTENT


def test_more_bytes_than_were_signed_are_cut_off_at_the_signed_length(
    server: Server, session: PlainSession, tmp_path: Path
) -> None:
    server.content = CONTENT + b"x" * 1_000_000

    with pytest.raises(ArtifactUntrusted, match="more bytes"):
        bring(session, tmp_path / "package.ganglion")

    assert not (tmp_path / "package.ganglion").exists()


def test_a_part_that_was_resumed_in_vain_twice_ends_the_attempt(
    server: Server, session: PlainSession, tmp_path: Path
) -> None:
    (tmp_path / "package.part").write_bytes(b"poison" * 100)
    with pytest.raises(HubUnreachable, match="anew"):
        bring(session, tmp_path / "package.ganglion")
    server.content = CONTENT[:5000] + b"!" + CONTENT[5001:]
    server.cut_after = 9000

    for _ in range(30):
        try:
            bring(session, tmp_path / "package.ganglion")
        except HubUnreachable:
            continue
        except ArtifactUntrusted:
            break

    assert list(tmp_path.iterdir()) == []


def test_a_complete_file_is_not_fetched_again(server: Server, session: PlainSession, tmp_path: Path) -> None:
    bring(session, tmp_path / "package.ganglion")
    bring(session, tmp_path / "package.ganglion")

    assert len(server.requests) == 1


class Pauses:
    """Lets time pass on a clock, and counts it."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.longest_s = clock, 0.0

    def __call__(self, seconds: float) -> None:
        self.longest_s = max(self.longest_s, seconds)
        self.clock.advance(seconds)


@pytest.mark.parametrize("limit", [100, 5_000, 10_000_000])
def test_a_limit_of_bytes_per_second_is_kept_and_the_download_ends(
    session: PlainSession, tmp_path: Path, limit: int
) -> None:
    pauses = Pauses(session.clock)
    session.settings = LinkSettings(chunk_bytes=4096, pause=pauses)
    began_s = session.clock.monotonic_s()

    bring(session, tmp_path / "package.ganglion", limit=limit)

    took_s = session.clock.monotonic_s() - began_s
    assert (tmp_path / "package.ganglion").read_bytes() == CONTENT
    assert took_s == pytest.approx(len(CONTENT) / limit, rel=0.01)
    # A version that is wanted no more is let go of soon.
    assert pauses.longest_s <= 1.0


class SlowLine(PlainSession):
    """Every piece takes its time to arrive, and is no larger than what one record of TLS holds."""

    def __init__(self, port: int, *, every_s: float = 1.0, piece_bytes: int = 4096) -> None:
        super().__init__(port)
        self.settings = LinkSettings(chunk_bytes=piece_bytes, pause=self.clock.advance)
        self._every_s = every_s

    def open(self, method: str, path: str, *, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        response = super().open(method, path, headers=headers)
        read1 = response.read1

        def slow(size: int, *, decode_content: bool) -> bytes:
            self.clock.advance(self._every_s)
            return read1(size, decode_content=decode_content)

        response.read1 = slow  # type: ignore[method-assign,assignment]  # the same call, later
        return response


def test_a_line_slower_than_its_limit_is_not_slowed_down_further(server: Server, tmp_path: Path) -> None:
    line = SlowLine(server.server_address[1])
    began_s = line.clock.monotonic_s()

    bring(line, tmp_path / "package.ganglion", limit=1_000_000)

    line.close()
    pieces = -(-len(CONTENT) // 4096) + 1
    assert line.clock.monotonic_s() - began_s == pytest.approx(pieces, rel=0.2)


def test_a_line_that_a_fleet_shares_is_left_less_and_less_often(server: Server, tmp_path: Path) -> None:
    line, patience = SlowLine(server.server_address[1], every_s=10.0, piece_bytes=1300), Patience()
    wanted = Wanted(path="/package", size_bytes=len(CONTENT), hashes={"sha256": DIGEST})

    while not (tmp_path / "package.ganglion").exists():
        with suppress(HubUnreachable):
            download(line, wanted, tmp_path / "package.ganglion", patience=patience)

    line.close()
    # Half a minute each time would be 26 connections.
    assert len(server.requests) == 5
    assert (tmp_path / "package.ganglion").read_bytes() == CONTENT
    assert patience.window_s("/package", first_s=30.0) == 30.0


def test_a_line_that_is_kept_busy_with_single_bytes_is_left_and_the_part_stays(server: Server, tmp_path: Path) -> None:
    line = SlowLine(server.server_address[1], every_s=0.1, piece_bytes=10)

    with pytest.raises(HubUnreachable, match="too slow"):
        bring(line, tmp_path / "package.ganglion")

    line.close()
    assert 0 < (tmp_path / "package.part").stat().st_size < len(CONTENT)
