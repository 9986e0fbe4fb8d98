"""What the hub asks of the control database about many nodes at once, in few statements and narrow rows."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class NodeSight(NamedTuple):
    """One of very many nodes: where it stands, and nothing of what it reported. A tuple is made fastest."""

    node_id: str
    name: str
    site: str
    node_class: str
    labels: bytes
    facts: bytes
    revoked_at_s: float | None
    retired_at_s: float | None
    quarantined_at_s: float | None


class StaleNode(NamedTuple):
    """One of perhaps very many nodes: when it joined, and when it was heard of."""

    node_id: str
    name: str
    enrolled_at_s: float
    last_seen_at_s: float | None


class Reporter(Protocol):
    """A node with what it reported: JSON of the wire struct, empty before the first."""

    @property
    def node_id(self) -> str: ...
    @property
    def desired_revision(self) -> int: ...
    @property
    def report(self) -> bytes: ...


class ReportedNode(NamedTuple):
    """One of many nodes with what it reported."""

    node_id: str
    name: str
    desired_revision: int
    report: bytes
    last_seen_at_s: float | None
    revoked_at_s: float | None
    retired_at_s: float | None
    quarantined_at_s: float | None


class ManyNodesTransaction(Protocol):
    """The part of a transaction that a fleet of a hundred thousand nodes needs."""

    def node_sights(self, *, after: str = "", limit: int | None = None) -> Sequence[NodeSight]:
        """Return nodes by name, those behind the name `after`: all, or so many."""
        ...

    def stale(self, *, before_s: float) -> Sequence[StaleNode]:
        """Return the nodes that are let in and were last heard of before that time, or never; in no order."""
        ...

    def heard(self, *, since_s: float | None = None) -> dict[str, float]:
        """Return by node when it was last heard of: at that time or later, or ever."""
        ...

    def reports_of(self, node_ids: Sequence[str]) -> Sequence[ReportedNode]:
        """Return those of these nodes that there are, in no order."""
        ...

    def names_of(self, node_ids: Sequence[str]) -> dict[str, str]:
        """Return by id the names of those of these nodes that there are."""
        ...

    def assigned_versions(self, model: str, *, node_ids: Sequence[str] | None = None) -> dict[str, str]:
        """Return by node the version of a model that it is assigned: of these nodes, or of all."""
        ...

    def remove_assignments(self, node_ids: Sequence[str], model: str) -> None:
        """Remove what these nodes are assigned of a model, where they are."""
        ...
