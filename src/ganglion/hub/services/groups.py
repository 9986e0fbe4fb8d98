"""Groups of nodes, read within a transaction: a name for a selector, or for a fixed list of nodes."""

import msgspec

from ganglion.core.errors import NotFound
from ganglion.hub.domain import lifecycle, selectors
from ganglion.ports.hub_store import ControlTransaction, NodeRow
from ganglion.wire import codec
from ganglion.wire.identity import NodeFacts

KIND = "group"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a name means. Both parts together: the nodes that either means."""

    selector: str | None = None
    """Dynamic: whoever meets it at the moment. See `selectors`; empty: every node; None: nobody."""
    nodes: tuple[str, ...] = ()
    """Static: these names."""


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


def group(tx: ControlTransaction, name: str) -> Group:
    """Return a group. Raises: NotFound."""
    row = tx.document(KIND, name)
    if row is None:
        raise NotFound(f"there is no group {name[:80]!r}")
    return codec.decode_json(row.document, Group)


def selected(tx: ControlTransaction, selector: str) -> list[NodeRow]:
    """Return the nodes in service that a selector means, by name. Raises: InvalidRequest: it cannot be read."""
    wanted = selectors.parse(selector)
    return [row for row in tx.nodes() if lifecycle.takes_part(row) and wanted.selects(facts_of(row))]


def members(tx: ControlTransaction, name: str) -> list[NodeRow]:
    """Return the nodes of a group that are in service, by name. Raises: NotFound: no such group."""
    meant = group(tx, name)
    named = set(meant.nodes)
    chosen = {row.node_id for row in selected(tx, meant.selector)} if meant.selector is not None else set()
    return [row for row in tx.nodes() if lifecycle.takes_part(row) and (row.name in named or row.node_id in chosen)]
