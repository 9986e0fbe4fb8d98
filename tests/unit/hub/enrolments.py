"""Enrolment over a store in memory, and nodes that speak to it without a network."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ganglion.hub.domain.nodes.lifecycle import StandingSettings
from ganglion.hub.services.identity.alarms import Alarms
from ganglion.hub.services.identity.enrolment import Enrolment
from ganglion.hub.services.identity.standings import Standings
from ganglion.ports.hub_store import NodeRow
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_keys import MemoryKeys
from ganglion.testing.memory_store import MemoryControlStore, MemoryTelemetryStore
from ganglion.trust import assertion, node_statements
from ganglion.trust.node_statements import Measured, Rekey
from ganglion.wire.identity import AccessRequest, JoinReply, JoinRequest, NodeFacts, RekeyRequest
from ganglion.wire.resources import TokenRequest

PIN = "ab" * 32
FACTS = NodeFacts(arch="x86_64", runtime="onnxruntime", cores=4, memory_bytes=8_000_000_000, release="0.1.0")


def enrolment_at(
    control: MemoryControlStore, clock: FakeClock, chance: SeededChance, settings: StandingSettings | None = None
) -> Enrolment:
    """Return the service alone."""
    return HubAtHand(clock, settings or StandingSettings(), control=control, chance=chance).enrolment


@dataclass
class HubAtHand:
    """A hub's services about nodes."""

    clock: FakeClock = field(default_factory=FakeClock)
    settings: StandingSettings = field(default_factory=StandingSettings)
    control: MemoryControlStore = field(default_factory=MemoryControlStore)
    telemetry: MemoryTelemetryStore = field(default_factory=MemoryTelemetryStore)
    chance: SeededChance = field(default_factory=lambda: SeededChance(7))
    woken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start, or start again, with what the stores hold."""
        self.standings = Standings(
            control=self.control,
            clock=self.clock,
            alarms=Alarms(telemetry=self.telemetry, clock=self.clock),
            changed=self.woken.extend,
            settings=self.settings,
        )
        self.enrolment = Enrolment(
            control=self.control,
            clock=self.clock,
            chance=self.chance,
            ca_pin=PIN,
            tuf_root=lambda: b"root",
            standings=self.standings,
        )

    def join(self, name: str = "gate-1") -> "NodeAtHand":
        """Enrol a node with a key of its own."""
        keys = MemoryKeys(self.chance.token_bytes(32), seed=len(name))
        token = self.enrolment.create_token(TokenRequest(name=name)).token
        request = JoinRequest(token=token, public_key=keys.current().public_key, facts=FACTS)
        return NodeAtHand(self, self.enrolment.join(request), keys)

    def row(self, name: str = "gate-1") -> NodeRow:
        """Return what the hub keeps of a node."""
        with self.control.read() as tx:
            row = tx.node_by_name(name)
        assert row is not None
        return row

    def events(self) -> list[str]:
        """Return the names of the events that people see, oldest first."""
        with self.telemetry.read() as tx:
            return [row.name for row in reversed(tx.events())]


@dataclass
class NodeAtHand:
    """A node that has what its keys are, and calls the hub's services by hand."""

    hub: HubAtHand
    identity: JoinReply
    keys: MemoryKeys

    def prove(self, *, upcoming: bool = False, measured: Mapping[str, str] | None = None) -> str:
        """Prove the identity with the present key, or with the next, and return the access token."""
        key = self.keys.upcoming() if upcoming else self.keys.current()
        assert key is not None
        challenge = self.hub.enrolment.challenge()
        payload = assertion.compose(
            node_id=self.identity.node_id,
            audience=PIN,
            nonce=challenge.nonce,
            issued_at_s=challenge.issued_at_s,
        )
        told = signature = b""
        if measured is not None:
            statement = Measured(
                node_id=self.identity.node_id, audience=PIN, nonce=challenge.nonce, facts=dict(measured)
            )
            told = node_statements.encode(statement)
            signature = key.sign(node_statements.signed_bytes(Measured, told))
        request = AccessRequest(payload, key.sign(assertion.signed_bytes(payload)), told, signature)
        return self.hub.enrolment.access(request).access_token

    def announcement(self, *, nonce: str = "", audience: str = PIN) -> RekeyRequest:
        """Return the announcement of the next key."""
        upcoming = self.keys.prepare()
        statement = Rekey(
            node_id=self.identity.node_id,
            audience=audience,
            nonce=nonce or self.hub.enrolment.challenge().nonce,
            public_key=upcoming.public_key,
        )
        payload = node_statements.encode(statement)
        signed = node_statements.signed_bytes(Rekey, payload)
        return RekeyRequest(payload, self.keys.current().sign(signed), upcoming.sign(signed))

    def announce(self) -> None:
        """Announce the next key, as the holder of an access token."""
        row = self.hub.enrolment.authenticate(self.prove())
        self.hub.enrolment.announce_key(row, self.announcement())

    def rekey(self) -> None:
        """Announce the next key, and use it."""
        self.announce()
        self.prove(upcoming=True)
        self.keys.adopt()

    def copied(self) -> "NodeAtHand":
        """Return what somebody has who copied the disk now."""
        copy = MemoryKeys()
        copy.__dict__.update(self.keys.__dict__)
        return NodeAtHand(self.hub, self.identity, copy)
