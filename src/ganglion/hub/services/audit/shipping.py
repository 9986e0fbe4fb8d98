"""Ships closed ranges of the hub's audit chain to a place that outlives the hub.

What is to be shipped next is stored before it is sent: after a crash the very same bytes are sent under the very same
name, and what had arrived is recognised. A store that does not answer delays shipping, and nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

import msgspec
import structlog

from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.hub.domain.audit_limits import ShippingSettings
from ganglion.hub.services.audit.chain import Deed, anchor_of, note
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.ports.people_store import AuditQuery, AuditRow
from ganglion.ports.segment_store import SegmentStore
from ganglion.trust import audit_segment
from ganglion.trust.audit import FIRST, HUB, ORIGIN, Checkpoint
from ganglion.trust.audit_segment import SegmentHead

_SHIPPED, _NEXT = "audit_shipped", "audit_segment_next"
_DAY_S = 86_400.0
_PAGE = 1000
log = structlog.get_logger(__name__)

SignFor = Callable[[ControlTransaction, str, int, str], Checkpoint]
"""Signs a checkpoint within a transaction: of which chain, for which number and hash."""


class _Shipped(msgspec.Struct, frozen=True):
    """Up to where the chain has arrived."""

    number: int = FIRST - 1
    hash: str = ORIGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingRights:
    """What shipping asks of the chain: signatures, and the key that checks them."""

    sign: SignFor
    public_key: Callable[[], str]


class AuditShipping:
    """See the module docstring. Without a store it ships nothing."""

    def __init__(
        self,
        *,
        control: ControlStore,
        clock: Clock,
        rights: ShippingRights,
        store: SegmentStore | None,
        settings: ShippingSettings,
    ) -> None:
        self._control, self._clock, self._rights = control, clock, rights
        self._store, self._settings = store, settings
        self._one_at_a_time = Lock()

    def ship(self) -> Sequence[str]:
        """Ship everything that was not shipped yet, and return the names of the segments.

        Raises: InvalidRequest: there is nowhere to ship to. SegmentStoreUnavailable, DiskUnusable, Conflict.
        """
        if self._store is None:
            raise InvalidRequest("this hub ships its audit chain nowhere: set hub.audit.shipping.target")
        return self._ship(self._store, is_due=lambda _first, _count: True)

    def ship_due(self) -> None:
        """Ship what is full or old enough. Whatever stands in its way is logged. Call it hourly."""
        if self._store is None:
            return
        try:
            self._ship(self._store, is_due=self._is_due)
        except GanglionError as error:
            log.error("audit.unshipped", code=error.code, reason=error.message)  # noqa: TRY400 - the reason says it

    def _is_due(self, first: AuditRow, count: int) -> bool:
        return count >= self._settings.links_max or self._clock.utc_ns() - first.at_ns >= self._settings.every_s * 1e9

    def _ship(self, store: SegmentStore, is_due: Callable[[AuditRow, int], bool]) -> Sequence[str]:
        names: list[str] = []
        with self._one_at_a_time:
            # What shipping itself adds to the chain is left to the next time: this ends.
            with self._control.read() as tx:
                head = tx.audit_head(HUB)
            until = head.number if head else FIRST - 1
            while (planned := self._plan(is_due, until)) is not None:
                name, data = planned
                keep_until_s = utc_s(self._clock) + self._settings.lock_days * _DAY_S
                store.put(name, data, keep_until_s=keep_until_s)
                self._arrived(name, data)
                names.append(name)
        return names

    def _plan(self, is_due: Callable[[AuditRow, int], bool], until: int) -> tuple[str, bytes] | None:
        """Return the next segment: the one that was begun before, or a new one, which is stored before it is sent."""
        with self._control.write() as tx:
            text = tx.meta(_NEXT)
            if text:
                head = msgspec.json.decode(text, type=SegmentHead)
                anchor = anchor_of(tx, HUB)
                if anchor is not None and anchor.number >= head.first:
                    # Its links were removed unshipped, as the settings say: nothing can be sent of it.
                    text = ""
            if text:
                return head.name, audit_segment.encode(head, _documents(tx, head))
            shipped = shipped_of(tx)
            links = _links_after(tx, shipped.number, self._settings.links_max, until)
            if not links or not is_due(links[0], len(links)):
                return None
            last = links[-1]
            head = SegmentHead(
                first=links[0].number,
                previous=shipped.hash,
                checkpoint=self._rights.sign(tx, HUB, last.number, last.hash),
                public_key=self._rights.public_key(),
            )
            tx.set_meta(_NEXT, msgspec.json.encode(head).decode())
        return head.name, audit_segment.encode(head, [link.document for link in links])

    def _arrived(self, name: str, data: bytes) -> None:
        point = audit_segment.parse(data)[0].checkpoint
        with self._control.write() as tx:
            tx.set_meta(_SHIPPED, msgspec.json.encode(_Shipped(point.number, point.hash)).decode())
            tx.set_meta(_NEXT, "")
            facts = {"links": str(len(data.splitlines()) - 1), "lock": self._settings.lock or "none"}
            note(tx, self._clock, Deed(actor=HUB, action="audit.shipped", subject=name, facts=facts))
        log.info("audit.shipped", segment=name, size_bytes=len(data))


def shipped_of(tx: ControlTransaction) -> "_Shipped":
    """Return up to where the chain has arrived; what was removed before shipping began is passed over."""
    text, anchor = tx.meta(_SHIPPED), anchor_of(tx, HUB)
    shipped = msgspec.json.decode(text, type=_Shipped) if text else _Shipped()
    return _Shipped(anchor.number, anchor.hash) if anchor and anchor.number > shipped.number else shipped


def _links_after(tx: ControlTransaction, number: int, limit: int, until: int) -> list[AuditRow]:
    links: list[AuditRow] = []
    while len(links) < limit:
        after = links[-1].number if links else number
        page = tx.audit(AuditQuery(writer=HUB, after=after, newest_first=False, limit=min(_PAGE, limit - len(links))))
        wanted = [link for link in page if link.number <= until]
        links += wanted
        if len(wanted) < len(page) or not page:
            break
    return links


def _documents(tx: ControlTransaction, head: SegmentHead) -> list[bytes]:
    count = head.checkpoint.number - head.first + 1
    return [link.document for link in _links_after(tx, head.first - 1, count, head.checkpoint.number)]
