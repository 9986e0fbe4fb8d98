"""Joining: one token makes one node, whatever is sent, lost or repeated."""

import math

import msgspec
import pytest

from ganglion.core.errors import Conflict, InvalidName, InvalidRequest, NotFound
from ganglion.core.identity_errors import TokenRefused
from ganglion.hub.services.identity.enrolment import Enrolment
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryControlStore
from ganglion.trust import assertion, join_token
from ganglion.wire.identity import JoinReply, JoinRequest, NodeFacts
from ganglion.wire.resources import TokenRequest
from unit.hub.enrolments import PIN, enrolment_at

KEY, OTHER_KEY = (assertion.public_key_of(bytes([fill]) * 32) for fill in (1, 2))
FACTS = NodeFacts(arch="x86_64", runtime="onnxruntime", cores=4, memory_bytes=8_000_000_000, release="0.1.0")


@pytest.fixture
def control() -> MemoryControlStore:
    return MemoryControlStore()


@pytest.fixture
def enrolment(control: MemoryControlStore, clock: FakeClock, chance: SeededChance) -> Enrolment:
    return enrolment_at(control, clock, chance)


def token_for(enrolment: Enrolment, name: str = "gate-1", *, expires_in_s: float = 3600) -> str:
    return enrolment.create_token(TokenRequest(name=name, site="north", zone="plant", expires_in_s=expires_in_s)).token


def join(enrolment: Enrolment, token: str, *, key: str = KEY) -> JoinReply:
    return enrolment.join(JoinRequest(token=token, public_key=key, facts=FACTS))


def test_a_token_carries_the_pin_of_the_hub(enrolment: Enrolment) -> None:
    assert join_token.parse(token_for(enrolment)).ca_pin == PIN


def test_a_joined_node_has_the_name_site_and_zone_of_its_token(
    enrolment: Enrolment, control: MemoryControlStore
) -> None:
    reply = join(enrolment, token_for(enrolment))

    with control.read() as tx:
        node = tx.node(reply.node_id)
    assert node is not None
    assert (node.name, node.site, node.zone, node.public_key) == ("gate-1", "north", "plant", KEY)
    assert msgspec.json.decode(node.facts, type=NodeFacts) == FACTS


def test_a_joined_node_has_the_labels_of_its_token(enrolment: Enrolment, control: MemoryControlStore) -> None:
    token = enrolment.create_token(TokenRequest(name="gate-1", labels={"line": "3"})).token

    join(enrolment, token)

    with control.read() as tx:
        assert [row.labels for row in tx.nodes()] == [b'{"line":"3"}']


def test_a_label_that_nobody_could_select_makes_no_token(enrolment: Enrolment) -> None:
    with pytest.raises(InvalidRequest):
        enrolment.create_token(TokenRequest(name="gate-1", labels={"site": "porto"}))


def test_the_reply_says_what_the_node_trusts_from_here_on(enrolment: Enrolment) -> None:
    first = join(enrolment, token_for(enrolment))
    second = join(enrolment, token_for(enrolment, "gate-2"), key=OTHER_KEY)

    assert (first.name, first.site, first.tuf_root) == ("gate-1", "north", b"root")
    assert first.incarnation == second.incarnation != ""
    assert first.node_id != second.node_id


def test_the_secret_alone_is_enough(enrolment: Enrolment) -> None:
    secret = join_token.parse(token_for(enrolment)).secret_text

    assert join(enrolment, secret).name == "gate-1"


def test_a_reused_token_is_refused(enrolment: Enrolment) -> None:
    token = token_for(enrolment)
    join(enrolment, token)

    with pytest.raises(TokenRefused, match="the join token for gate-1 was used before"):
        join(enrolment, token, key=OTHER_KEY)


def test_joining_again_with_the_same_token_and_key_gives_the_same_node(
    enrolment: Enrolment, clock: FakeClock, control: MemoryControlStore
) -> None:
    token = token_for(enrolment)
    first = join(enrolment, token)
    clock.advance(7200)

    assert join(enrolment, token) == first
    with control.read() as tx:
        assert len(tx.nodes()) == 1


def test_a_revoked_node_cannot_join_again_with_its_old_token(enrolment: Enrolment) -> None:
    token = token_for(enrolment)
    join(enrolment, token)
    enrolment.revoke("gate-1")

    with pytest.raises(TokenRefused, match="was used before"):
        join(enrolment, token)


def test_an_expired_token_is_refused(enrolment: Enrolment, clock: FakeClock) -> None:
    token = token_for(enrolment, expires_in_s=60)
    clock.advance(60)

    with pytest.raises(TokenRefused, match="the join token for gate-1 has expired"):
        join(enrolment, token)


def test_an_unknown_token_is_refused(enrolment: Enrolment) -> None:
    with pytest.raises(TokenRefused, match="does not know this join token"):
        join(enrolment, join_token.compose(b"\0" * 24, PIN))


@pytest.mark.parametrize("text", ["", "secret", "ab" * 23, "ab" * 24 + "."])
def test_what_is_no_token_is_refused(enrolment: Enrolment, text: str) -> None:
    with pytest.raises(TokenRefused, match="not a join token"):
        join(enrolment, text)


def test_a_second_token_for_an_enrolled_name_is_refused(enrolment: Enrolment) -> None:
    first, second = token_for(enrolment), token_for(enrolment)
    join(enrolment, first)

    with pytest.raises(TokenRefused, match="a node named gate-1 is enrolled already"):
        join(enrolment, second, key=OTHER_KEY)


def test_no_token_is_made_for_an_enrolled_name(enrolment: Enrolment) -> None:
    join(enrolment, token_for(enrolment))

    with pytest.raises(Conflict, match="gate-1 is enrolled already"):
        token_for(enrolment)


def test_the_name_of_a_revoked_node_stays_taken(enrolment: Enrolment) -> None:
    join(enrolment, token_for(enrolment))
    enrolment.revoke("gate-1")

    with pytest.raises(Conflict, match="belonged to a node that was revoked"):
        token_for(enrolment)


def test_a_refused_join_leaves_the_token_good(enrolment: Enrolment) -> None:
    token = token_for(enrolment)
    with pytest.raises(InvalidRequest, match="public_key"):
        join(enrolment, token, key="no key")

    assert join(enrolment, token).name == "gate-1"


@pytest.mark.parametrize("name", ["", "../hub", "gate 1", "g" * 65, "gate/1"])
def test_a_name_that_cannot_stand_in_a_path_gets_no_token(enrolment: Enrolment, name: str) -> None:
    with pytest.raises(InvalidName, match="node"):
        token_for(enrolment, name)


@pytest.mark.parametrize("expires_in_s", [0, -1, 3601, math.inf, math.nan])
def test_a_token_lives_an_hour_at_most(enrolment: Enrolment, expires_in_s: float) -> None:
    with pytest.raises(InvalidRequest, match="expires_in_s"):
        token_for(enrolment, expires_in_s=expires_in_s)


def test_the_database_holds_no_usable_token(enrolment: Enrolment, control: MemoryControlStore) -> None:
    token = token_for(enrolment)

    with control.read() as tx:
        assert tx.join_token(join_token.parse(token).secret_text) is None
    assert join_token.parse(token).secret_text not in repr(control.__dict__)


def test_revoking_a_node_that_does_not_exist_is_an_error(enrolment: Enrolment) -> None:
    with pytest.raises(NotFound, match="gate-9"):
        enrolment.revoke("gate-9")


def test_old_join_tokens_are_forgotten_a_day_after_their_end(
    enrolment: Enrolment, control: MemoryControlStore, clock: FakeClock
) -> None:
    spent, unused = token_for(enrolment), token_for(enrolment, "gate-2")
    join(enrolment, spent)
    clock.advance(3600 + 86_399)
    token_for(enrolment, "gate-3")
    with pytest.raises(TokenRefused, match="has expired"):
        join(enrolment, unused)

    clock.advance(1)
    token_for(enrolment, "gate-4")

    with pytest.raises(TokenRefused, match="does not know"):
        join(enrolment, unused)
