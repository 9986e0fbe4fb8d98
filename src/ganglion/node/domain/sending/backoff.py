"""How long to wait before the next try: doubling, bounded, spread so that a fleet does not come back at once."""

import msgspec


class BackoffPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Full jitter between half the delay and the delay."""

    first_s: float = 0.5
    """Delay after the first failure."""
    max_s: float = 30.0
    """The delay never grows beyond this."""


def delay_s(policy: BackoffPolicy, failures: int, *, share: float) -> float:
    """Return the delay after `failures` failures in a row; `share` in [0, 1) comes from a `Chance`."""
    if failures <= 0:
        return 0.0
    full = min(policy.max_s, policy.first_s * 2.0 ** min(failures - 1, 32))
    return full * (0.5 + 0.5 * share)
