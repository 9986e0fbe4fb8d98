"""Which life of the hub this is. Revisions are compared as (incarnation, revision)."""

from ganglion.ports.clock import Chance, new_id
from ganglion.ports.hub_store import ControlTransaction

_KEY = "incarnation"


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
