"""What the node's link makes of connections that end, or stay silent, at an awkward moment."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ganglion.adapters.https_link import HttpsHubLink, Identity, LinkSettings
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import HubUnreachable
from ganglion.testing.memory_files import MemoryMetadataFiles
from ganglion.testing.memory_keys import MemoryKeys
from ganglion.wire import paths
from ganglion.wire.desired import NodeReport
from ganglion.wire.identity import AccessReply, Challenge, NodeFacts
from ganglion.wire.records import Ack, Batch
from integration.scripted_hub import HANGS_UP, IS_SILENT, Reply, ScriptedHub, scripted_hub

AGES = 600.0
NOTHING_NEW = Reply(status=204, keeps_open=True)
FACTS = NodeFacts(arch="x86_64", runtime="onnxruntime", cores=4, memory_bytes=8_000_000_000, release="0.1.0")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ScriptedHub]:
    with scripted_hub(tmp_path / "tls") as running:
        proven = AccessReply(access_token="token", expires_in_s=600)
        running.answers(paths.CHALLENGE, kept(Challenge(nonce="n", expires_in_s=60, issued_at_s=0.0)))
        running.answers(paths.ACCESS, kept(proven))
        running.answers(paths.DESIRED, NOTHING_NEW)
        yield running


def kept(value: object) -> Reply:
    return replace(Reply.of(value), keeps_open=True)


def a_link(url: str, ca_pem: bytes, settings: LinkSettings | None = None) -> HttpsHubLink:
    return HttpsHubLink(
        identity=Identity(hub_url=url, node_id="n", audience="pin", keys=MemoryKeys()),
        ca_pem=ca_pem,
        tuf_root=b"{}",
        open_metadata=MemoryMetadataFiles,
        clock=SystemClock(),
        settings=settings or LinkSettings(),
    )


def a_link_to(hub: ScriptedHub, settings: LinkSettings | None = None) -> HttpsHubLink:
    """A link that holds a connection on which the hub has answered before."""
    link = a_link(hub.url, hub.ca_pem, settings)
    ask(link)
    hub.asked.clear()
    return link


def ask(link: HttpsHubLink) -> None:
    assert link.desired(after_incarnation="", after_revision=-1, wait_s=0.0) is None


def lines(hub: ScriptedHub, path: str) -> list[int]:
    return [asked.line for asked in hub.asked if asked.path.startswith(path)]


def a_report() -> NodeReport:
    return NodeReport(incarnation="", revision=-1, models=(), facts=FACTS, epoch="e1", made=0, waiting=0)


def test_a_connection_is_used_again(hub: ScriptedHub) -> None:
    link = a_link_to(hub)

    ask(link)
    ask(link)

    assert len(set(lines(hub, paths.DESIRED))) == 1


def test_a_question_on_a_connection_that_has_ended_meanwhile_is_asked_again_at_once(hub: ScriptedHub) -> None:
    link = a_link_to(hub)
    hub.answers(paths.DESIRED, HANGS_UP, NOTHING_NEW)

    ask(link)

    first, second = lines(hub, paths.DESIRED)
    assert first != second


def test_a_report_is_sent_again_at_once(hub: ScriptedHub) -> None:
    link = a_link_to(hub)
    hub.answers(paths.REPORT, HANGS_UP, NOTHING_NEW)

    link.report(a_report())

    assert len(lines(hub, paths.REPORT)) == 2


def test_a_batch_is_sent_again_at_once(hub: ScriptedHub) -> None:
    link = a_link_to(hub)
    hub.answers(paths.BATCHES, HANGS_UP, kept(Ack("e1", 7)))

    assert link.send(Batch(id="b1", epoch="e1", sent_at_ns=0, records=())) == Ack("e1", 7)


def test_a_proof_which_is_good_once_is_not_sent_twice(hub: ScriptedHub) -> None:
    hub.answers(paths.ACCESS, HANGS_UP)

    with pytest.raises(HubUnreachable):
        ask(a_link(hub.url, hub.ca_pem))

    assert lines(hub, paths.ACCESS) == lines(hub, paths.CHALLENGE)


def test_a_hub_that_hangs_up_on_a_new_connection_is_not_pressed(hub: ScriptedHub) -> None:
    hub.answers(paths.CHALLENGE, HANGS_UP)

    with pytest.raises(HubUnreachable, match="without response"):
        ask(a_link(hub.url, hub.ca_pem))

    assert len(hub.asked) == 1


def test_a_hub_that_always_hangs_up_is_asked_on_one_new_connection(hub: ScriptedHub) -> None:
    link = a_link_to(hub)
    hub.answers(paths.DESIRED, HANGS_UP)

    with pytest.raises(HubUnreachable, match="without response"):
        ask(link)

    assert len(lines(hub, paths.DESIRED)) == 2


def test_silence_is_called_a_deadline_that_passed(hub: ScriptedHub) -> None:
    link = a_link_to(hub, LinkSettings(request_timeout_s=0.2))
    hub.answers(paths.DESIRED, IS_SILENT)

    with pytest.raises(HubUnreachable, match="timed out"):
        ask(link)

    assert len(lines(hub, paths.DESIRED)) == 1


def test_a_hub_that_shakes_no_hands_is_left_when_connecting_has_taken_its_time(hub: ScriptedHub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        link = a_link(
            f"https://127.0.0.1:{deaf.getsockname()[1]}",
            hub.ca_pem,
            LinkSettings(connect_timeout_s=0.05, request_timeout_s=AGES),
        )

        with pytest.raises(HubUnreachable, match="handshake operation timed out"):
            ask(link)


def test_a_hub_that_ends_while_hands_are_shaken_is_away_and_no_impostor(hub: ScriptedHub) -> None:
    def hang_up() -> None:
        with ending.accept()[0] as accepted:
            accepted.recv(65_536)

    with socket.create_server(("127.0.0.1", 0)) as ending, ThreadPoolExecutor(1) as threads:
        threads.submit(hang_up)

        with pytest.raises(HubUnreachable, match="ended the connection"):
            ask(a_link(f"https://127.0.0.1:{ending.getsockname()[1]}", hub.ca_pem))


def test_connecting_has_no_more_time_than_the_request_itself(hub: ScriptedHub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        link = a_link(
            f"https://127.0.0.1:{deaf.getsockname()[1]}",
            hub.ca_pem,
            LinkSettings(connect_timeout_s=AGES, request_timeout_s=0.05),
        )

        with pytest.raises(HubUnreachable, match="handshake operation timed out"):
            ask(link)
