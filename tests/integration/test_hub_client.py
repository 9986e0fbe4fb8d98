import re
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ganglion.core.errors import (
    Broken,
    Conflict,
    GanglionError,
    HubUnreachable,
    InvalidName,
    NotFound,
    Overloaded,
    TooLarge,
)
from ganglion.core.identity_errors import CaMismatch, Unauthenticated
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import parse_address
from ganglion.entrypoints.settings.client import ClientSettings
from ganglion.wire import paths
from ganglion.wire.problems import PROBLEM_TYPE
from ganglion.wire.resources import LabelRequest, LabelsReply, NodeView, TokenReply, TokenRequest
from integration.scripted_hub import PATIENCE, Reply, ScriptedHub, client_of, scripted_hub

NODE = NodeView("id-1", "gate-1", "porto", "default", "x86_64-2", "active", 1.0, None)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ScriptedHub]:
    with scripted_hub(tmp_path / "tls") as scripted:
        yield scripted


@pytest.fixture
def client(hub: ScriptedHub) -> Iterator[HubClient]:
    with client_of(hub) as connected:
        yield connected


def test_an_answer_is_typed_and_the_question_carries_the_token(hub: ScriptedHub, client: HubClient) -> None:
    hub.answers(paths.NODES, Reply.of([NODE]))

    assert client.nodes() == [NODE]
    assert hub.asked[0].headers["Authorization"] == "Bearer account-token"


def test_a_body_is_sent_as_json(hub: ScriptedHub, client: HubClient) -> None:
    reply = TokenReply("secret", "gate-2", 5.0)
    hub.answers(paths.NODE_TOKENS, Reply.of(reply))

    assert client.create_node_token(TokenRequest("gate-2")) == reply
    assert msgspec.json.decode(hub.asked[0].body, type=TokenRequest) == TokenRequest("gate-2")


def test_only_given_filters_are_sent(hub: ScriptedHub, client: HubClient) -> None:
    hub.answers(paths.SAMPLES, Reply.of([]))

    client.samples(model="digits & co", unlabelled=True, limit=7)

    assert hub.asked[0].path == f"{paths.SAMPLES}?model=digits+%26+co&unlabelled=true&limit=7"


def test_labels_are_counted_by_the_hub(hub: ScriptedHub, client: HubClient) -> None:
    hub.answers(paths.LABELS, Reply.of(LabelsReply(1)))

    assert client.label([LabelRequest("n-e-1", "7")]) == 1


def test_an_empty_answer_is_enough_where_none_is_needed(hub: ScriptedHub, client: HubClient) -> None:
    hub.answers(paths.node("gate-1", "revoke"), Reply(status=204))

    client.revoke_node("gate-1")

    assert hub.asked[0].method == "POST"


@pytest.mark.parametrize("error", [NotFound("no such node"), Conflict("twice"), Unauthenticated("expired")])
def test_the_hub_s_error_is_raised_as_the_same_class(hub: ScriptedHub, client: HubClient, error: GanglionError) -> None:
    hub.answers(paths.NODES, Reply.refusing(error))

    with pytest.raises(type(error)) as raised:
        client.nodes()

    assert raised.value.message == error.message


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<html>", 502, "text/html"),
        Reply(b"", 404, ""),
        Reply(b"not json", 400, PROBLEM_TYPE),
        Reply(b"", 301, "text/html"),
    ],
)
def test_an_error_that_no_hub_writes_says_that_this_may_be_no_hub(
    hub: ScriptedHub, client: HubClient, reply: Reply
) -> None:
    hub.answers(paths.NODES, reply)

    with pytest.raises(HubUnreachable, match="is a hub at this address"):
        client.nodes()


@pytest.mark.parametrize("body", [b"{", b'[{"name": 3}]', b"\xff"])
def test_an_answer_of_another_shape_is_not_believed(hub: ScriptedHub, client: HubClient, body: bytes) -> None:
    hub.answers(paths.NODES, Reply(body))

    with pytest.raises(Broken, match="another release"):
        client.nodes()


def test_a_question_is_asked_again_after_a_passing_error(hub: ScriptedHub, client: HubClient) -> None:
    hub.answers(paths.NODES, Reply.refusing(Overloaded("busy")), Reply.of([NODE]))

    assert client.nodes() == [NODE]
    assert len(hub.asked) == 2


def test_the_last_passing_error_is_raised(hub: ScriptedHub, client: HubClient) -> None:
    hub.answers(paths.NODES, Reply.refusing(Overloaded("busy")))

    with pytest.raises(Overloaded):
        client.nodes()

    assert len(hub.asked) == 1 + PATIENCE.retries_max


def test_what_changes_something_is_never_sent_twice(hub: ScriptedHub, client: HubClient) -> None:
    hub.answers(paths.NODE_TOKENS, Reply.refusing(Overloaded("busy")))

    with pytest.raises(Overloaded):
        client.create_node_token(TokenRequest("gate-2"))

    assert len(hub.asked) == 1


def test_a_hub_that_does_not_listen_is_unreachable_and_named(hub: ScriptedHub) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{taken.getsockname()[1]}"

        with (
            client_of(hub, url=url) as client,
            pytest.raises(HubUnreachable, match=re.escape(f"{url} cannot be reached: Connection refused")),
        ):
            client.nodes()


def test_a_hub_that_says_nothing_is_unreachable_in_time(hub: ScriptedHub) -> None:
    hasty = ClientSettings(timeout_s=0.05, connect_timeout_s=0.05, retries_max=0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"

        with client_of(hub, url=url, settings=hasty) as client, pytest.raises(HubUnreachable, match="in time"):
            client.nodes()


def test_an_answer_that_breaks_off_is_no_answer(hub: ScriptedHub, client: HubClient) -> None:
    hub.answers(paths.NODES, Reply(b"[", announced_bytes=100))

    with pytest.raises(HubUnreachable):
        client.nodes()


def test_an_answer_beyond_the_limit_is_not_read(hub: ScriptedHub) -> None:
    hub.answers(paths.NODES, Reply(b" " * 2000))

    with (
        client_of(hub, settings=ClientSettings(reply_bytes_max=1000)) as client,
        pytest.raises(TooLarge, match=r"client\.reply_bytes_max = 1000"),
    ):
        client.nodes()


def test_another_authority_than_the_pinned_one_is_refused(hub: ScriptedHub, tmp_path: Path) -> None:
    with scripted_hub(tmp_path / "other") as other, client_of(hub, url=other.url) as client:
        with pytest.raises(CaMismatch, match=other.url):
            client.nodes()

        assert other.asked == []


def test_a_certificate_for_another_name_is_refused(hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    here = socket.getaddrinfo("127.0.0.1", parse_address(hub.url).port, type=socket.SOCK_STREAM)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: here)

    with client_of(hub, url="https://elsewhere.example") as client, pytest.raises(CaMismatch, match="another name"):
        client.nodes()


@pytest.mark.parametrize("name", ["..", "a/b", "", "gate 1", "x" * 65])
def test_a_name_that_cannot_be_one_is_refused_before_it_is_sent(hub: ScriptedHub, client: HubClient, name: str) -> None:
    with pytest.raises(InvalidName):
        client.node(name)

    assert hub.asked == []


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "tokén"])
def test_a_token_that_cannot_be_one_is_refused_before_it_is_sent(hub: ScriptedHub, token: str) -> None:
    with pytest.raises(Unauthenticated):
        HubClient(hub.url, ca_pem=hub.ca_pem, token=token)
