"""A fleet in memory: nodes by name, with labels and sites, and the services that organise them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from ganglion.hub.services.nodes import settings_documents
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.nodes.fleet_list import FleetLists
from ganglion.hub.services.nodes.node_actions import NodeActions
from ganglion.hub.services.nodes.node_settings import NodeSettings
from ganglion.hub.services.nodes.settings_documents import Given
from ganglion.hub.services.organisation.places import Places
from ganglion.ports.hub_store import NodeRow
from ganglion.ports.people_store import AuditQuery
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryControlStore
from ganglion.trust.audit import Link
from ganglion.trust.envelope import Envelope
from ganglion.wire import codec
from ganglion.wire.fleet_resources import NodeActionReply, NodeActionRequest
from ganglion.wire.identity import NodeFacts

FACTS = NodeFacts(arch="x86_64", runtime="onnxruntime", cores=4, memory_bytes=8_000_000_000, release="0.1.0")


@dataclass
class FleetAtHand:
    """The services over a store in memory."""

    clock: FakeClock = field(default_factory=FakeClock)
    control: MemoryControlStore = field(default_factory=MemoryControlStore)
    woken: list[str] = field(default_factory=list)
    envelope: Envelope | None = None

    def __post_init__(self) -> None:
        desired = Desired(control=self.control, repository_root_version=lambda: 1, changed=self.woken.extend)
        settings = NodeSettings(
            control=self.control, desired=desired, clock=self.clock, chance=SeededChance(3),
            envelope=lambda: self.envelope,
        )  # fmt: skip
        self.settings = settings
        control, clock, changed = self.control, self.clock, self.woken.extend
        self.places = Places(control=control, clock=clock, changed=changed)
        self.lists = FleetLists(control=control, clock=clock, changed=changed)
        self.actions = NodeActions(control=control, clock=clock, changed=changed, node_settings=settings)

    def add(self, name: str, *, site: str = "porto", labels: Mapping[str, str] | None = None, **changes: Any) -> None:
        """Enrol a node that was heard of."""
        row = NodeRow(
            node_id=f"id-{name}",
            name=name,
            site=site,
            zone="default",
            public_key="00",
            node_class=FACTS.node_class,
            facts=codec.encode_json(FACTS),
            enrolled_at_s=1.0,
            last_seen_at_s=2.0,
            labels=msgspec.json.encode(dict(labels or {})),
        )
        with self.control.write() as tx:
            tx.put_node(replace(row, **changes))

    def act(self, action: str, *, role: str = "operator", **options: object) -> NodeActionReply:
        """Do the same to many nodes, as somebody who may see all."""
        request = msgspec.convert({"action": action, **options}, NodeActionRequest)
        return self.actions.act(request, actor="ana", role=role, sees=None)

    def row(self, name: str) -> NodeRow:
        """Return what the hub keeps of a node."""
        with self.control.read() as tx:
            row = tx.node_by_name(name)
        assert row is not None
        return row

    def commands(self) -> list[Given]:
        """Return what nodes were asked, oldest first."""
        with self.control.read() as tx:
            return settings_documents.commands(tx)

    def labels(self, name: str) -> dict[str, str]:
        """Return a node's labels."""
        return codec.decode_json(self.row(name).labels, dict[str, str])

    def audited(self, action: str) -> list[str]:
        """Return the subjects of an action in the audit chain, oldest first."""
        with self.control.read() as tx:
            return [row.subject for row in tx.audit(AuditQuery(action=action, newest_first=False))]

    def reasons(self, action: str) -> list[str]:
        """Return why an action was done, oldest first."""
        with self.control.read() as tx:
            rows = tx.audit(AuditQuery(action=action, newest_first=False))
        return [msgspec.json.decode(row.document, type=Link).reason for row in rows]
