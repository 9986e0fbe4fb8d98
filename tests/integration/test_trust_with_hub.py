"""A ceremony over HTTP on a running hub, and what an enrolled node on the real link accepts before and after."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import Timestamp

from ganglion.core.errors import InvalidRequest
from ganglion.core.identity_errors import Unauthenticated
from ganglion.core.trust_errors import (
    ArtifactUntrusted,
    AssignmentOutdated,
    KeyMismatch,
    ProposalRefused,
    SignaturesMissing,
)
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.trust import edition
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.wire import paths
from integration.trust_world import World, trust_world
from unit.trust.ceremonies import keyid, signer


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with trust_world(tmp_path) as made:
        yield made


@pytest.fixture
def production(world: World) -> World:
    world.release("1")
    assert world.accepts(world.roll_out("1"))
    world.take_keys_off()
    return world


def test_an_enrolled_node_follows_a_running_hub_out_of_development_mode(production: World) -> None:
    assert production.client.trust().mode == "production"
    assert production.accepts(production.told().assignments[0])

    production.release("2", key="publisher")

    assert production.accepts(production.roll_out("2"))


def test_a_node_needs_the_hubs_word_beside_the_model_roles(production: World) -> None:
    told = production.told().assignments[0]
    production.release("2", key="publisher")

    for changed in (
        msgspec.structs.replace(told, statement=b"", statement_key="", statement_signature=b""),
        msgspec.structs.replace(told, statement_signature=bytes(64)),
        msgspec.structs.replace(told, policy=msgspec.structs.replace(told.policy, probation_s=0.0)),
        msgspec.structs.replace(told, rollout_id="another"),
    ):
        with pytest.raises(ArtifactUntrusted):
            production.accepts(changed)


def test_an_assignment_of_one_node_is_worth_nothing_to_another(production: World) -> None:
    told = production.told().assignments[0]
    production.node = production.hub.join("second gate".replace(" ", "-"))

    with pytest.raises(ArtifactUntrusted, match="names another node"):
        production.accepts(told)


def test_a_replaced_key_for_assignments_makes_every_desired_state_news(production: World) -> None:
    before = production.told()
    production.publish(
        ceremony.rotate_online(production.start(), production.offered()["assignment"], production.terms()), "ada", "bo"
    )

    after = production.told()

    assert after.revision > before.revision
    assert production.accepts(after.assignments[0])
    with pytest.raises(AssignmentOutdated):
        production.accepts(before.assignments[0])


def freeze_out(world: World) -> None:
    """Serve, for a moment, a timestamp that no honest one will ever follow, signed with the hub's own key."""
    repository = world.hub.hub.repository
    now, signing = edition.load(repository._files.read), repository._signing()
    meta = now.timestamp.signed.snapshot_meta
    forged = Timestamp(version=2**31, expires=signing.expiry(Timestamp), snapshot_meta=meta)
    repository._files.write("timestamp.json", signing.sign("timestamp", forged, now.root.signed).to_bytes())
    world.accepts(world.told().assignments[0])
    repository._files.write("timestamp.json", now.timestamp.to_bytes())
    with pytest.raises(ArtifactUntrusted):
        world.accepts(world.told().assignments[0])


def test_a_node_that_saw_a_timestamp_of_version_2_31_comes_back_after_new_keys(production: World) -> None:
    freeze_out(production)

    offered, proposed = production.offered(), production.start()
    for role in ("snapshot", "timestamp"):
        proposed = ceremony.rotate_online(proposed, offered[role], production.terms())
    production.publish(proposed, "ada", "cy")

    assert production.accepts(production.told().assignments[0])


def test_the_hub_refuses_what_too_few_have_signed_and_says_whose_signatures_are_missing(production: World) -> None:
    renewed = ceremony.renew(production.start(), ["root"], production.terms())

    with pytest.raises(SignaturesMissing, match="root has 1 of 2"):
        production.publish(renewed, "ada")
    with pytest.raises(ProposalRefused):
        production.client.install_trust({"root": b"{}"})
    with pytest.raises(ProposalRefused):
        production.client.install_trust({})
    assert production.client.trust().root_version == 2


def test_a_publisher_signs_no_list_that_somebody_else_made(production: World) -> None:
    with pytest.raises(InvalidRequest, match="not the one"):
        production.release("2", key="mallory")
    with pytest.raises(SignaturesMissing, match="no role"):
        production.release("1", key="publisher", model="gauges")
    with pytest.raises(SignaturesMissing, match="--key"):
        production.release("2")


def test_a_revoked_publisher_releases_nothing_more(production: World) -> None:
    production.release("2", key="publisher")
    revoked = ceremony.revoke(production.start(), keyid("publisher"), signer("di").public_key, {}, production.terms())
    production.publish(revoked, "bo", "cy", "di")

    with pytest.raises(InvalidRequest, match="not the one"):
        production.release("3", key="publisher")
    production.release("3", key="di")

    assert production.accepts(production.roll_out("3"))


def test_trust_is_shown_to_accounts_alone(world: World) -> None:
    stranger = HubClient(world.hub.url, ca_pem=world.hub.ca_file.read_bytes(), token="nobody")
    with stranger, pytest.raises(Unauthenticated):
        stranger.trust()

    for path in (paths.TRUST, paths.TRUST_DOCUMENTS):
        assert world.node.call("GET", path).status == 403
    for path in (paths.TRUST_PROPOSALS, paths.TRUST_MODELS, paths.TRUST_ONLINE_KEYS):
        assert world.node.call("POST", path, b'{"documents":{}}').status == 403


def test_no_answer_holds_a_private_key(world: World) -> None:
    texts = [world.hub.call("GET", path).body for path in (paths.TRUST, paths.TRUST_DOCUMENTS)]

    for file in (world.directory / "hub" / "keys").iterdir():
        assert not any(file.read_bytes().hex().encode() in text for text in texts)


def test_prometheus_sees_when_each_role_expires(production: World) -> None:
    text = production.hub.call("GET", "/metrics").body.decode()

    for role in ("root", "targets", "snapshot", "timestamp", "model-digits"):
        assert f'ganglion_trust_expiry_timestamp_seconds{{role="{role}"}}' in text
        assert f'ganglion_trust_due{{role="{role}"}} 0.0' in text


def test_a_hub_that_lost_its_own_keys_does_not_start_with_others(production: World) -> None:
    keys = production.directory / "hub" / "keys"
    (keys / "timestamp.key").unlink()

    with pytest.raises(KeyMismatch):
        production.hub.hub.repository.initialise()


def test_a_hub_that_cannot_recover_alone_tells_its_key_holders_what_to_name(production: World) -> None:
    assert not any(key.is_new for key in production.client.trust().online_keys)

    production.hub.hub.repository.recover()

    told = {key.role: key.is_new for key in production.client.trust().online_keys}
    assert told == {"snapshot": True, "timestamp": True, "assignment": True}
