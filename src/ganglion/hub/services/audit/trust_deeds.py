"""Writes down who changed the hub's trust, although signed metadata are files and no part of a transaction.

What is about to be done is stored first, then it is done, then its link takes the place of what was stored. A crash in
between leaves the stored intention: the next start makes a link of it, which says so. So there is no change without a
link; a link that says `interrupted` may stand for a change that did not come about, and names the versions of the root
before and after.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import structlog

from ganglion.hub.services.audit.chain import Deed, note
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore, DocumentRow

_KIND = "trust_deed"
log = structlog.get_logger(__name__)


class TrustDeeds:
    """See the module docstring."""

    def __init__(self, *, control: ControlStore, clock: Clock, chance: Chance, root_version: Callable[[], int]) -> None:
        self._control, self._clock, self._chance = control, clock, chance
        self._root_version = root_version

    @contextmanager
    def doing(self, actor: str, action: str, subject: str = "") -> Iterator[None]:
        """Write down what the body does. A body that raises has changed nothing, and is no deed."""
        name = new_id(self._chance)
        deed = Deed(
            actor=actor, action=action, subject=subject, facts={"root_version_before": str(self._root_version())}
        )
        with self._control.write() as tx:
            document = msgspec.json.encode(deed)
            tx.put_document(DocumentRow(kind=_KIND, name=name, document=document, updated_at_s=utc_s(self._clock)))
        try:
            yield
        except Exception:
            with self._control.write() as tx:
                tx.remove_document(_KIND, name)
            raise
        self._conclude(name, deed)

    def settle(self) -> None:
        """Make links of what a crash interrupted. Call it at each start, when the repository is whole again."""
        with self._control.read() as tx:
            open_deeds = [(row.name, msgspec.json.decode(row.document, type=Deed)) for row in tx.documents(_KIND)]
        for name, deed in open_deeds:
            log.warning("trust.interrupted", action=deed.action, actor=deed.actor)
            self._conclude(name, deed, reason="interrupted: the hub stopped before it could say whether this was done")

    def _conclude(self, name: str, deed: Deed, *, reason: str = "") -> None:
        facts = {**deed.facts, "root_version": str(self._root_version())}
        done = Deed(actor=deed.actor, action=deed.action, subject=deed.subject, reason=reason, facts=facts)
        with self._control.write() as tx:
            note(tx, self._clock, done)
            tx.remove_document(_KIND, name)
