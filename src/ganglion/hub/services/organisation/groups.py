"""Groups of nodes, read within a transaction: a name for a selector, or for a fixed list of nodes."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec

from ganglion.core.errors import NotFound
from ganglion.hub.domain.fleet import selectors
from ganglion.hub.domain.fleet.selectors import Selector
from ganglion.hub.domain.nodes.lifecycle import Standing
from ganglion.ports.hub_store import Alternatives, ControlTransaction, NodeQuery, NodeRow, NodeTerm
from ganglion.wire import codec
from ganglion.wire.identity import NodeFacts

KIND = "group"
IN_SERVICE = (Standing.PENDING.value, Standing.ACTIVE.value)
"""Whom rollouts and groups count on: others cannot reach the hub."""

Sight: TypeAlias = Callable[[ControlTransaction], tuple[Alternatives, ...]]
"""Which nodes somebody may see, or asks for by a group's name: those that are of every one."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a name means. Both parts together: the nodes that either means."""

    selector: str | None = None
    """Dynamic: whoever meets it at the moment. See `selectors`; empty: every node; None: nobody."""
    nodes: tuple[str, ...] = ()
    """Static: these names."""
    description: str = ""
    owner: str = ""
    """What made it, when no person did: only that prunes it."""


def facts_of(node: NodeRow) -> dict[str, str]:
    """Return what a selector can ask of a node: labels, and what the hub knows."""
    facts = codec.decode_json(node.facts, NodeFacts)
    known = {
        "name": node.name,
        "site": node.site,
        "zone": node.zone,
        "class": node.node_class,
        "arch": facts.arch,
        "runtime": facts.runtime,
        "release": facts.release,
        "cores": str(facts.cores),
    }
    return codec.decode_json(node.labels, dict[str, str]) | known


def terms_of(selector: Selector) -> tuple[NodeTerm, ...]:
    """Return a selector as the store is asked for it."""
    return tuple(NodeTerm(term.key, term.values, term.is_negated) for term in selector.terms)


def group(tx: ControlTransaction, name: str) -> Group:
    """Return a group. Raises: NotFound."""
    row = tx.document(KIND, name)
    if row is None:
        raise NotFound(f"there is no group {name[:80]!r}")
    return codec.decode_json(row.document, Group)


def selected(tx: ControlTransaction, selector: str, *, standings: tuple[str, ...] = IN_SERVICE) -> Sequence[NodeRow]:
    """Return the nodes that a selector means, by name; those in service unless others are named.

    Raises: InvalidRequest: it cannot be read.
    """
    return tx.find_nodes(NodeQuery(terms=terms_of(selectors.parse(selector)), standings=standings))


def members(tx: ControlTransaction, name: str) -> list[NodeRow]:
    """Return the nodes of a group that are in service, by name. Raises: NotFound: no such group."""
    return whom(tx, group(tx, name))


def whom(tx: ControlTransaction, meant: Group) -> list[NodeRow]:
    """Return the nodes in service that a group means, by name. Raises: InvalidRequest: its selector cannot be read."""
    return list(tx.find_nodes(NodeQuery(within=(alternatives_of(meant),), standings=IN_SERVICE)))


def counted(
    tx: ControlTransaction, meant: Group, *, most: int, within: tuple[Alternatives, ...] = ()
) -> tuple[int, Sequence[str]]:
    """Return how many nodes in service a group means of those `within`, and the names of the first `most` of them.

    Raises: InvalidRequest: its selector cannot be read.
    """
    query = NodeQuery(within=(alternatives_of(meant), *within), standings=IN_SERVICE, limit=most + 1)
    names = tx.find_names(query) if most else ()
    return (len(names), names) if 0 < len(names) <= most else (tx.count_nodes(query), names[:most])


def alternatives_of(meant: Group) -> Alternatives:
    """Return whom a group means as the store is asked for it. Raises: InvalidRequest: its selector cannot be read."""
    named = ((NodeTerm("name", meant.nodes),),) if meant.nodes else ()
    return named if meant.selector is None else (terms_of(selectors.parse(meant.selector)), *named)


def has(meant: Group, node: NodeRow) -> bool:
    """Tell whether a node belongs to a group, in service or not."""
    if node.name in meant.nodes:
        return True
    return meant.selector is not None and selectors.parse(meant.selector).selects(facts_of(node))


def known(tx: ControlTransaction, names: Iterable[str]) -> list[Group]:
    """Return those of the groups that exist."""
    rows = [tx.document(KIND, name) for name in names]
    return [codec.decode_json(row.document, Group) for row in rows if row is not None]


def groups_of(tx: ControlTransaction, node: NodeRow, names: Iterable[str] | None = None) -> list[str]:
    """Return the groups that a node belongs to, by name; of these `names` when they are given."""
    rows = tx.documents(KIND) if names is None else [row for name in names if (row := tx.document(KIND, name))]
    return [row.name for row in rows if has(codec.decode_json(row.document, Group), node)]
