"""A node looks for a newer envelope when it is told of one, and goes on with what it holds when it cannot have it."""

import anyio
import pytest

from ganglion.core.errors import HubUnreachable
from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.node.domain.orders.held_envelope import HeldEnvelope
from ganglion.node.domain.update.reconcile import NodeState
from ganglion.node.services.limits import EnvelopeWatch, NodeLimits
from ganglion.ports.hub_link import SignedEnvelope, TrustedWord
from ganglion.testing.clock import FakeClock
from ganglion.trust import envelope
from ganglion.trust.envelope import Envelope, Limits
from ganglion.trust.limits import BUILT_IN, Place
from ganglion.wire.desired import DesiredState
from ganglion.wire.records import EventRecord


def document(commands_max: int) -> bytes:
    return envelope.encode(Envelope(limits=Limits(commands_max=commands_max)))


class Link:
    """Says what a test lets it say of the signed metadata."""

    def __init__(self, offered: SignedEnvelope | Exception | None) -> None:
        self.offered, self.looks = offered, 0

    def trusted_word(self, *, root_version_min: int) -> TrustedWord:
        self.looks += 1
        assert root_version_min == 1
        if isinstance(self.offered, Exception):
            raise self.offered
        return TrustedWord(("key",), self.offered)


def signed(version: int, data: bytes = b"") -> SignedEnvelope:
    return SignedEnvelope(version, 2e9, data or document(version))


def holding(version: int) -> NodeState:
    return NodeState(envelope=HeldEnvelope(version, 2e9, document(version)))


def looked(
    watch: EnvelopeWatch, state: NodeState, *, told_version: int = 0
) -> tuple[HeldEnvelope | None, list[EventRecord]]:
    desired = DesiredState(incarnation="a", revision=1, envelope_version=told_version)

    async def look() -> tuple[HeldEnvelope | None, list[EventRecord]]:
        return await watch.look(state, desired)

    return anyio.run(look)


def watch_of(link: Link) -> EnvelopeWatch:
    return EnvelopeWatch(link)  # type: ignore[arg-type]  # the one method of the link that is used


def test_the_first_envelope_is_taken_and_told() -> None:
    held, events = looked(watch_of(Link(signed(1))), NodeState())

    assert held == HeldEnvelope(1, 2e9, document(1))
    assert [event.name for event in events] == ["envelope.taken"]


def test_a_node_looks_once_and_again_when_it_is_told_of_a_newer_one() -> None:
    link = Link(signed(1))
    watch = watch_of(link)

    for told in (0, 1, 0, 1):
        looked(watch, holding(1), told_version=told)
    assert link.looks == 1

    looked(watch, holding(1), told_version=2)
    assert link.looks == 2


def test_what_is_held_stays_while_the_hub_is_away_and_it_is_looked_again() -> None:
    link = Link(HubUnreachable("away"))
    watch, state = watch_of(link), holding(3)

    for _ in range(2):
        assert looked(watch, state) == (state.envelope, [])
    assert link.looks == 2


@pytest.mark.parametrize(
    "offered",
    [
        signed(2),
        signed(3, document(99)),
        signed(4, b'{"limits": {"a_limit_of_a_later_release": 1}}'),
        signed(4, b"noise"),
        ArtifactUntrusted("signed by nobody"),
    ],
)
def test_an_envelope_that_is_older_or_unreadable_or_untrusted_is_refused_and_told_once(
    offered: SignedEnvelope | Exception,
) -> None:
    watch, state = watch_of(Link(offered)), holding(3)

    outcomes = [looked(watch, state, told_version=9) for _ in range(3)]

    assert {held for held, _ in outcomes} == {state.envelope}
    assert [event.name for _, events in outcomes for event in events] == ["envelope.refused"]


def test_targets_without_an_envelope_leave_the_held_one_in_force() -> None:
    state = holding(3)

    assert looked(watch_of(Link(None)), state) == (state.envelope, [])


def test_keys_for_orders_are_known_after_the_first_look() -> None:
    watch = watch_of(Link(None))
    before = watch.order_keys

    looked(watch, NodeState())

    assert (before, watch.order_keys) == ((), ("key",))


def test_a_stored_envelope_that_this_release_cannot_read_leaves_what_is_built_in() -> None:
    state = NodeState(envelope=HeldEnvelope(1, 2e9, b"noise"))

    assert NodeLimits(place=Place(), clock=FakeClock()).in_force(state) == BUILT_IN


def test_a_clock_that_was_set_back_before_the_release_does_not_make_an_envelope_good_again() -> None:
    state = NodeState(envelope=HeldEnvelope(1, 1.6e9, document(100)))

    now = NodeLimits(place=Place(), clock=FakeClock(utc_ns=0)).in_force(state)

    assert now.commands_max == BUILT_IN.commands_max
