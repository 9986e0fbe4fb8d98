"""Which life of the hub this is, and which revisions it has given. Revisions are compared as (incarnation, revision).

Two copies of one hub's data, of which one was restored, would both go on counting from the same number, and a node
could hold a number that means something else here. So every start but the first leaves out some numbers, by chance:
the numbers of a life that this hub has forgotten lie in a gap.
"""

import msgspec

from ganglion.ports.clock import Chance, new_id
from ganglion.ports.hub_store import ControlTransaction

_KEY = "incarnation"
_RANGES = "revision_ranges"
_GAP_MAX = 1_000_000
_RANGES_MAX = 200
_ENDLESS = 1 << 53


class Given(msgspec.Struct, frozen=True, array_like=True):
    """Revisions that one start of the hub could give, both ends included."""

    first: int
    last: int = _ENDLESS


def begin_revisions(tx: ControlTransaction, chance: Chance) -> None:
    """Begin the revisions of this start of the hub. Call it once, before anything is wanted of a node."""
    begun = tx.next_revision()
    known = given_revisions(tx)
    if begun == 1:
        ended, first = [], begun
    else:
        open_since = known[-1].first if known else 0
        ended = _merged([*known[:-1], Given(open_since, begun - 1)])
        first = tx.next_revision(step=1 + int(chance.share() * _GAP_MAX))
    tx.set_meta(_RANGES, msgspec.json.encode([*ended, Given(first)]).decode())


def given_revisions(tx: ControlTransaction) -> tuple[Given, ...]:
    """Return what the starts of this hub could give, oldest first; none before `begin_revisions` was ever called."""
    return msgspec.json.decode(tx.meta(_RANGES) or "[]", type=tuple[Given, ...])


def _merged(ranges: list[Given]) -> list[Given]:
    """Give up the oldest gaps when there are too many: a node may still hold a number from beside them."""
    spare = len(ranges) - _RANGES_MAX
    return ranges if spare <= 0 else [Given(ranges[0].first, ranges[spare].last), *ranges[spare + 1 :]]


def known_incarnation(tx: ControlTransaction) -> str:
    """Return the hub's incarnation, or "" before the first node has joined."""
    return tx.meta(_KEY) or ""


def incarnation_of(tx: ControlTransaction, chance: Chance) -> str:
    """Return the hub's incarnation; it is made by the first writing transaction that asks."""
    if known := known_incarnation(tx):
        return known
    made = new_id(chance)
    tx.set_meta(_KEY, made)
    return made


def renew_incarnation(tx: ControlTransaction, chance: Chance) -> str:
    """Begin another life: whatever revision a node holds, the next desired state is news to it."""
    made = new_id(chance)
    tx.set_meta(_KEY, made)
    return made
