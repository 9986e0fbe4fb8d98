"""The hub's audit chain: a link for each change, in the change's own transaction, and for each refusal.

Checkpoints are signed with a key of their own. Links beyond the retention are removed; a signed checkpoint
takes the place of the last of them, so that the rest still proves itself.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import structlog

from ganglion.core.errors import GanglionError, NotFound
from ganglion.hub.domain.audit_limits import AuditSettings
from ganglion.hub.services.audit.refusal_counts import RefusalCounts
from ganglion.hub.services.incarnation import incarnation_of
from ganglion.ports.clock import Chance, Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.ports.people_store import AuditQuery, AuditRow, CheckpointRow
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.trust import assertion, audit
from ganglion.trust.audit import FIRST, HUB, NODE, ORIGIN, Checkpoint, Fault, Link, Stored
from ganglion.wire.records import RecordClass

_BOOT, _ANCHOR = "audit_boot", "audit_anchor"
_DAY_NS = 86_400_000_000_000
_PAGE = 1000
_ACTORS_MAX = 1000
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is written down. Names, versions and reasons; never payloads or secrets."""

    actor: str
    action: str
    subject: str = ""
    reason: str = ""
    facts: dict[str, str] = field(default_factory=dict)


def note(tx: ControlTransaction, clock: Clock, deed: Deed, *, writer: str = HUB) -> Link:
    """Add a link to the hub's chain within the transaction that makes the change; return it."""
    head = tx.audit_head(writer)
    anchor = anchor_of(tx, writer) if head is None else None
    number = head.number + 1 if head else anchor.number + 1 if anchor else FIRST
    link = Link(
        writer=writer,
        number=number,
        previous=head.hash if head else anchor.hash if anchor else ORIGIN,
        at_ns=clock.utc_ns(),
        monotonic_ms=int(clock.monotonic_s() * 1000),
        boot=tx.meta(_BOOT) or "",
        actor=audit.clipped(deed.actor),
        action=deed.action,
        subject=audit.clipped(deed.subject),
        reason=audit.clipped(deed.reason),
        facts={name: audit.clipped(value) for name, value in deed.facts.items()},
    )
    document = link.encode()
    tx.add_audit(
        AuditRow(
            writer=writer,
            number=number,
            at_ns=link.at_ns,
            actor=link.actor,
            action=link.action,
            subject=link.subject,
            hash=audit.link_hash(document),
            document=document,
        )
    )
    return link


class Audit:
    """Writes what is no part of a change, signs checkpoints, and proves chains."""

    def __init__(
        self,
        *,
        control: ControlStore,
        clock: Clock,
        chance: Chance,
        telemetry: TelemetryStore | None = None,
        key: Callable[[], bytes],
        settings: AuditSettings | None = None,
    ) -> None:
        self._control = control
        self._telemetry = telemetry
        self._clock = clock
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._key = key
        self._settings = settings or AuditSettings()
        self._refusals = RefusalCounts(self._settings.refusals_per_minute_max)
        with control.write() as tx:
            tx.set_meta(_BOOT, chance.token_bytes(8).hex())
            note(tx, clock, Deed(actor=HUB, action="hub.started", facts={"incarnation": incarnation_of(tx, chance)}))

    @property
    def public_key(self) -> str:
        """The key that checks checkpoints, hexadecimal."""
        return assertion.public_key_of(self._key())

    def record(self, deed: Deed) -> None:
        """Write down what was done outside the control database: signed metadata are files."""
        with self._control.write() as tx:
            note(tx, self._clock, deed)

    def refused(self, actor: str, call: str, error: GanglionError) -> None:
        """Write down that a caller was refused. One that is refused without end fills no disk."""
        passed_over = self._refusals.count(actor, self._clock.monotonic_s())
        if passed_over is None:
            return
        facts = {"passed_over": str(passed_over)} if passed_over else {}
        self.record(Deed(actor=actor, action=f"refused.{error.code}", subject=call, reason=error.message, facts=facts))

    def search(self, query: AuditQuery) -> Sequence[AuditRow]:
        """Return links."""
        with self._control.read() as tx:
            return tx.audit(query)

    def checkpoint(self, writer: str = HUB) -> Checkpoint | None:
        """Sign for the newest link, so that neither it nor any before it can be changed; None for an empty chain."""
        with self._control.write() as tx:
            head = tx.audit_head(writer)
            if head is None:
                return None
            known = {row.number: row for row in tx.checkpoints(writer)}
            if head.number in known:
                return _checkpoint_of(known[head.number])
            return self.sign(tx, writer, head.number, head.hash)

    def witness(self, tx: ControlTransaction, writer: str, number: int, head_hash: str) -> bool:
        """Counter-sign the head of a node's chain. False: another hash was signed for this number before.

        The contradiction is written down and logged: the node's history was rewritten, or two machines share it.
        """
        known = {row.number: row for row in tx.checkpoints(writer)}
        row = known.get(number)
        newest = max(known, default=FIRST - 1)
        if row is None and number > newest:
            self.sign(tx, writer, number, head_hash)
            # The newest few are enough to find a rewritten end; older ones are spoken for by these.
            tx.remove_checkpoints(writer, below=sorted([*known, number])[-_HEADS_KEPT:][0])
            return True
        if row is not None and row.hash == head_hash:
            return True
        self._tell_fork(tx, writer, number, head_hash, known[newest])
        return False

    def verify(self, writer: str = HUB, *, kept: Sequence[Checkpoint] = ()) -> list[Fault]:
        """Return everything that is wrong with a chain; `kept` are checkpoints that the caller brought along."""
        if writer != HUB:
            return self._verify_node(writer)
        with self._control.read() as tx:
            points = [_checkpoint_of(row) for row in tx.checkpoints(writer)]
            return audit.verify(
                _links(tx, writer),
                writer=writer,
                checkpoints=[*points, *kept],
                public_key=self.public_key,
                anchor=anchor_of(tx, writer),
            )

    def _verify_node(self, name: str) -> list[Fault]:
        """Prove what came of a node's chain so far. Its end may be on its way, so only what is here is compared."""
        with self._control.read() as tx:
            node = tx.node(name) or tx.node_by_name(name)
            if node is None:
                raise NotFound(f"no node has the id or the name {name[:80]!r}")
            points = [_checkpoint_of(row) for row in tx.checkpoints(node.node_id)]
        links = sorted(self._links_of(node.node_id), key=lambda link: link.number)
        if not links:
            return []
        first = msgspec.json.decode(links[0].document, type=Link)
        return audit.verify(
            links,
            writer=NODE,
            checkpoints=[point for point in points if first.number <= point.number <= links[-1].number],
            # Older records were removed by now: the chain is taken up where it begins.
            anchor=Checkpoint(writer=NODE, number=first.number - 1, hash=first.previous, at_ns=0),
        )

    def _links_of(self, node_id: str) -> Iterator[Stored]:
        after = ("", 0)
        if self._telemetry is None:
            return
        while True:
            with self._telemetry.read() as records:
                page = records.records(node_id=node_id, record_class=RecordClass.AUDIT, after=after, limit=_PAGE)
            for row in page:
                with suppress(msgspec.DecodeError, UnicodeDecodeError):
                    number = msgspec.json.decode(row.payload, type=Link).number
                    yield Stored(number, audit.link_hash(row.payload), row.payload)
            if not page:
                return
            after = (page[-1].epoch, page[-1].seq)

    def _tell_fork(
        self, tx: ControlTransaction, writer: str, number: int, head_hash: str, signed: CheckpointRow
    ) -> None:
        """Write down, once for each hash, that a node told another history than the one that was signed."""
        if (writer, head_hash) in self._told:
            return
        self._told[writer, head_hash] = None
        if len(self._told) > _ACTORS_MAX:
            self._told.popitem(last=False)
        facts = {"number": str(number), "reported": head_hash}
        facts |= {"signed_number": str(signed.number), "signed": signed.hash}
        note(tx, self._clock, Deed(actor=f"node:{writer}", action="audit.forked", subject=writer, facts=facts))
        log.error("audit.forked", node_id=writer, number=number)

    def prune(self, *, shipped_through: Callable[[ControlTransaction], int] | None = None) -> int:
        """Remove links that are older than the retention; return how many. Call it hourly.

        With `shipped_through`, what is past that number stays, however old it is.
        """
        limit_ns = self._clock.utc_ns() - self._settings.retention_days * _DAY_NS
        with self._control.write() as tx:
            kept = tx.audit(AuditQuery(writer=HUB, since_ns=limit_ns, newest_first=False, limit=1))
            head = tx.audit_head(HUB)
            if head is None:
                return 0
            # Links go from the oldest on without a gap, and the newest stays whatever the clock says.
            through = min((kept[0].number if kept else head.number) - 1, head.number - 1)
            if shipped_through is not None:
                through = min(through, shipped_through(tx))
            last = tx.audit(AuditQuery(writer=HUB, after=through - 1, newest_first=False, limit=1))
            if through < FIRST or not last or last[0].number != through:
                return 0
            anchor = self.sign(tx, HUB, through, last[0].hash)
            tx.set_meta(f"{_ANCHOR}:{HUB}", msgspec.json.encode(anchor).decode())
            tx.remove_checkpoints(HUB, below=through)
            removed = tx.remove_audit(HUB, through=through)
        log.info("audit.pruned", removed=removed, through=through)
        return removed

    def now_s(self) -> float:
        """Return wall-clock time in seconds since 1970."""
        return utc_s(self._clock)

    def sign(self, tx: ControlTransaction, writer: str, number: int, head_hash: str) -> Checkpoint:
        """Sign for a link, and keep the checkpoint."""
        unsigned = Checkpoint(writer=writer, number=number, hash=head_hash, at_ns=self._clock.utc_ns())
        signed = audit.sign_checkpoint(self._key(), unsigned)
        tx.put_checkpoint(CheckpointRow(writer, number, head_hash, signed.at_ns, bytes.fromhex(signed.signature)))
        return signed


_HEADS_KEPT = 16


def _links(tx: ControlTransaction, writer: str) -> Iterator[Stored]:
    after = -1
    while page := tx.audit(AuditQuery(writer=writer, after=after, newest_first=False, limit=_PAGE)):
        for row in page:
            yield Stored(row.number, row.hash, row.document)
        after = page[-1].number


def anchor_of(tx: ControlTransaction, writer: str) -> Checkpoint | None:
    """Return the checkpoint of the newest link that was removed because it was old."""
    text = tx.meta(f"{_ANCHOR}:{writer}")
    return msgspec.json.decode(text, type=Checkpoint) if text else None


def _checkpoint_of(row: CheckpointRow) -> Checkpoint:
    return Checkpoint(
        writer=row.writer, number=row.number, hash=row.hash, at_ns=row.at_ns, signature=row.signature.hex()
    )
