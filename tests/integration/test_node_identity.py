"""Keys, tokens and standing of nodes, over HTTP with a real hub."""

import json
import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ganglion.adapters.files import DirectoryFiles
from ganglion.adapters.https_link import HttpsHubLink, Identity, LinkSettings
from ganglion.adapters.node_keys import NodeKeyFiles
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import Conflict, DataCorrupt, NotFound
from ganglion.core.identity_errors import KeyReplaced, NodeQuarantined, TokenRefused
from ganglion.entrypoints.hub_api import session
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.node import provisioning
from ganglion.entrypoints.node.join import join_from
from ganglion.entrypoints.node.provisioning import FILE_NAME, Provision, TokenFile
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.hub.domain.nodes.lifecycle import StandingSettings
from ganglion.node.services.identity import load_identity
from ganglion.node.services.places import Places
from ganglion.ports.node_keys import NodeKeys
from ganglion.wire.desired import DesiredState
from ganglion.wire.resources import NodeView, TokenRequest
from integration.hub_api_world import ServedHub, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    standing = StandingSettings(measured_allowed={"image_sha256": ("good",)}, measured_quarantine=True)
    settings = HubSettings(data_dir=str(tmp_path_factory.mktemp("hub")), port=0, standing=standing)
    with serving(settings) as hub:
        yield hub


@pytest.fixture
def client(served: ServedHub) -> Iterator[HubClient]:
    with HubClient(served.url, ca_pem=served.hub.tls.ca_path.read_bytes(), token=served.token) as connected:
        yield connected


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    directory = tmp_path / "stick"
    directory.mkdir()
    return directory


def put_tokens(client: HubClient, stick: Path, *names: str) -> Path:
    requests = [TokenRequest(name, site="porto") for name in names]
    file = stick / FILE_NAME
    TokenFile(file).write(provisioning.provisions(client.url, requests, client.create_node_tokens(requests)))
    return file


def keys_in(data: Path) -> NodeKeyFiles:
    return NodeKeyFiles(Places(data).private_key.parent)


def joined(client: HubClient, stick: Path, data: Path, name: str) -> Path:
    put_tokens(client, stick, name)
    join_from(stick, "", data, keys=keys_in(data))
    return data


def link_of(data: Path, *, keys: NodeKeys | None = None, image: str = "good") -> HttpsHubLink:
    places, identity = Places(data), load_identity(Places(data).identity)

    def measure() -> Mapping[str, str]:
        return {"image_sha256": image}

    return HttpsHubLink(
        identity=Identity(
            hub_url=identity.hub_url,
            node_id=identity.node_id,
            audience=identity.ca_pin,
            keys=keys or keys_in(data),
            measure=measure,
        ),
        ca_pem=places.ca.read_bytes(),
        tuf_root=places.tuf_root.read_bytes(),
        open_metadata=partial(DirectoryFiles, places.tuf_metadata),
        clock=SystemClock(),
        settings=LinkSettings(),
    )


def ask(link: HttpsHubLink) -> DesiredState:
    state = link.desired(after_incarnation="", after_revision=-1, wait_s=0)
    assert state is not None
    return state


def copy_of(data: Path, to: Path) -> Path:
    for file in [file for file in data.rglob("*") if file.is_file()]:
        (to / file.relative_to(data)).parent.mkdir(parents=True, exist_ok=True)
        (to / file.relative_to(data)).write_bytes(file.read_bytes())
    return to


class CutOff(Exception):
    """Where the power went."""


class PowerCutAtAdoption(NodeKeyFiles):
    """The machine stops when the hub has accepted the next key, and before the node has noted it."""

    def adopt(self) -> None:
        raise CutOff


def test_a_node_that_the_hub_asks_changes_its_key_and_a_copy_of_its_disk_is_refused(
    client: HubClient, stick: Path, tmp_path: Path
) -> None:
    data = joined(client, stick, tmp_path / "node", "rekeyed")
    copy = copy_of(data, tmp_path / "copy")
    before = keys_in(data).current().public_key
    link = link_of(data)
    assert ask(link).rekey_of == ""

    client.act_on_node("rekeyed", "rekey")
    assert ask(link).rekey_of == before
    assert link.rekey(before)

    assert keys_in(data).current().public_key != before
    assert not link.rekey(before)
    assert ask(link).rekey_of == ""
    with pytest.raises(KeyReplaced):
        ask(link_of(copy))
    assert [event.name for event in client.events(node="rekeyed")] == ["node.cloned"]


def test_a_power_cut_while_the_key_is_changed_locks_nobody_out(client: HubClient, stick: Path, tmp_path: Path) -> None:
    data = joined(client, stick, tmp_path / "node", "cut")
    before = keys_in(data).current().public_key
    with pytest.raises(CutOff):
        link_of(data, keys=PowerCutAtAdoption(Places(data).private_key.parent)).rekey(before)

    ask(link_of(data))

    assert keys_in(data).current().public_key != before
    assert keys_in(data).upcoming() is None
    assert client.events(node="cut") == []


def test_a_next_key_that_the_hub_never_heard_of_is_announced_later(
    client: HubClient, stick: Path, tmp_path: Path
) -> None:
    data = joined(client, stick, tmp_path / "node", "unheard")
    keys = keys_in(data)
    before, upcoming = keys.current().public_key, keys.prepare().public_key
    link = link_of(data)
    ask(link)
    assert keys.current().public_key == before

    assert link.rekey(before)

    assert keys.current().public_key == upcoming


def test_a_node_with_another_image_is_quarantined_until_it_is_admitted_and_right(
    client: HubClient, stick: Path, tmp_path: Path
) -> None:
    data = joined(client, stick, tmp_path / "node", "odd")
    assert client.node("odd").state == "pending"
    ask(link_of(data))
    assert client.node("odd").state == "active"

    with pytest.raises(NodeQuarantined, match="image_sha256"):
        ask(link_of(data, image="changed"))
    with pytest.raises(NodeQuarantined):
        ask(link_of(data))

    view = client.node("odd")
    assert (view.state, view.measured) == ("quarantined", {"image_sha256": "good"})
    assert "image_sha256" in view.quarantine_reason
    client.act_on_node("odd", "admit")
    ask(link_of(data))
    assert client.node("odd").state == "active"


def test_a_thousand_tokens_are_made_at_once_or_none(client: HubClient, stick: Path) -> None:
    requests = [TokenRequest(f"many-{number}") for number in range(1000)]

    replies = client.create_node_tokens(requests)

    assert len({reply.token for reply in replies}) == 1000
    assert [reply.name for reply in replies] == [request.name for request in requests]


def test_a_name_that_is_taken_makes_no_token_at_all(
    client: HubClient, served: ServedHub, stick: Path, tmp_path: Path
) -> None:
    joined(client, stick, tmp_path / "node", "taken")

    with pytest.raises(Conflict, match="of the names are taken: taken"):
        client.create_node_tokens([TokenRequest("free"), TokenRequest("taken")])

    assert served.hub.enrolment.create_token(TokenRequest("free")).name == "free"


def test_each_machine_takes_a_line_of_the_stick_and_the_last_takes_the_file(
    client: HubClient, stick: Path, tmp_path: Path
) -> None:
    file = put_tokens(client, stick, "first", "second")
    text = file.read_text()

    one = join_from(stick, "second", tmp_path / "2", keys=keys_in(tmp_path / "2"))
    left = file.read_text()
    other = join_from(stick, "", tmp_path / "1", keys=keys_in(tmp_path / "1"))

    assert (one.name, other.name, other.site) == ("second", "first", "porto")
    assert left == text.splitlines(keepends=True)[0]
    assert not file.exists()


def test_joining_at_every_start_of_the_machine_leaves_a_node_as_it_is(
    client: HubClient, stick: Path, tmp_path: Path
) -> None:
    data = joined(client, stick, tmp_path / "node", "booting")

    again = join_from(stick, "", data, keys=keys_in(data))

    assert again.name == "booting"


def test_a_stick_without_tokens_says_so(client: HubClient, stick: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=FILE_NAME):
        join_from(stick, "", tmp_path / "node", keys=keys_in(tmp_path / "node"))

    (stick / FILE_NAME).write_bytes(b"\xff\x00 no tokens")
    with pytest.raises(DataCorrupt, match="not a file of join tokens"):
        join_from(stick, "", tmp_path / "node", keys=keys_in(tmp_path / "node"))

    put = {"hub": client.url, "name": "forged", "token": f"{'0' * 48}.{'0' * 64}"}
    (stick / FILE_NAME).write_text(json.dumps(put))
    with pytest.raises(NotFound, match="no token for 'other'"):
        join_from(stick, "other", tmp_path / "node", keys=keys_in(tmp_path / "node"))


def test_a_refused_token_stays_on_the_stick(served: ServedHub, stick: Path, tmp_path: Path) -> None:
    file = stick / FILE_NAME
    TokenFile(file).write([Provision(hub=served.url, name="x", token=f"{'0' * 48}.{served.ca_pin}")])

    with pytest.raises(TokenRefused):
        join_from(stick, "", tmp_path / "node", keys=keys_in(tmp_path / "node"))

    assert file.exists()


def test_a_file_of_tokens_is_for_its_owner_alone_and_overwrites_nothing(client: HubClient, stick: Path) -> None:
    file = put_tokens(client, stick, "private")

    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Conflict, match="exists already"):
        TokenFile(file)


def test_a_line_is_overwritten_in_place_before_it_goes(client: HubClient, stick: Path) -> None:
    file = put_tokens(client, stick, "wiped", "kept")
    line = provisioning.take(file)
    descriptor = os.open(file, os.O_RDONLY)

    provisioning.wipe(file, line)

    assert line.token.encode() not in os.pread(descriptor, 10_000, 0)
    os.close(descriptor)


def test_a_retired_node_is_shown_and_its_name_stays_taken(client: HubClient, stick: Path, tmp_path: Path) -> None:
    joined(client, stick, tmp_path / "node", "old")

    client.act_on_node("old", "retire")

    views: list[NodeView] = [view for view in client.nodes() if view.name == "old"]
    assert [view.state for view in views] == ["retired"]
    with pytest.raises(Conflict, match="was retired"):
        client.create_node_token(TokenRequest("old"))


def test_a_click_on_the_page_admits_a_node_in_quarantine(
    client: HubClient, served: ServedHub, stick: Path, tmp_path: Path
) -> None:
    data = joined(client, stick, tmp_path / "node", "clicked")
    with pytest.raises(NodeQuarantined):
        ask(link_of(data, image="changed"))
    secret = served.hub.accounts.open_session(served.token)
    cookie = {"Cookie": f"{session.COOKIE}={secret}", "Content-Type": "application/x-www-form-urlencoded"}

    page = served.call("GET", "/", token="", headers=cookie).body.decode()
    forged = served.call("POST", "/admit", token="", headers=cookie, body=b"name=clicked&csrf=0")
    still = client.node("clicked").state
    form = urlencode({"name": "clicked", "csrf": session.csrf_token(secret)}).encode()
    answer = served.call("POST", "/admit", token="", headers=cookie, body=form)

    assert "Admit clicked" in page
    assert (forged.status, still) == (403, "quarantined")
    assert (answer.status, client.node("clicked").state) == (303, "pending")
    ask(link_of(data))
