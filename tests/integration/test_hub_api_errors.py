"""Bad input over HTTP: one problem document each, early, and nothing of the inside."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ganglion.entrypoints.settings.hub import HttpSettings, HubSettings
from ganglion.hub.services.nodes.fleet import Fleet
from ganglion.testing.waiting import wait_until
from ganglion.wire import paths
from integration.hub_api_world import ServedHub, serving

TEN_GB = 10_000_000_000
LIMITS = HttpSettings(body_bytes_max=20_000, package_bytes_max=100_000, body_idle_s_max=0.2, head_bytes_max=4096)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    data = tmp_path_factory.mktemp("hub")
    with serving(HubSettings(data_dir=str(data), port=0, http=LIMITS)) as served:
        yield served


def speak(hub: ServedHub, *parts: bytes) -> bytes:
    """Send raw bytes and return everything that comes back until the hub closes."""
    with contextlib.closing(hub.connect()) as line:
        for part in parts:
            line.sendall(part)
        received = b""
        with contextlib.suppress(ConnectionError, socket.timeout):
            while chunk := line.recv(65_536):
                received += chunk
        return received


def head(hub: ServedHub, path: str, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {hub.token}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def test_an_unknown_route_is_a_problem_document(hub: ServedHub) -> None:
    answer = hub.call("GET", "/api/v1/nonsense")

    assert (answer.status, answer.code) == (404, "not_found")


def test_a_record_number_that_no_record_can_have_is_refused(hub: ServedHub) -> None:
    hub.join("numbered")

    answer = hub.call("GET", f"{paths.RESULTS}?node=numbered&after_seq={2**63}")

    assert (answer.status, answer.code) == (400, "request_invalid")
    assert b"after_seq" in answer.body


def test_half_a_character_in_a_body_is_refused(hub: ServedHub) -> None:
    body = rb'{"labels": [{"sample_id": "s", "label": "\ud800"}]}'
    answer = hub.call("POST", paths.LABELS, body=body, headers={"Content-Type": "application/json"})

    assert (answer.status, answer.code) == (400, "request_invalid")


def test_a_wrong_method_names_the_right_one(hub: ServedHub) -> None:
    answer = hub.call("DELETE", paths.NODES)

    assert (answer.status, answer.code) == (405, "request_invalid")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "truncated"),
        (b"\xff\xfe", "malformed"),
        (b'{"name": NaN}', "malformed"),
        (b"[" * 5000 + b"]" * 5000, "recursion"),
        (b"[]", "body"),
        (b'{"name": 5}', "body.name"),
        (b'{"name": "n", "expires_in_s": "soon"}', "body.expires_in_s"),
    ],
)
def test_a_malformed_body_names_what_is_wrong(hub: ServedHub, body: bytes, words: str) -> None:
    answer = hub.call("POST", paths.NODE_TOKENS, body=body, headers={"Content-Type": "application/json"})

    assert (answer.status, answer.code) == (400, "request_invalid")
    assert words in answer.body.decode().lower()


def test_a_body_without_its_content_type_is_told_which_one_is_needed(hub: ServedHub) -> None:
    answer = hub.call("POST", paths.NODE_TOKENS, body=b'{"name": "n"}')

    assert (answer.status, answer.code) == (400, "request_invalid")
    assert b"application/json" in answer.body


def test_what_was_sent_is_not_echoed(hub: ServedHub) -> None:
    answer = hub.post(paths.LABELS, {"labels": "s3cret-value"})

    assert answer.status == 400
    assert b"s3cret-value" not in answer.body


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=many", "after_seq=-1"])
def test_a_question_for_too_much_or_nothing_is_refused(hub: ServedHub, query: str) -> None:
    hub.join(f"asked-{query.replace('=', '-')}")
    answer = hub.call("GET", f"{paths.RESULTS}?node=n&{query}")

    assert (answer.status, answer.code) == (400, "request_invalid")


@pytest.mark.parametrize("token", ["", "wrong", "ganglion-account-" + "0" * 64])
def test_a_wrong_token_is_refused_everywhere(hub: ServedHub, token: str) -> None:
    for path in (paths.NODES, paths.RELEASES, paths.ROLLOUTS, paths.DESIRED, paths.SAMPLES, "/metrics"):
        answer = hub.call("GET", path, token=token)

        assert (answer.status, answer.code) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", [paths.NODE_TOKENS, paths.BATCHES, paths.RELEASES])
def test_ten_gigabytes_are_refused_before_they_are_sent(hub: ServedHub, path: str) -> None:
    received = speak(hub, head(hub, path, f"Content-Length: {TEN_GB}"))

    assert received.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too_large"' in received
    assert b"connection: close" in received.lower()


def test_a_chunked_body_is_refused_at_the_limit(hub: ServedHub) -> None:
    chunk = b"2000\r\n" + b"a" * 0x2000 + b"\r\n"
    headers = ("Transfer-Encoding: chunked", "Content-Type: application/json")

    received = speak(hub, head(hub, paths.NODE_TOKENS, *headers), chunk, chunk, chunk)

    assert received.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too_large"' in received


def test_a_package_above_its_limit_leaves_nothing_behind(hub: ServedHub) -> None:
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"

    received = speak(hub, head(hub, paths.RELEASES, "Transfer-Encoding: chunked"), *[chunk] * 7)

    assert received.startswith(b"HTTP/1.1 413 ")
    assert list(hub.hub.uploads.iterdir()) == []


def test_a_body_that_stops_arriving_is_given_up(hub: ServedHub) -> None:
    received = speak(hub, head(hub, paths.NODE_TOKENS, "Content-Length: 100", "Content-Type: application/json"), b"{")

    assert received.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_stalled"' in received


def test_endless_headers_are_cut(hub: ServedHub) -> None:
    received = speak(hub, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000)

    assert received.startswith(b"HTTP/1.1 400 ")


def test_a_request_without_tls_does_not_stop_the_hub(hub: ServedHub) -> None:
    port = int(hub.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            line.recv(1000)

    assert hub.call("GET", "/healthz").status == 200


def test_an_unforeseen_error_tells_its_number_and_nothing_of_the_inside(
    hub: ServedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("an inner secret")

    monkeypatch.setattr(Fleet, "page", fail)
    with capture_logs() as logged:
        answer = hub.call("GET", paths.NODES)
        line = wait_until(
            lambda: next((entry for entry in logged if entry["event"] == "request.failed"), None),
            what="a line in the log",
            timeout_s=5,
        )

    assert (answer.status, answer.code) == (500, "internal")
    assert answer.headers["x-request-id"].encode() in answer.body
    assert b"secret" not in answer.body
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["route"] == paths.NODES


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/nothing", "/login", paths.NODES])
def test_every_answer_has_the_security_headers(hub: ServedHub, path: str) -> None:
    headers = hub.call("GET", path).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["strict-transport-security"].startswith("max-age=")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["x-request-id"]


def test_requests_beyond_the_limit_are_told_to_come_back(tmp_path: Path) -> None:
    nobody = HttpSettings(requests_max=1)
    with serving(HubSettings(data_dir=str(tmp_path), port=0, http=nobody)) as hub:
        with contextlib.closing(hub.connect()) as line:
            line.sendall(head(hub, paths.NODE_TOKENS, "Content-Length: 10", "Expect: 100-continue"))
            assert line.recv(1000).startswith(b"HTTP/1.1 100 ")
            answer = hub.call("GET", "/healthz")

        assert (answer.status, answer.code) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) > 0
