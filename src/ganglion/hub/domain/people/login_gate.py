"""Who may try a password now: a pause that doubles for a name, and a rate for an address.

A try counts before its password is looked at, so that many at once gain nothing. Only failures make a name wait;
the wait ends by itself, and an account's token is not asked here: nobody can lock another out for good.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]
_MINUTE_S = 60.0


class LoginLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many wrong passwords are too many."""

    tries_free_max: Positive = 5
    """Wrong passwords of a name in a row before it has to wait. The pause begins with a second and doubles."""
    pause_s_max: Positive = 900
    """The longest pause; a name that nobody tried for twice as long begins anew."""
    tries_per_minute_max: Positive = 30
    """Tries with passwords from one address each minute; further ones are answered with 429."""
    remembered_max: Positive = 10_000
    """Names, and addresses, that are remembered; the ones that tried longest ago are forgotten first."""


@dataclass(frozen=True, slots=True)
class _Tries:
    count: int
    last_s: float


class LoginGate:
    """Counts tries. Times are monotonic seconds."""

    def __init__(self, limits: LoginLimits | None = None) -> None:
        self._limits = limits or LoginLimits()
        self._names: OrderedDict[str, _Tries] = OrderedDict()
        self._peers: OrderedDict[str, _Tries] = OrderedDict()

    def begin(self, name: str, peer: str, now_s: float) -> float:
        """Count a try and return 0, or return how many seconds it comes too early; such a try counts for nothing."""
        wait_s = max(self._wait_of_name(name, now_s), self._wait_of_peer(peer, now_s))
        if wait_s > 0:
            return wait_s
        tries = self._names.get(name)
        self._keep(self._names, name, _Tries(tries.count + 1 if tries else 1, now_s))
        began = self._peers.get(peer)
        within = began is not None and now_s - began.last_s < _MINUTE_S
        self._keep(self._peers, peer, _Tries(began.count + 1, began.last_s) if began and within else _Tries(1, now_s))
        return 0.0

    def succeeded(self, name: str) -> None:
        """Forget the wrong passwords of a name: its owner is here."""
        self._names.pop(name, None)

    def _wait_of_name(self, name: str, now_s: float) -> float:
        tries = self._names.get(name)
        if tries is None or tries.count < self._limits.tries_free_max:
            return 0.0
        if now_s - tries.last_s >= 2 * self._limits.pause_s_max:
            self._names.pop(name)
            return 0.0
        # Beyond some tries the pause is the longest anyway; 2**1000 is not a float.
        doublings = min(tries.count - self._limits.tries_free_max, 30)
        pause_s = min(2.0**doublings, float(self._limits.pause_s_max))
        return max(tries.last_s + pause_s - now_s, 0.0)

    def _wait_of_peer(self, peer: str, now_s: float) -> float:
        tries = self._peers.get(peer)
        if tries is None or tries.count < self._limits.tries_per_minute_max:
            return 0.0
        return max(tries.last_s + _MINUTE_S - now_s, 0.0)

    def _keep(self, table: OrderedDict[str, _Tries], key: str, tries: _Tries) -> None:
        table[key] = tries
        table.move_to_end(key)
        if len(table) > self._limits.remembered_max:
            table.popitem(last=False)
