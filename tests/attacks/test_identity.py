"""Attacks 19 to 25: pretending to be a node, coming back as an old one, and staying away."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

import pytest

from ganglion.core.errors import Conflict, GanglionError, InvalidRequest
from ganglion.core.identity_errors import KeyReplaced, NodeQuarantined, TokenRefused, Unauthenticated
from ganglion.hub.domain.nodes.lifecycle import Standing, StandingSettings, standing_of
from ganglion.trust import assertion, node_statements
from ganglion.trust.node_statements import Measured
from ganglion.wire import codec
from ganglion.wire.identity import AccessRequest, JoinRequest
from ganglion.wire.resources import TokenRequest
from unit.hub.enrolments import FACTS, PIN, HubAtHand, NodeAtHand

DAY_S = 86_400.0
KEY, OTHER_KEY = (assertion.public_key_of(bytes([fill]) * 32) for fill in (1, 2))


@pytest.fixture
def hub() -> HubAtHand:
    return HubAtHand()


@pytest.fixture
def node(hub: HubAtHand) -> NodeAtHand:
    return hub.join()


def join_request(hub: HubAtHand, name: str = "gate-1", *, key: str = KEY) -> JoinRequest:
    token = hub.enrolment.create_token(TokenRequest(name=name, site="porto", zone="inner")).token
    return JoinRequest(token=token, public_key=key, facts=FACTS)


def access_request(node: NodeAtHand, **changed: object) -> AccessRequest:
    """Return a good proof, but for what is changed."""
    challenge = node.hub.enrolment.challenge()
    claims = {"audience": PIN, "nonce": challenge.nonce, "issued_at_s": challenge.issued_at_s} | changed
    payload = assertion.compose(node_id=node.identity.node_id, **claims)  # type: ignore[arg-type]  # claims as given
    return AccessRequest(payload, node.keys.current().sign(assertion.signed_bytes(payload)))


def test_attack_19_a_join_token_is_good_once(hub: HubAtHand) -> None:
    request = join_request(hub)
    hub.enrolment.join(request)

    with pytest.raises(TokenRefused, match="was used before"):
        hub.enrolment.join(JoinRequest(request.token, OTHER_KEY, FACTS))


def test_attack_19_an_expired_join_token_is_refused(hub: HubAtHand) -> None:
    request = join_request(hub)
    hub.clock.advance(3601)

    with pytest.raises(TokenRefused, match="has expired"):
        hub.enrolment.join(request)


def test_attack_19_a_join_token_for_an_enrolled_name_is_refused(hub: HubAtHand) -> None:
    first, second = join_request(hub), join_request(hub, key=OTHER_KEY)
    hub.enrolment.join(first)

    with pytest.raises(TokenRefused, match="is enrolled already"):
        hub.enrolment.join(second)


def test_attack_20_a_request_that_claims_another_name_and_zone_gets_those_of_its_token(hub: HubAtHand) -> None:
    claimed = json.loads(codec.encode_json(join_request(hub)))
    claimed |= {"name": "vault", "site": "lisbon", "zone": "outer", "node_id": "1"}

    reply = hub.enrolment.join(codec.decode_json(json.dumps(claimed).encode(), JoinRequest))

    assert (reply.name, reply.site) == ("gate-1", "porto")
    assert hub.row().zone == "inner"


def test_attack_21_a_copy_of_the_disk_from_before_the_rekey_is_refused_and_alarmed(
    hub: HubAtHand, node: NodeAtHand
) -> None:
    copy = node.copied()
    node.rekey()

    with pytest.raises(KeyReplaced):
        copy.prove()

    assert hub.events() == ["node.cloned"]
    hub.enrolment.authenticate(node.prove())


def test_attack_21_a_power_cut_of_the_hub_after_the_rekey_makes_the_old_key_no_better(
    hub: HubAtHand, node: NodeAtHand
) -> None:
    copy = node.copied()
    node.rekey()

    hub.control.cut_power()
    hub.start()

    with pytest.raises(KeyReplaced):
        copy.prove()


def test_what_a_power_cut_of_the_hub_takes_of_a_proof_comes_about_again(hub: HubAtHand, node: NodeAtHand) -> None:
    token = node.prove()

    hub.control.cut_power()
    hub.start()

    with pytest.raises(Unauthenticated):
        hub.enrolment.authenticate(token)
    hub.enrolment.authenticate(node.prove())


def test_attack_21_a_copy_that_rekeys_first_is_found_when_the_right_machine_comes(
    hub: HubAtHand, node: NodeAtHand
) -> None:
    node.copied().rekey()

    with pytest.raises(KeyReplaced):
        node.prove()

    assert hub.events() == ["node.cloned"]


def test_attack_21_an_access_token_of_the_copy_ends_with_the_rekey(hub: HubAtHand, node: NodeAtHand) -> None:
    of_the_copy = node.copied().prove()

    node.rekey()

    with pytest.raises(Unauthenticated):
        hub.enrolment.authenticate(of_the_copy)


def test_attack_21_without_the_present_key_an_access_token_announces_nothing(hub: HubAtHand, node: NodeAtHand) -> None:
    row = hub.enrolment.authenticate(node.prove())
    thief = NodeAtHand(hub, node.identity, hub.join("other").keys)

    with pytest.raises(Unauthenticated, match="not signed with the key that it needs"):
        hub.enrolment.announce_key(row, thief.announcement())

    assert hub.row().next_public_key == ""


def test_attack_21_an_announcement_sent_again_does_not_bring_an_old_key_back(hub: HubAtHand, node: NodeAtHand) -> None:
    row = hub.enrolment.authenticate(node.prove())
    announcement = node.announcement()
    hub.enrolment.announce_key(row, announcement)
    node.prove(upcoming=True)
    node.keys.adopt()

    with pytest.raises(Unauthenticated):
        hub.enrolment.announce_key(hub.row(), announcement)


def test_attack_22_ten_days_without_contact_are_nothing(hub: HubAtHand, node: NodeAtHand) -> None:
    node.prove()
    hub.clock.advance(10 * DAY_S)

    hub.enrolment.authenticate(node.prove())

    assert standing_of(hub.row()) is Standing.ACTIVE


def test_attack_22_past_the_grace_a_node_waits_for_an_operator(hub: HubAtHand, node: NodeAtHand) -> None:
    node.prove()
    hub.clock.advance(31 * DAY_S)

    with pytest.raises(NodeQuarantined, match="was away for 31"):
        node.prove()
    with pytest.raises(NodeQuarantined):
        node.prove()

    assert (standing_of(hub.row()), hub.events()) == (Standing.QUARANTINED, ["node.quarantined"])
    hub.clock.advance(90 * DAY_S)
    hub.standings.admit("gate-1")
    hub.enrolment.authenticate(node.prove())


def test_attack_22_the_time_that_the_hub_itself_was_away_is_excused(hub: HubAtHand, node: NodeAtHand) -> None:
    node.prove()
    hub.standings.ask_due()
    hub.clock.advance(60 * DAY_S)

    hub.start()

    hub.enrolment.authenticate(node.prove())


def test_attack_22_a_token_from_before_the_quarantine_is_worth_nothing(hub: HubAtHand, node: NodeAtHand) -> None:
    strict = HubAtHand(
        settings=StandingSettings(measured_allowed={"release": ("0.1.0",)}, measured_quarantine=True),
    )
    other = strict.join()
    token = other.prove(measured={"release": "0.1.0"})

    with pytest.raises(NodeQuarantined):
        other.prove(measured={"release": "0.1.0-changed"})

    with pytest.raises(NodeQuarantined):
        strict.enrolment.authenticate(token)


def test_attack_23_a_rekey_whose_reply_is_lost_locks_nobody_out(hub: HubAtHand, node: NodeAtHand) -> None:
    node.announce()

    hub.enrolment.authenticate(node.prove())
    node.announce()
    hub.enrolment.authenticate(node.prove(upcoming=True))
    node.keys.adopt()
    hub.enrolment.authenticate(node.prove())

    assert hub.events() == []


def test_attack_23_a_rekey_that_the_hub_never_heard_of_leaves_the_present_key(hub: HubAtHand, node: NodeAtHand) -> None:
    node.keys.prepare()

    with pytest.raises(Unauthenticated):
        node.prove(upcoming=True)

    hub.enrolment.authenticate(node.prove())


def test_attack_24_a_revoked_nodes_next_request_fails_at_once(hub: HubAtHand, node: NodeAtHand) -> None:
    token = node.prove()

    hub.enrolment.revoke("gate-1")

    with pytest.raises(Unauthenticated, match="was revoked"):
        hub.enrolment.authenticate(token)
    with pytest.raises(Unauthenticated, match="was revoked"):
        node.prove()
    with pytest.raises(Conflict):
        hub.standings.admit("gate-1")


def test_attack_24_a_retired_nodes_next_request_fails_at_once(hub: HubAtHand, node: NodeAtHand) -> None:
    token = node.prove()

    hub.standings.retire("gate-1")

    with pytest.raises(Unauthenticated, match="was retired"):
        hub.enrolment.authenticate(token)


def test_attack_25_an_assertion_is_good_once(hub: HubAtHand, node: NodeAtHand) -> None:
    request = access_request(node)
    hub.enrolment.access(request)

    with pytest.raises(Unauthenticated, match="unknown, used or expired"):
        hub.enrolment.access(request)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"audience": "cd" * 32}, "another hub"),
        ({"issued_at_s": 1_700_003_600.0}, "ahead of the hub's clock"),
        ({"issued_at_s": 1_699_990_000.0}, "s old"),
        ({"nonce": "00"}, "unknown, used or expired"),
    ],
    ids=["another audience", "the future", "the past", "a nonce of its own"],
)
def test_attack_25_an_assertion_that_is_not_for_here_and_now_is_refused(
    hub: HubAtHand, node: NodeAtHand, changed: dict[str, object], words: str
) -> None:
    request = access_request(node, **changed)

    with pytest.raises(Unauthenticated, match=words):
        hub.enrolment.access(request)


def unsigned(request: AccessRequest, _key: str) -> AccessRequest:
    return AccessRequest(request.assertion, b"")


def alg_none(request: AccessRequest, _key: str) -> AccessRequest:
    claims = json.loads(request.assertion) | {"alg": "none"}
    return AccessRequest(json.dumps(claims, separators=(",", ":")).encode(), b"")


def keyed_with_the_public_key(request: AccessRequest, key: str) -> AccessRequest:
    signature = hmac.digest(bytes.fromhex(key), assertion.signed_bytes(request.assertion), hashlib.sha512)
    return AccessRequest(request.assertion, signature)


def as_a_web_token(request: AccessRequest, key: str) -> AccessRequest:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(request.assertion).rstrip(b"=")
    return AccessRequest(head + b"." + body, hmac.digest(key.encode(), head + b"." + body, hashlib.sha256))


@pytest.mark.parametrize("forge", [unsigned, alg_none, keyed_with_the_public_key, as_a_web_token])
def test_attack_25_what_is_not_signed_with_the_enrolled_key_is_refused(
    hub: HubAtHand, node: NodeAtHand, forge: Callable[[AccessRequest, str], AccessRequest]
) -> None:
    forged = forge(access_request(node), hub.row().public_key)

    with pytest.raises(Unauthenticated):
        hub.enrolment.access(forged)


def test_attack_25_a_signature_for_one_purpose_is_worth_nothing_for_another(hub: HubAtHand, node: NodeAtHand) -> None:
    announcement = node.announcement()

    with pytest.raises(GanglionError) as caught:
        hub.enrolment.access(AccessRequest(announcement.statement, announcement.signature))

    assert isinstance(caught.value, Unauthenticated | InvalidRequest)


def test_attack_25_facts_signed_for_another_proof_are_refused(hub: HubAtHand, node: NodeAtHand) -> None:
    request = access_request(node)
    told = node_statements.encode(Measured(node_id=node.identity.node_id, audience=PIN, nonce="0", facts={}))
    signature = node.keys.current().sign(node_statements.signed_bytes(Measured, told))

    with pytest.raises(Unauthenticated, match="was not signed for this proof"):
        hub.enrolment.access(AccessRequest(request.assertion, request.signature, told, signature))
