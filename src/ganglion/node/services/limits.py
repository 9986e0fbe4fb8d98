"""The limits that hold on this node: looks for a newer envelope, keeps the newest, and says what it means here."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio.to_thread
import msgspec
import structlog

from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.node.domain.orders.held_envelope import HeldEnvelope
from ganglion.node.domain.update.reconcile import NodeState
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_link import HubLink, SignedEnvelope, TrustedWord
from ganglion.trust import clock_floor, envelope, limits
from ganglion.trust.limits import InForce, Place
from ganglion.wire.desired import DesiredState
from ganglion.wire.records import EventRecord

T = TypeVar("T")

log = structlog.get_logger()

_TAKEN, REFUSED = "envelope.taken", "envelope.refused"


class NodeLimits:
    """Knows where the node is; what it holds of envelopes is in the node's state."""

    def __init__(self, *, place: Place, clock: Clock) -> None:
        self._place, self._clock = place, clock
        self._read: tuple[bytes, envelope.Envelope | None] = (b"", None)

    def in_force(self, state: NodeState) -> InForce:
        """Return the limits of now."""
        held = state.envelope
        if held is None:
            return limits.BUILT_IN
        now_s = max(utc_s(self._clock), clock_floor.BUILT_AT_S)
        return limits.in_force(self._document(held.document), self._place, is_expired=now_s >= held.expires_at_s)

    def _document(self, data: bytes) -> envelope.Envelope | None:
        if self._read[0] != data:
            try:
                self._read = (data, envelope.parse(data))
            except InvalidRequest as error:
                # It was read when it was taken: another release stored it. What is built in holds.
                log.error("envelope.unreadable", reason=error.message)  # noqa: TRY400 - the reason is logged
                self._read = (data, None)
        return self._read[1]


class EnvelopeWatch:
    """Looks at signed metadata when there may be something new, and never lets an older envelope pass for a newer."""

    def __init__(self, link: HubLink) -> None:
        self._link = link
        self._word: TrustedWord | None = None
        self._refused = ""

    @property
    def order_keys(self) -> tuple[str, ...]:
        """Keys that may sign orders, as last seen by this process; none before the first look."""
        return self._word.order_keys if self._word else ()

    def forget(self) -> None:
        """Look anew next time, whether or not the hub tells of anything."""
        self._word = None

    async def look(self, state: NodeState, desired: DesiredState) -> tuple[HeldEnvelope | None, list[EventRecord]]:
        """Return the envelope to be held from now on, and the events that tell of a change.

        What cannot be had, or not be trusted, leaves the node with what it holds.
        """
        held = state.envelope
        version = held.version if held else 0
        is_told = desired.envelope_version > version or any(command.statement_key for command in desired.commands)
        if self._word is not None and not is_told:
            return held, []
        try:
            word = await _abandonable(partial(self._link.trusted_word, root_version_min=desired.root_version_min))
            found = _newer(held, word.envelope)
        except (ArtifactUntrusted, InvalidRequest) as error:
            return held, self._told_refused(error)
        except GanglionError as error:
            log.info("envelope.delayed", code=error.code, reason=error.message)
            return held, []
        self._word, self._refused = word, ""
        if found is None:
            return held, []
        log.info("envelope.taken", version=found.version)
        return found, [EventRecord(name=_TAKEN, reason=f"version {found.version}")]

    def _told_refused(self, error: GanglionError) -> list[EventRecord]:
        """Tell of a refusal once, however often the same is offered."""
        if error.message == self._refused:
            return []
        self._refused = error.message
        log.warning("envelope.refused", code=error.code, reason=error.message)
        return [EventRecord(name=REFUSED, reason=error.message)]


def _newer(held: HeldEnvelope | None, offered: SignedEnvelope | None) -> HeldEnvelope | None:
    """Return the offered envelope if it takes the place of the held one, else None.

    Raises: ArtifactUntrusted: it is older, or another of the same version. InvalidRequest: it cannot be read in full.
    """
    if offered is None:
        return None
    found = HeldEnvelope(offered.version, offered.expires_at_s, offered.document)
    if held is not None:
        if found == held:
            return None
        if found.version <= held.version:
            raise ArtifactUntrusted(f"envelope {found.version} is offered, this node holds version {held.version}")
    envelope.parse(found.document)
    return found


def with_envelope(state: NodeState, held: HeldEnvelope | None) -> NodeState:
    """Return the state with this envelope."""
    if held is state.envelope:
        return state
    return msgspec.structs.replace(state, envelope=held)


async def _abandonable(work: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
