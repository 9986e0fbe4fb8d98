"""Whether a node that has proved its key is let in: grace, quarantine, retirement, and keys that are to be replaced.

What is decided when a node proves itself is part of that transaction; people hear of it after it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import structlog

from ganglion.core.errors import NotFound
from ganglion.core.identity_errors import NodeQuarantined, Unauthenticated
from ganglion.hub.domain.nodes import lifecycle
from ganglion.hub.domain.nodes.lifecycle import Standing, StandingSettings, standing_of
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.identity import node_acts
from ganglion.hub.services.identity.alarms import Alarms
from ganglion.hub.services.identity.node_acts import By
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, NodeRow

log = structlog.get_logger(__name__)

_AWAKE, _ABSENCES = "hub_awake_at_s", "hub_absences"
_ABSENCES_MAX = 100
_SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class Alarm:
    """What people are to hear of a node."""

    node: NodeRow
    name: str
    reason: str
    facts: Mapping[str, str]


class Standings:
    """Judges nodes, and carries out what people decide about them. Safe to use from many threads."""

    def __init__(
        self,
        *,
        control: ControlStore,
        clock: Clock,
        alarms: Alarms,
        changed: Callable[[Sequence[str]], None],
        settings: StandingSettings | None = None,
    ) -> None:
        """`changed` wakes the waiting questions of nodes."""
        self._control, self._clock, self._alarms, self._changed = control, clock, alarms, changed
        self._settings = settings or StandingSettings()
        with control.write() as tx:
            _note_absence(tx, now_s=utc_s(clock))

    def judge(self, tx: ControlTransaction, row: NodeRow, measured: Mapping[str, str]) -> tuple[NodeRow, list[Alarm]]:
        """Return the row of a node that has just proved its key, quarantined if it is not to be let in."""
        now_s, alarms = utc_s(self._clock), list[Alarm]()
        row = replace(row, measured=msgspec.json.encode(measured, order="sorted") if measured else b"")
        if standing_of(row) is Standing.QUARANTINED:
            return row, alarms
        reason = self._away(tx, row, now_s)
        if odd := self._odd(measured):
            told = f"the node measures what is not allowed: {', '.join(sorted(odd))}"
            alarms.append(Alarm(row, "node.measured_otherwise", told, odd))
            reason = reason or (told if self._settings.measured_quarantine else "")
        if reason:
            row = replace(row, quarantined_at_s=now_s, quarantine_reason=reason)
            audit.note(tx, self._clock, Deed(actor="hub", action="node.quarantined", subject=row.name, reason=reason))
            alarms.append(Alarm(row, "node.quarantined", reason, {}))
            return row, alarms
        return replace(row, last_seen_at_s=now_s), alarms

    def tell(self, alarms: Sequence[Alarm]) -> None:
        """Let people hear of it. Call it after the transaction."""
        for alarm in alarms:
            self._alarms.tell(alarm.node, alarm.name, alarm.reason, alarm.facts)

    def admit(self, name: str, *, actor: str = "hub") -> None:
        """Let a quarantined node in again. Raises: NotFound, Conflict: it is not in quarantine."""
        with self._control.write() as tx:
            row = _known(tx, name)
            node_acts.act_on(tx, row, node_acts.admit, By(self._clock, actor))
        log.info("node.admitted", node_id=row.node_id, name=name)

    def retire(self, name: str, *, actor: str = "hub") -> None:
        """Take a node out of service: its next request is refused. Its name stays taken. Raises: NotFound."""
        with self._control.write() as tx:
            row = _known(tx, name)
            node_acts.act_on(tx, row, node_acts.retire, By(self._clock, actor))
        self._changed([row.node_id])

    def ask_rekey(self, name: str, *, actor: str = "hub") -> None:
        """Ask a node for a new key, at its next contact. Raises: NotFound, Conflict: it is not in service."""
        with self._control.write() as tx:
            row = _known(tx, name)
            node_acts.act_on(tx, row, node_acts.ask_rekey, By(self._clock, actor))
        self._changed([row.node_id])

    def ask_due(self) -> int:
        """Ask for new keys where they are too old, and return how many nodes were asked. Call it hourly."""
        now_s, after_s = utc_s(self._clock), self._settings.rekey_after_s
        with self._control.write() as tx:
            _note_awake(tx, now_s=now_s)
            due = [row for row in tx.nodes() if _is_due(row, now_s=now_s, after_s=after_s)] if after_s else []
            for row in due:
                node_acts.act_on(tx, row, node_acts.ask_rekey, By(self._clock, "hub"))
        if due:
            self._changed([row.node_id for row in due])
        return len(due)

    def _away(self, tx: ControlTransaction, row: NodeRow, now_s: float) -> str:
        grace_s = self._settings.grace_s
        away_s = lifecycle.away_s(row, now_s=now_s, absences=_absences(tx)) if grace_s else 0.0
        return f"the node was away for {away_s / 86_400:.1f} days" if away_s > grace_s else ""

    def _odd(self, measured: Mapping[str, str]) -> dict[str, str]:
        """Return the facts that are not allowed; one that the node does not tell is empty."""
        told = {name: measured.get(name, "") for name in self._settings.measured_allowed}
        allowed = self._settings.measured_allowed
        return {name: value[:_SHOWN_MAX] for name, value in told.items() if value not in allowed[name]}


def check_known(row: NodeRow | None) -> NodeRow:
    """Return a node that may prove itself. Raises: Unauthenticated: unknown, retired or revoked."""
    if row is None:
        raise Unauthenticated("the hub does not know this node: join again with a new token")
    if standing_of(row) in {Standing.REVOKED, Standing.RETIRED}:
        raise Unauthenticated(f"the node {row.name} was {standing_of(row)}")
    return row


def check_admitted(row: NodeRow | None) -> NodeRow:
    """Return a node that may speak. Raises: Unauthenticated, NodeQuarantined."""
    known = check_known(row)
    if standing_of(known) is Standing.QUARANTINED:
        raise NodeQuarantined(f"the node {known.name} is in quarantine: {known.quarantine_reason}")
    return known


def _known(tx: ControlTransaction, name: str) -> NodeRow:
    row = tx.node_by_name(name)
    if row is None:
        raise NotFound(f"there is no node {name!r}")
    return row


def _is_due(row: NodeRow, *, now_s: float, after_s: float) -> bool:
    since_s = row.enrolled_at_s if row.key_since_at_s is None else row.key_since_at_s
    return lifecycle.takes_part(row) and row.rekey_asked_at_s is None and now_s - since_s > after_s


def _note_absence(tx: ControlTransaction, *, now_s: float) -> None:
    awake_at_s = tx.meta(_AWAKE)
    if awake_at_s is not None and float(awake_at_s) < now_s:
        absences = [*_absences(tx), (float(awake_at_s), now_s)][-_ABSENCES_MAX:]
        tx.set_meta(_ABSENCES, msgspec.json.encode(absences).decode())
    _note_awake(tx, now_s=now_s)


def _note_awake(tx: ControlTransaction, *, now_s: float) -> None:
    tx.set_meta(_AWAKE, repr(now_s))


def _absences(tx: ControlTransaction) -> list[tuple[float, float]]:
    return msgspec.json.decode(tx.meta(_ABSENCES) or "[]", type=list[tuple[float, float]])
