"""Proving an identity: challenge, assertion, access token, revocation."""

import pytest

from ganglion.core.identity_errors import Unauthenticated
from ganglion.hub.services.identity.enrolment import Enrolment
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryControlStore
from ganglion.trust import assertion
from ganglion.wire.identity import AccessRequest, Challenge, JoinReply, JoinRequest, NodeFacts
from ganglion.wire.resources import TokenRequest
from unit.hub.enrolments import PIN, enrolment_at

KEY, OTHER_KEY = b"\1" * 32, b"\2" * 32
FACTS = NodeFacts(arch="x86_64", runtime="onnxruntime", cores=4, memory_bytes=8_000_000_000, release="0.1.0")


@pytest.fixture
def control() -> MemoryControlStore:
    return MemoryControlStore()


@pytest.fixture
def enrolment(control: MemoryControlStore, clock: FakeClock, chance: SeededChance) -> Enrolment:
    return enrolment_at(control, clock, chance)


@pytest.fixture
def node(enrolment: Enrolment) -> JoinReply:
    return joined(enrolment, "gate-1", KEY)


def joined(enrolment: Enrolment, name: str, key: bytes) -> JoinReply:
    token = enrolment.create_token(TokenRequest(name=name)).token
    return enrolment.join(JoinRequest(token=token, public_key=assertion.public_key_of(key), facts=FACTS))


def answer(node: JoinReply, challenge: Challenge, *, key: bytes = KEY, audience: str = PIN) -> AccessRequest:
    payload = assertion.compose(
        node_id=node.node_id,
        audience=audience,
        nonce=challenge.nonce,
        issued_at_s=challenge.issued_at_s,
    )
    return AccessRequest(assertion=payload, signature=assertion.sign(key, payload))


def access_token(enrolment: Enrolment, node: JoinReply) -> str:
    return enrolment.access(answer(node, enrolment.challenge())).access_token


def test_a_node_that_proves_its_key_is_recognised(enrolment: Enrolment, node: JoinReply) -> None:
    token = access_token(enrolment, node)

    recognised = enrolment.authenticate(token)

    assert (recognised.node_id, recognised.name) == (node.node_id, "gate-1")


def test_an_access_token_lasts_fifteen_minutes(enrolment: Enrolment, node: JoinReply, clock: FakeClock) -> None:
    token = access_token(enrolment, node)
    clock.advance(899)
    enrolment.authenticate(token)

    clock.advance(1)

    with pytest.raises(Unauthenticated, match="has expired"):
        enrolment.authenticate(token)


def test_a_revoked_nodes_next_request_fails_at_once(enrolment: Enrolment, node: JoinReply) -> None:
    token = access_token(enrolment, node)

    enrolment.revoke("gate-1")

    with pytest.raises(Unauthenticated, match="gate-1 was revoked"):
        enrolment.authenticate(token)


def test_a_revoked_node_gets_no_new_token(enrolment: Enrolment, node: JoinReply) -> None:
    request = answer(node, enrolment.challenge())
    enrolment.revoke("gate-1")
    enrolment.revoke("gate-1")

    with pytest.raises(Unauthenticated, match="gate-1 was revoked"):
        enrolment.access(request)


def test_a_replayed_assertion_is_refused(enrolment: Enrolment, node: JoinReply) -> None:
    request = answer(node, enrolment.challenge())
    enrolment.access(request)

    with pytest.raises(Unauthenticated, match="unknown, used or expired"):
        enrolment.access(request)


def test_a_challenge_of_ones_own_making_is_refused(enrolment: Enrolment, node: JoinReply, clock: FakeClock) -> None:
    made_up = Challenge(nonce="00" * 16, expires_in_s=60, issued_at_s=clock.utc_ns() / 1e9)

    with pytest.raises(Unauthenticated, match="unknown, used or expired"):
        enrolment.access(answer(node, made_up))


def test_an_expired_challenge_is_refused(enrolment: Enrolment, node: JoinReply, clock: FakeClock) -> None:
    challenge = enrolment.challenge()
    clock.advance(challenge.expires_in_s)

    with pytest.raises(Unauthenticated, match="unknown, used or expired"):
        enrolment.access(answer(node, challenge))


def test_a_node_with_a_wrong_clock_proves_itself_by_the_hubs_time(
    enrolment: Enrolment, node: JoinReply, clock: FakeClock
) -> None:
    challenge = enrolment.challenge()

    assert challenge.issued_at_s == clock.utc_ns() / 1e9
    assert enrolment.access(answer(node, challenge)).expires_in_s == 900


def test_a_failed_proof_does_not_spend_the_challenge(enrolment: Enrolment, node: JoinReply) -> None:
    challenge = enrolment.challenge()
    with pytest.raises(Unauthenticated, match="not signed with the enrolled key"):
        enrolment.access(answer(node, challenge, key=OTHER_KEY))

    enrolment.access(answer(node, challenge))


def test_a_node_cannot_speak_for_another(enrolment: Enrolment, node: JoinReply) -> None:
    other = joined(enrolment, "gate-2", OTHER_KEY)

    with pytest.raises(Unauthenticated, match="not signed with the enrolled key"):
        enrolment.access(answer(other, enrolment.challenge(), key=KEY))


def test_an_assertion_for_another_hub_is_refused(enrolment: Enrolment, node: JoinReply) -> None:
    with pytest.raises(Unauthenticated, match="another hub"):
        enrolment.access(answer(node, enrolment.challenge(), audience="cd" * 32))


def test_an_unknown_node_is_refused(enrolment: Enrolment) -> None:
    stranger = JoinReply(node_id="00" * 16, name="", site="", incarnation="", tuf_root=b"")

    with pytest.raises(Unauthenticated, match="does not know this node"):
        enrolment.access(answer(stranger, enrolment.challenge()))


@pytest.mark.parametrize("token", ["", "ganglion-node-00", "00" * 32])
def test_an_unknown_access_token_is_refused(enrolment: Enrolment, node: JoinReply, token: str) -> None:
    with pytest.raises(Unauthenticated, match="unknown or has expired"):
        enrolment.authenticate(token)


def test_an_unsigned_request_leaves_no_trace(
    enrolment: Enrolment, node: JoinReply, control: MemoryControlStore
) -> None:
    control.disk_full = True

    with pytest.raises(Unauthenticated):
        enrolment.access(AccessRequest(assertion=b"{}", signature=b""))


def test_asking_for_a_challenge_costs_no_row(enrolment: Enrolment, control: MemoryControlStore) -> None:
    control.disk_full = True

    nonces = {enrolment.challenge().nonce for _ in range(50)}

    assert len(nonces) == 50


def test_a_challenge_of_another_process_of_the_hub_is_refused(
    enrolment: Enrolment, node: JoinReply, control: MemoryControlStore, clock: FakeClock
) -> None:
    restarted = enrolment_at(control, clock, SeededChance(99))

    with pytest.raises(Unauthenticated, match="challenge"):
        restarted.access(answer(node, enrolment.challenge()))
    access_token(restarted, node)


def test_a_nonce_that_nobody_gave_out_is_refused(enrolment: Enrolment, node: JoinReply) -> None:
    given = enrolment.challenge()
    for nonce in ("", "-", "x-y-z", "00" * 16, given.nonce[:-1] + "x", f"{given.nonce}-{given.nonce}", "é-1-2"):
        invented = Challenge(nonce=nonce, expires_in_s=60, issued_at_s=given.issued_at_s)
        with pytest.raises(Unauthenticated):
            enrolment.access(answer(node, invented))


def test_expired_challenges_and_tokens_are_removed(
    enrolment: Enrolment, node: JoinReply, clock: FakeClock, control: MemoryControlStore
) -> None:
    for _ in range(5):
        access_token(enrolment, node)
        enrolment.challenge()
    clock.advance(900)

    access_token(enrolment, node)

    with control.write() as tx:
        # One access token, and the challenge that was spent for it.
        assert tx.remove_credentials(expired_at_s=clock.utc_ns() / 1e9 + 1e6) == 2


def test_the_database_holds_no_usable_access_token(
    enrolment: Enrolment, node: JoinReply, control: MemoryControlStore
) -> None:
    token = access_token(enrolment, node)

    with control.read() as tx:
        assert tx.credential(token, "access") is None
