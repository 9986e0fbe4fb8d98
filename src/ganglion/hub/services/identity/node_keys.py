"""Which keys prove a node, and what using one of them changes."""

from collections.abc import Sequence
from dataclasses import replace

from ganglion.ports.hub_store import NodeRow

_FORMER_MAX = 16


def good_keys(row: NodeRow) -> Sequence[str]:
    """Return the keys that prove the node: the present one, and the one that it announced."""
    return (row.public_key, row.next_public_key) if row.next_public_key else (row.public_key,)


def former_keys(row: NodeRow) -> Sequence[str]:
    """Return the keys that were replaced, newest first."""
    return tuple(reversed(row.former_public_keys.split(","))) if row.former_public_keys else ()


def announced(row: NodeRow, public_key: str) -> NodeRow:
    """Return the row once the node has announced a key. The present one stays good until the new one is used."""
    return replace(row, next_public_key="" if public_key == row.public_key else public_key)


def used(row: NodeRow, public_key: str, *, now_s: float) -> NodeRow:
    """Return the row once a good key was used: the announced one thereby becomes the present one."""
    if public_key != row.next_public_key:
        return row
    former = (*reversed(former_keys(row)), row.public_key)[-_FORMER_MAX:]
    return replace(
        row,
        public_key=public_key,
        next_public_key="",
        former_public_keys=",".join(former),
        key_since_at_s=now_s,
        rekey_asked_at_s=None,
    )
