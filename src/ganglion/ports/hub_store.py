"""What the hub's services keep in the control database, and in what words they ask for it.

One transaction is one `with store.write() as tx`; leaving it without an exception commits. The rows
below are values: services change them by storing new ones.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ganglion.ports.many_nodes import ManyNodesTransaction
from ganglion.ports.people_store import PeopleTransaction


@dataclass(frozen=True, slots=True)
class JoinTokenRow:
    """A single-use permission to enrol. Only the hash of the token is kept."""

    token_hash: str
    name: str
    site: str
    zone: str
    expires_at_s: float
    used_at_s: float | None = None
    labels: bytes = b"{}"
    """What the node will be called by: JSON of a map of texts."""


@dataclass(frozen=True, slots=True)
class NodeRow:
    """An enrolled node. Its public key is its identity. `facts` and `report` are JSON of the wire structs."""

    node_id: str
    name: str
    site: str
    zone: str
    public_key: str
    node_class: str
    facts: bytes
    enrolled_at_s: float
    revoked_at_s: float | None = None
    last_seen_at_s: float | None = None
    report: bytes = b""
    desired_revision: int = 0
    next_public_key: str = ""
    """The key that the node announced; it replaces `public_key` when it is first used."""
    former_public_keys: str = ""
    """Keys that were replaced, newest last, with commas: whoever proves one of them has a copy of an old disk."""
    key_since_at_s: float | None = None
    """When the present key was first used; None: when the node joined."""
    rekey_asked_at_s: float | None = None
    """Since when the node is asked for a new key."""
    quarantined_at_s: float | None = None
    quarantine_reason: str = ""
    admitted_at_s: float | None = None
    """When a person last let the node back in."""
    retired_at_s: float | None = None
    measured: bytes = b""
    """What the node last measured of itself, signed: JSON of a map of texts; empty when it says nothing."""
    labels: bytes = b"{}"
    """What people call the node by, to select it: JSON of a map of texts."""


@dataclass(frozen=True, slots=True)
class NodeTerm:
    """One demand on a node: a key that the hub fills in, or a label. A negated one is met when the key is missing."""

    key: str
    """`name`, `site`, `zone`, `class`, `arch`, `runtime`, `release`, `cores`; anything else is a label."""
    values: tuple[str, ...] = ()
    """Any of them; none: that the key is there at all."""
    is_negated: bool = False


Alternatives: TypeAlias = tuple[tuple[NodeTerm, ...], ...]
"""Nodes that meet every term of one of them: a group has a selector, and names. None at all: nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeQuery:
    """Which nodes are wanted, by name; empty fields ask for all."""

    terms: tuple[NodeTerm, ...] = ()
    """A node meets every one."""
    within: tuple[Alternatives, ...] = ()
    """A node is of every one: of a group, of those that somebody may see."""
    standings: tuple[str, ...] = ()
    """pending, active, quarantined, retired, revoked."""
    after: str = ""
    """Only names beyond this one."""
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """A short-lived secret, by hash: a node's spent challenge or access token, or a person's session."""

    secret_hash: str
    kind: str
    """challenge, access, account, session."""
    subject: str
    """The node id, the account's name, or for a session the account's name and generation."""
    expires_at_s: float | None


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """One package of a released model version. `manifest` is the canonical manifest."""

    model: str
    version: str
    variant: str
    arch: str
    runtime: str
    sha256: str
    size_bytes: int
    manifest: bytes
    released_at_s: float


@dataclass(frozen=True, slots=True)
class AssignmentRow:
    """Which version of a model a node should serve. `policy` is JSON of DeploymentPolicy."""

    node_id: str
    model: str
    version: str
    variant: str
    rollout_id: str
    policy: bytes


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """A rollout; `document` is the domain object, `state` and `model` are there to search."""

    rollout_id: str
    model: str
    version: str
    state: str
    document: bytes
    updated_at_s: float


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A person's word on a sample. The newest for a sample counts; older ones stay."""

    sample_id: str
    label: str
    labelled_by: str
    labelled_at_s: float


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """One immutable version of a data set; `sha256` is the digest of its manifest in the artifact store."""

    name: str
    version: int
    sha256: str
    samples: int
    built_at_s: float


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """Something that people declared and named: a group, a site, an experiment … `document` is JSON."""

    kind: str
    name: str
    document: bytes
    updated_at_s: float


class ControlTransaction(PeopleTransaction, ManyNodesTransaction, Protocol):
    """Reads and writes of one transaction on the control database."""

    def meta(self, key: str) -> str | None: ...
    def set_meta(self, key: str, value: str) -> None: ...

    def add_join_token(self, row: JoinTokenRow) -> None: ...
    def join_token(self, token_hash: str) -> JoinTokenRow | None: ...
    def use_join_token(self, token_hash: str, at_s: float) -> bool:
        """Mark it used; False when it was used before."""
        ...

    def remove_join_tokens(self, *, expired_at_s: float) -> int:
        """Remove those that expired at that time or before, used or not."""
        ...

    def put_node(self, row: NodeRow) -> None:
        """Insert, or replace the row of the same id. Raises: Conflict: another node has the name."""
        ...

    def node(self, node_id: str) -> NodeRow | None: ...
    def node_by_name(self, name: str) -> NodeRow | None: ...
    def nodes(self) -> Sequence[NodeRow]:
        """Return every node, by name."""
        ...

    def nodes_of(self, node_ids: Sequence[str]) -> Sequence[NodeRow]:
        """Return those of these nodes that there are, in the order of the ids."""
        ...

    def find_nodes(self, query: NodeQuery) -> Sequence[NodeRow]:
        """Return the nodes that a query asks for, by name; none is read that is not."""
        ...

    def find_names(self, query: NodeQuery) -> Sequence[str]:
        """Return the names of the nodes that a query asks for, in order; no node is read for that."""
        ...

    def count_nodes(self, query: NodeQuery) -> int:
        """Return how many nodes meet the terms and have one of the standings, wherever a page would end."""
        ...

    def node_names(self) -> dict[str, str]:
        """Return the name of every node by its id."""
        ...

    def node_counts(self) -> Sequence[tuple[str, str, int]]:
        """Return each site and zone in which nodes stand that are neither retired nor revoked, and how many."""
        ...

    def next_revision(self, *, step: int = 1) -> int:
        """Return a desired-state revision higher than any before, by `step`."""
        ...

    def set_revision(self, node_ids: Sequence[str], revision: int) -> None:
        """Give these nodes that desired-state revision, which comes from `next_revision`."""
        ...

    def put_credential(self, row: CredentialRow) -> None: ...
    def credential(self, secret_hash: str, kind: str) -> CredentialRow | None: ...
    def take_credential(self, secret_hash: str, kind: str) -> CredentialRow | None:
        """Return it and remove it, so that it is good once."""
        ...

    def remove_credentials(self, *, expired_at_s: float) -> int: ...
    def add_release(self, row: ReleaseRow) -> None:
        """Raises: Conflict: this model, version and variant exist with other bytes."""
        ...

    def releases(self, model: str | None = None, version: str | None = None) -> Sequence[ReleaseRow]:
        """Return releases, newest first."""
        ...

    def put_assignment(self, row: AssignmentRow) -> None: ...
    def put_assignments(self, rows: Sequence[AssignmentRow]) -> list[str]:
        """Insert, or replace those of the same node and model; return the nodes for which that changed anything."""
        ...

    def assignments_of(self, node_ids: Sequence[str], model: str) -> Mapping[str, AssignmentRow]:
        """Return by node what these nodes are assigned of a model."""
        ...

    def all_assignments_of(self, node_ids: Sequence[str]) -> Sequence[AssignmentRow]:
        """Return what these nodes are assigned of whatever model, by node and model."""
        ...

    def remove_assignment(self, node_id: str, model: str) -> None: ...
    def assignments(self, *, node_id: str | None = None, model: str | None = None) -> Sequence[AssignmentRow]: ...

    def put_rollout(self, row: RolloutRow) -> None: ...
    def rollout(self, rollout_id: str) -> RolloutRow | None: ...
    def rollouts(self, *, model: str | None = None, states: Sequence[str] = ()) -> Sequence[RolloutRow]:
        """Return rollouts, newest first."""
        ...

    def add_rollout_part(self, rollout_id: str, number: int, document: bytes) -> None:
        """Add a part under a number that the rollout has none under."""
        ...

    def rollout_parts(self, rollout_id: str) -> Sequence[bytes]:
        """Return what was added, by number."""
        ...

    def remove_rollout_parts(self, rollout_id: str, *, before: int) -> None:
        """Remove the parts with smaller numbers."""
        ...

    def put_document(self, row: DocumentRow) -> None:
        """Insert, or replace the one of the same kind and name."""
        ...

    def document(self, kind: str, name: str) -> DocumentRow | None: ...
    def documents(self, kind: str) -> Sequence[DocumentRow]:
        """Return every document of a kind, by name."""
        ...

    def document_count(self, kind: str) -> int: ...
    def remove_document(self, kind: str, name: str) -> bool:
        """Remove it; False when it is not there."""
        ...

    def add_label(self, row: LabelRow) -> None: ...
    def labels(self, sample_ids: Sequence[str] | None = None, *, since_s: float | None = None) -> dict[str, LabelRow]:
        """Return the newest label of each sample: the one that was stored last, whatever the clocks said.

        With `since_s`, only what was said at that time or later counts.
        """
        ...

    def add_dataset(self, row: DatasetRow) -> None: ...
    def datasets(self, name: str | None = None) -> Sequence[DatasetRow]:
        """Return data set versions, newest first."""
        ...


class ControlStore(Protocol):
    """The control database."""

    def read(self) -> AbstractContextManager[ControlTransaction]:
        """Open a transaction that sees one moment."""
        ...

    def write(self, *, lasting: bool = True) -> AbstractContextManager[ControlTransaction]:
        """Open the one writing transaction; others wait. Raises: DiskUnusable.

        One that is not `lasting` may be lost in a power cut, as a whole, until the next lasting one: for what comes
        about again by itself.
        """
        ...
