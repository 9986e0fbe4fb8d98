"""What a full outbox gives up. Whole classes of records have an order; inside one the least worth goes first.

Every record given up is counted by its class and reported: sent + shed = made.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from ganglion.core.errors import InvalidRequest, InvalidSettings
from ganglion.node.domain.sending.sample_reasons import SampleReason
from ganglion.wire import codec
from ganglion.wire.records import RecordClass

_THINNED_MAX = 30
"""Every record number is at most this often divisible by two, as far as worth is concerned."""
_DOUBT_STEPS = 1000
_TELLING = frozenset(
    {
        SampleReason.REQUESTED,
        SampleReason.TRIGGER_RULE,
        SampleReason.DISAGREEMENT,
        SampleReason.OUT_OF_DISTRIBUTION,
    }
)
"""A model may well be sure of what somebody asked for, and of what it has never seen: such samples go last."""


class Durable(StrEnum):
    """From when on a power cut of the whole machine takes a record no more. Killing processes never takes one."""

    COMMIT = "before anything follows from it"
    """It is written and synced in the transaction of the decision or the event that it tells of."""
    INTAKE = "when the agent has taken it in"
    """Serving appends it unsynced before it answers; the agent syncs it with the next portion that it takes in."""


WHEN_DURABLE: Mapping[RecordClass, Durable] = {
    RecordClass.AUDIT: Durable.COMMIT,
    RecordClass.EVENT: Durable.COMMIT,
    RecordClass.RESULT: Durable.INTAKE,
    RecordClass.SUMMARY: Durable.INTAKE,
    RecordClass.SAMPLE: Durable.INTAKE,
}
"""What a power cut may take of each class: nothing, or what came since the agent last looked, a fifth of a second."""


class OutboxLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a node's disk the outbox may take. When full: shed, the lowest class first."""

    total_bytes_max: int = 500_000_000
    """All classes together."""
    class_bytes_max: dict[str, int] = {}
    """Limits of single classes by name; a class without one is limited by the total alone."""
    free_bytes_min: int = 0
    """The outbox does not grow while the disk has less free space than this."""

    def own_limits(self) -> dict[RecordClass, int]:
        """Return the limits of single classes. Raises: InvalidSettings: there is no such class."""
        known = {record_class.name.lower(): record_class for record_class in RecordClass}
        unknown = sorted(self.class_bytes_max.keys() - known.keys())
        if unknown:
            raise InvalidSettings(f"there is no class of records called {unknown[0]!r}: there are {', '.join(known)}")
        return {known[name]: limit for name, limit in self.class_bytes_max.items()}

    def room_bytes(self, *, held_bytes: int, free_bytes: int) -> int:
        """Return how much the outbox may hold now, in bytes. `held_bytes` is what it held before new records came."""
        growth_bytes = max(0, free_bytes - self.free_bytes_min)
        return min(self.total_bytes_max, held_bytes + growth_bytes)


def plan_shedding(
    bytes_by_class: Mapping[RecordClass, int], *, cap_bytes: int, need_bytes: int = 0
) -> dict[RecordClass, int]:
    """Return how many bytes to free in each class so that `need_bytes` more fit under the cap.

    The lowest class gives first, and gives all it has before the next one gives anything; audit records go last.
    """
    excess = sum(bytes_by_class.values()) + need_bytes - cap_bytes
    plan: dict[RecordClass, int] = {}
    for record_class in sorted(RecordClass, reverse=True):
        if excess <= 0:
            break
        held = bytes_by_class.get(record_class, 0)
        if held:
            plan[record_class] = min(held, excess)
            excess -= plan[record_class]
    return plan


def plan_own_limits(
    bytes_by_class: Mapping[RecordClass, int], limits: Mapping[RecordClass, int]
) -> dict[RecordClass, int]:
    """Return how many bytes to free in each class that has a limit of its own."""
    excess = {record_class: bytes_by_class.get(record_class, 0) - limit for record_class, limit in limits.items()}
    return {record_class: size for record_class, size in excess.items() if size > 0}


def worth_of(record_class: RecordClass, payload: bytes, *, ordinal: int) -> int:
    """Return how long a record is worth keeping beside others of its class; of equal worth, the oldest goes first.

    `ordinal` counts the records of the class from 1. Results are thinned out evenly: first every second one goes,
    then every second one of the rest, so that a long outage keeps its shape. Of samples those stay that somebody asked
    for or that a model has never seen the like of, then the most doubtful.
    """
    match record_class:
        case RecordClass.RESULT:
            return min(_THINNED_MAX, (ordinal & -ordinal).bit_length() - 1)
        case RecordClass.SAMPLE:
            return _doubt_in(payload)
        case _:
            return 0


class _SampleHead(msgspec.Struct, frozen=True):
    """The part of a sample that tells what it is worth."""

    confidence: float = 0.0
    reason: str = ""


def _doubt_in(payload: bytes) -> int:
    try:
        head = codec.decode_packed(payload, _SampleHead)
    except InvalidRequest:
        return 0
    if head.reason in _TELLING:
        return _DOUBT_STEPS
    confidence = head.confidence
    return round(_DOUBT_STEPS * (1.0 - confidence)) if 0.0 <= confidence <= 1.0 else _DOUBT_STEPS
