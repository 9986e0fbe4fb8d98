"""Which package of a released version suits which node."""

from collections.abc import Sequence

from ganglion.hub.domain.nodes import variants
from ganglion.hub.domain.nodes.variants import VariantOffer
from ganglion.ports.hub_store import NodeRow, ReleaseRow
from ganglion.ports.many_nodes import NodeSight
from ganglion.wire import codec
from ganglion.wire.identity import NodeFacts


class Choice:
    """Which package of a version suits which node. Machines with equal facts are asked about once."""

    def __init__(self, releases: Sequence[ReleaseRow]) -> None:
        """`releases`: the packages of one version."""
        self._by_variant = {row.variant: row for row in releases}
        self._offers = [VariantOffer(row.variant, row.arch, row.runtime, row.size_bytes) for row in releases]
        self._known: dict[bytes, ReleaseRow | None] = {}

    def of(self, node: NodeRow | NodeSight) -> ReleaseRow | None:
        """Return the package that suits this node best, or None when none fits."""
        if node.facts not in self._known:
            chosen = variants.choose(self._offers, codec.decode_json(node.facts, NodeFacts))
            self._known[node.facts] = self._by_variant[chosen] if chosen is not None else None
        return self._known[node.facts]


def choose_release(releases: Sequence[ReleaseRow], node: NodeRow) -> ReleaseRow | None:
    """Return the package of a version that suits this node best, or None when none fits."""
    return Choice(releases).of(node)
