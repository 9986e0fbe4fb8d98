"""When things really happened, as far as it can be known: a node's clock may be wrong, the hub's dates everything.

A batch says what the node's clock showed when it left, and the hub knows when it came: the difference is the clock's
error, but for the way. What a node wrote before its clock was put right, as one that began in 1970, cannot be
shifted by that; it gets the time of its neighbour in the batch. The node's own time is kept beside the corrected one.
"""

from collections.abc import Sequence

from ganglion.trust.clock_floor import BUILT_AT_S

_SECOND_NS = 1_000_000_000
_FLOOR_NS = int(BUILT_AT_S) * _SECOND_NS
_UNNOTICED_NS = 30 * _SECOND_NS
"""A slow way looks like a clock that is behind; below this nothing is shifted."""


def estimate(*, sent_at_ns: int, received_at_ns: int) -> int:
    """Return how far the node's clock is ahead of the hub's, nanoseconds; 0 when it may as well be the way.

    A batch that was sent at 0 does not say when.
    """
    error_ns = sent_at_ns - received_at_ns
    return error_ns if sent_at_ns and _knows(received_at_ns) and abs(error_ns) > _UNNOTICED_NS else 0


def corrected(times_ns: Sequence[int], *, sent_at_ns: int, received_at_ns: int) -> list[int]:
    """Return for each event time of a batch, in the order of their numbers, when it was by the hub's clock.

    Nothing is later than its arrival. A hub whose own clock cannot be right corrects nothing.
    """
    if not _knows(received_at_ns) or not times_ns:
        return list(times_ns)
    error_ns = estimate(sent_at_ns=sent_at_ns, received_at_ns=received_at_ns)
    if not error_ns and min(times_ns) >= _FLOOR_NS and max(times_ns) <= received_at_ns:
        return list(times_ns)
    likely = [_likely(at_ns, error_ns, received_at_ns) for at_ns in times_ns]
    return _with_neighbours(likely, received_at_ns)


def _knows(received_at_ns: int) -> bool:
    return received_at_ns >= _FLOOR_NS


def _likely(at_ns: int, error_ns: int, received_at_ns: int) -> int | None:
    """Return the shifted time, or the time as it is when it was taken before the clock went wrong, or None."""
    for candidate in (at_ns - error_ns, at_ns):
        if _FLOOR_NS <= candidate <= received_at_ns + _UNNOTICED_NS:
            return min(candidate, received_at_ns)
    return None


def _with_neighbours(times_ns: Sequence[int | None], received_at_ns: int) -> list[int]:
    """Fill what is unknown with the next known time, for numbers follow time; behind the last with the arrival."""
    filled: list[int] = []
    following = received_at_ns
    for at_ns in reversed(times_ns):
        following = following if at_ns is None else at_ns
        filled.append(following)
    return filled[::-1]
