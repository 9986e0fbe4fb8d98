"""What is kept of alerts beside their definitions, read and written within a transaction.

How an alert stands, its history, and the messages that wait to be sent are documents of their own: a look changes them
together, so that nothing is told twice and nothing that was noted is not told.
"""

from collections.abc import Sequence

import msgspec

from ganglion.core.errors import NotFound
from ganglion.hub.domain.alerts.table import Followed
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.hub.services.declared import documents as declared_documents
from ganglion.ports.hub_store import ControlTransaction, DocumentRow
from ganglion.wire import codec

STATE, HISTORY, MESSAGE = "alert-state", "alert-history", "alert-message"
HISTORY_MAX = 100
"""Lines kept of one alert; the oldest go."""


class Silence(msgspec.Struct, frozen=True):
    """Until when nobody is told, and why."""

    until_s: float
    by: str
    reason: str


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """How an alert stands."""

    subjects: dict[str, Followed] = {}
    left_out: int = 0
    trouble: str = ""
    silence: Silence | None = None
    spec: AlertSpec | None = None
    """What it was when the subjects were found."""

    def is_silenced(self, now_s: float) -> bool:
        """Tell whether people do not want to be told now."""
        return self.silence is not None and now_s < self.silence.until_s


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history."""

    at_s: float
    event: str
    subjects: tuple[str, ...] = ()
    count: int = 0
    text: str = ""
    is_silenced: bool = False


class _Lines(msgspec.Struct, frozen=True):
    lines: tuple[Line, ...] = ()


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A message to one target that was not delivered yet."""

    target: str
    message_id: str
    body: str
    """JSON, the same at every attempt."""
    created_at_s: float
    attempts: int = 0
    due_at_s: float
    trouble: str = ""


def definition(tx: ControlTransaction, name: str) -> tuple[AlertSpec, str]:
    """Return an alert and its owner. Raises: NotFound."""
    row = tx.document(declared_documents.ALERT, name)
    if row is None:
        raise NotFound(f"there is no alert {name[:80]!r}")
    kept = codec.decode_json(row.document, declared_documents.Kept)
    return msgspec.json.decode(kept.spec, type=AlertSpec), kept.owner


def state(tx: ControlTransaction, name: str) -> AlertState:
    """Return how an alert stands; one that was never looked at is as it should be."""
    row = tx.document(STATE, name)
    return codec.decode_json(row.document, AlertState) if row else AlertState()


def states(tx: ControlTransaction) -> dict[str, AlertState]:
    """Return how alerts stand, by name; those of alerts that are gone are among them."""
    return {row.name: codec.decode_json(row.document, AlertState) for row in tx.documents(STATE)}


def put_state(tx: ControlTransaction, name: str, after: AlertState, *, now_s: float) -> None:
    """Replace how an alert stands; what says nothing is not kept."""
    if after == AlertState():
        tx.remove_document(STATE, name)
    else:
        tx.put_document(DocumentRow(STATE, name, codec.encode_json(after), now_s))


def history(tx: ControlTransaction, name: str) -> Sequence[Line]:
    """Return what happened to an alert, oldest first."""
    row = tx.document(HISTORY, name)
    return codec.decode_json(row.document, _Lines).lines if row else ()


def note(tx: ControlTransaction, name: str, *lines: Line, now_s: float) -> None:
    """Add to the history of an alert."""
    kept = (*history(tx, name), *lines)[-HISTORY_MAX:]
    tx.put_document(DocumentRow(HISTORY, name, codec.encode_json(_Lines(kept)), now_s))


def forget(tx: ControlTransaction, name: str) -> None:
    """Remove what is kept of an alert that is gone."""
    tx.remove_document(STATE, name)
    tx.remove_document(HISTORY, name)


def waiting(tx: ControlTransaction) -> list[tuple[str, Waiting]]:
    """Return the messages that wait, each with its name, those that were written first in front."""
    return [(row.name, codec.decode_json(row.document, Waiting)) for row in tx.documents(MESSAGE)]


def put_waiting(tx: ControlTransaction, name: str, message: Waiting, *, now_s: float) -> None:
    """Insert or replace a message that waits."""
    tx.put_document(DocumentRow(MESSAGE, name, codec.encode_json(message), now_s))
