"""What a full outbox gives up. Whole classes of records have an order; inside one the oldest go first.

Every record given up is counted by its class and reported: sent + shed = made.
"""

from collections.abc import Mapping

from ganglion.wire.messages import RecordClass

NEVER_SHED = frozenset({RecordClass.AUDIT})


def plan_shedding(
    bytes_by_class: Mapping[RecordClass, int], *, cap_bytes: int, need_bytes: int
) -> dict[RecordClass, int]:
    """Return how many bytes to free in each class so that `need_bytes` more fit under the cap.

    The lowest class gives first, and gives all it has before the next one gives anything. Audit records stay.
    """
    excess = sum(bytes_by_class.values()) + need_bytes - cap_bytes
    plan: dict[RecordClass, int] = {}
    for record_class in sorted(RecordClass, reverse=True):
        if excess <= 0:
            break
        held = bytes_by_class.get(record_class, 0)
        if record_class in NEVER_SHED or held == 0:
            continue
        plan[record_class] = min(held, excess)
        excess -= plan[record_class]
    return plan
