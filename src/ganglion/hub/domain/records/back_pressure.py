"""When a node that was turned away shall come again: a crowd is spread over the time that the hub needs for it."""

import math

_WAIT_S_MIN = 1
_WAIT_S_MAX = 300
_PER_S_MIN = 0.5


def retry_after_s(*, waiting: int, finished_per_s: float, share: float) -> int:
    """Return whole seconds from 1 to 300, as the header wants them.

    `waiting` nodes, this one included, were turned away and have not come back; the hub finishes `finished_per_s` of
    their batches; `share`, in [0, 1), is this node's place in the crowd, so that it does not come back as a crowd.
    """
    crowd_s = waiting / max(finished_per_s, _PER_S_MIN)
    return min(_WAIT_S_MAX, _WAIT_S_MIN + math.floor(share * (crowd_s + 1)))
