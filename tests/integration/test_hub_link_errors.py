"""What the node's link makes of a hub that answers with trouble of its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ganglion.adapters.https_link import HttpsHubLink, Identity, LinkSettings
from ganglion.adapters.system import SystemClock
from ganglion.core.delivery_errors import Busy
from ganglion.core.errors import DataCorrupt, DiskUnusable, GanglionError, HubUnreachable, NotFound, Overloaded
from ganglion.core.identity_errors import Unauthenticated
from ganglion.testing.memory_files import MemoryMetadataFiles
from ganglion.testing.memory_keys import MemoryKeys
from ganglion.wire import paths
from integration.scripted_hub import Reply, ScriptedHub, scripted_hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ScriptedHub]:
    with scripted_hub(tmp_path / "tls") as running:
        yield running


def a_link(hub: ScriptedHub, *, ca_pem: bytes | None = None) -> HttpsHubLink:
    return HttpsHubLink(
        identity=Identity(hub_url=hub.url, node_id="n", audience="pin", keys=MemoryKeys()),
        ca_pem=hub.ca_pem if ca_pem is None else ca_pem,
        tuf_root=b"{}",
        open_metadata=MemoryMetadataFiles,
        clock=SystemClock(),
        settings=LinkSettings(),
    )


@pytest.mark.parametrize(
    "trouble", [DiskUnusable("control.db: full"), DataCorrupt("control.db: malformed"), GanglionError("request r1")]
)
def test_a_hub_that_is_broken_is_a_hub_that_is_away(hub: ScriptedHub, tmp_path: Path, trouble: GanglionError) -> None:
    hub.answers(paths.CHALLENGE, Reply.refusing(trouble))

    with pytest.raises(HubUnreachable, match=trouble.code):
        a_link(hub).desired(after_incarnation="", after_revision=-1, wait_s=0.0)


@pytest.mark.parametrize("word", [Unauthenticated("revoked"), Overloaded("busy"), NotFound("nothing here")])
def test_what_the_hub_says_of_the_request_itself_is_passed_on(
    hub: ScriptedHub, tmp_path: Path, word: GanglionError
) -> None:
    hub.answers(paths.CHALLENGE, Reply.refusing(word))

    with pytest.raises(type(word), match=word.message):
        a_link(hub).desired(after_incarnation="", after_revision=-1, wait_s=0.0)


def test_an_answer_of_something_else_is_no_hub(hub: ScriptedHub, tmp_path: Path) -> None:
    hub.answers(paths.CHALLENGE, Reply(b"<html>proxy</html>", 502, "text/html"))

    with pytest.raises(HubUnreachable, match="502"):
        a_link(hub).desired(after_incarnation="", after_revision=-1, wait_s=0.0)


@pytest.mark.parametrize("pem", [b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n"])
def test_a_damaged_certificate_authority_is_named(hub: ScriptedHub, tmp_path: Path, pem: bytes) -> None:
    with pytest.raises(DataCorrupt, match="join again"):
        a_link(hub, ca_pem=pem)


@pytest.mark.parametrize(
    ("header", "asked_s"),
    [("17", 17.0), ("", None), ("Wed, 21 Oct 2015 07:28:00 GMT", None), ("-3", None), ("9" * 40, None)],
)
def test_when_the_hub_wants_to_be_asked_again_is_passed_on(
    hub: ScriptedHub, header: str, asked_s: float | None
) -> None:
    busy = Reply.refusing(Busy("64 batches are being stored"))
    hub.answers(paths.CHALLENGE, replace(busy, retry_after=header))

    with pytest.raises(Busy) as caught:
        a_link(hub).desired(after_incarnation="", after_revision=-1, wait_s=0.0)

    assert caught.value.retry_after_s == asked_s


def test_a_proxy_that_names_a_delay_is_believed(hub: ScriptedHub) -> None:
    hub.answers(paths.CHALLENGE, Reply(b"slow down", 429, "text/plain", retry_after="30"))

    with pytest.raises(HubUnreachable) as caught:
        a_link(hub).desired(after_incarnation="", after_revision=-1, wait_s=0.0)

    assert caught.value.retry_after_s == 30.0
