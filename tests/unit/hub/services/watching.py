"""A fleet in memory that is watched: alerts, looks at it, and targets that are told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.alerts.alerting import Watch
from ganglion.hub.domain.alerts.conditions import checked
from ganglion.hub.domain.alerts.messages import Patience
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.hub.services.alerts.alerts import Alerts
from ganglion.hub.services.alerts.delivery import AlertDelivery, Target
from ganglion.hub.services.alerts.facts import AlertFacts, Found
from ganglion.hub.services.alerts.hub_facts import HubItself
from ganglion.hub.services.alerts.looks import AlertLooks, LookSettings
from ganglion.ports.clock import utc_s
from ganglion.ports.hub_store import NodeRow
from ganglion.ports.telemetry_store import EventRow, RollupKey
from ganglion.testing.chance import SeededChance
from ganglion.testing.memory_notifier import MemoryNotifier
from ganglion.testing.memory_store import MemoryTelemetryStore
from ganglion.trust.ceremony.inventory import Role
from ganglion.wire import codec
from ganglion.wire.alert_resources import AlertCondition, AlertDefinition, AlertSilence, Severity
from ganglion.wire.desired import ModelStatus, NodeReport
from unit.hub.services.declaring import DeclaredFleet
from unit.hub.services.fleets import FACTS

SECRET = "a secret of both sides"
PATIENCE = Patience(first_s=10.0, pause_s_max=100.0, give_up_after_s=1000.0)


@dataclass
class WatchedFleet(DeclaredFleet):
    """What looks, what tells, and what is told. `begin_anew` is a hub that starts again with the same stores."""

    telemetry: MemoryTelemetryStore = field(default_factory=MemoryTelemetryStore)
    chat: MemoryNotifier = field(default_factory=MemoryNotifier)
    pager: MemoryNotifier = field(default_factory=MemoryNotifier)
    free_bytes: int = 10**12
    certificate_expires_at_s: float = 1e12
    roles: list[Role] = field(default_factory=list)
    chance: SeededChance = field(default_factory=SeededChance)
    queue_max: int = 10
    asked: list[str] = field(default_factory=list)
    """Nodes that were read, in their order."""

    def __post_init__(self) -> None:
        DeclaredFleet.__post_init__(self)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Start the services over what is stored."""
        self.facts = AlertFacts(
            control=self.control,
            telemetry=self.telemetry,
            clock=self.clock,
            last_seen_at_s=self._seen,
            itself=HubItself(
                free_bytes=lambda: self.free_bytes,
                roles=lambda: self.roles,
                certificate_expires_at_s=lambda: self.certificate_expires_at_s,
            ),
        )
        targets = {
            "chat": Target(notifier=self.chat, severity_min=Severity.INFO, secret=SECRET),
            "pager": Target(notifier=self.pager, severity_min=Severity.CRITICAL),
        }
        self.looks = AlertLooks(
            control=self.control,
            clock=self.clock,
            chance=self.chance,
            facts=self.facts,
            targets={name: target.severity_min for name, target in targets.items()},
            settings=LookSettings(look_s=60.0, queue_max=self.queue_max),
        )
        self.delivery = AlertDelivery(
            control=self.control, clock=self.clock, chance=self.chance, targets=targets, patience=PATIENCE
        )
        self.alerts = Alerts(control=self.control, clock=self.clock, current=self.looks.current)

    def _seen(self, row: NodeRow) -> float | None:
        self.asked.append(row.name)
        return row.last_seen_at_s

    @property
    def now_s(self) -> float:
        return utc_s(self.clock)

    def watch(self, name: str, condition: AlertCondition = AlertCondition.NODE_SILENT, **fields: Any) -> None:
        """Declare an alert that is told at the first look, and over at the first look without it."""
        given = {"for_s": 0.0, "resolve_after_s": 0.0, **fields}
        self.alerts.put(name, AlertDefinition(condition=condition, **given), actor="ana")

    def silence(self, name: str, for_s: float) -> None:
        self.alerts.silence(name, AlertSilence(for_s=for_s, reason="the line is moved"), actor="ana")

    def look(self, looks: int = 1) -> None:
        """Let a minute pass and look, so many times."""
        for _ in range(looks):
            self.clock.advance(60.0)
            self.looks.tick()

    def gather(self, condition: AlertCondition, *followed: str, **fields: Any) -> Found:
        """Return what is true now of one condition."""
        spec = checked(AlertSpec(condition=condition, **fields))
        return self.facts.gather({"it": Watch(spec, frozenset(followed))})["it"]

    def true_of(self, condition: AlertCondition, **fields: Any) -> dict[str, float]:
        """Return of whom a condition is true, with the values."""
        found = self.gather(condition, **fields)
        assert found.trouble == ""
        return {name: finding.value for name, finding in found.findings.items()}

    def join(self, name: str, *, seen_s_ago: float = 0.0, site: str = "porto", **columns: Any) -> None:
        """Add a node that was last heard of so long ago."""
        self.add(name, site=site, last_seen_at_s=self.now_s - seen_s_ago, **columns)

    def report(self, name: str, *models: tuple[str, str], **fields: Any) -> None:
        """Let a node report these models and their versions, and whatever else."""
        given = {"incarnation": "i", "revision": 0, "facts": FACTS, "epoch": "e1", "made": 0, "waiting": 0, **fields}
        told = NodeReport(models=tuple(ModelStatus(model, version, version) for model, version in models), **given)
        with self.control.write() as tx:
            row = tx.node_by_name(name)
            assert row is not None
            tx.put_node(replace(row, report=codec.encode_json(told), last_seen_at_s=self.now_s))

    def count(self, name: str, model: str, version: str, counts: Behaviour, *, minutes_ago: int = 1) -> None:
        """Store what a version did on a node."""
        key = RollupKey(f"id-{name}", model, version, int(self.now_s // 60) - minutes_ago)
        with self.telemetry.write() as tx:
            tx.merge_rollup(key, counts)

    def tell(self, name: str, event: str, *, seq: int, ago_s: float = 1.0, model: str = "digits") -> None:
        """Store an event of a node."""
        at_ns = int((self.now_s - ago_s) * 1e9)
        row = EventRow(f"id-{name}", "e1", seq, at_ns, event, model, "2", "", "", b"{}", at_ns)
        with self.telemetry.write() as tx:
            tx.add_events([row])

    def deliver(self) -> None:
        """Work off what is due."""
        while self.delivery.step():
            pass

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        with self.control.read() as tx:
            return len(tx.documents("alert-message"))

    def told(self, notifier: MemoryNotifier | None = None) -> list[tuple[str, str]]:
        """Return event and alert of each message that was taken, after delivering what is due."""
        self.deliver()
        return [(body["event"], body["alert"]) for body in bodies(notifier or self.chat)]


def bodies(notifier: MemoryNotifier) -> list[Mapping[str, Any]]:
    """Return what was taken."""
    return [json.loads(body) for body, _ in notifier.taken]


def answered(requests: int, *, errors: int = 0, latency_us: int = 1000, **fields: Any) -> Behaviour:
    """Return counts of so many requests."""
    counts = Behaviour()
    for _ in range(requests - errors):
        counts.count_answer(latency_us, [], [])
    for _ in range(errors):
        counts.count_error()
    return msgspec.structs.replace(counts, **fields)
