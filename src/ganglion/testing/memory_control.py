"""What a transaction on the in-memory control database can do; `ports.hub_store` says what each method promises."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ganglion.core.errors import Conflict
from ganglion.ports.hub_store import (
    AssignmentRow,
    CredentialRow,
    DatasetRow,
    DocumentRow,
    JoinTokenRow,
    LabelRow,
    NodeQuery,
    NodeRow,
    ReleaseRow,
    RolloutRow,
)
from ganglion.testing import memory_search
from ganglion.testing.memory_many_nodes import MemoryManyNodes
from ganglion.testing.memory_people import MemoryPeopleTransaction, PeopleTables


@dataclass(slots=True)
class ControlTables(PeopleTables):
    """Rows by key, in the order in which they were added."""

    meta: dict[str, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    join_tokens: dict[str, JoinTokenRow] = field(default_factory=dict)
    nodes: dict[str, NodeRow] = field(default_factory=dict)
    releases: dict[tuple[str, str, str], ReleaseRow] = field(default_factory=dict)
    assignments: dict[tuple[str, str], AssignmentRow] = field(default_factory=dict)
    rollouts: dict[str, RolloutRow] = field(default_factory=dict)
    rollout_parts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    documents: dict[tuple[str, str], DocumentRow] = field(default_factory=dict)
    labels: dict[int, LabelRow] = field(default_factory=dict)
    datasets: dict[tuple[str, int], DatasetRow] = field(default_factory=dict)


class MemoryControlTransaction(MemoryPeopleTransaction, MemoryManyNodes):
    """Reads and writes of one transaction."""

    def __init__(self, tables: ControlTables) -> None:
        super().__init__(tables)
        MemoryManyNodes.__init__(self, tables)
        self._tables = tables

    def meta(self, key: str) -> str | None:
        return self._tables.meta.get(key)

    def set_meta(self, key: str, value: str) -> None:
        self._tables.meta[key] = value

    def add_join_token(self, row: JoinTokenRow) -> None:
        if row.token_hash in self._tables.join_tokens:
            raise Conflict("this join token exists already")
        self._tables.join_tokens[row.token_hash] = row

    def join_token(self, token_hash: str) -> JoinTokenRow | None:
        return self._tables.join_tokens.get(token_hash)

    def use_join_token(self, token_hash: str, at_s: float) -> bool:
        row = self._tables.join_tokens.get(token_hash)
        if row is None or row.used_at_s is not None:
            return False
        self._tables.join_tokens[token_hash] = replace(row, used_at_s=at_s)
        return True

    def remove_join_tokens(self, *, expired_at_s: float) -> int:
        tokens = self._tables.join_tokens
        expired = [key for key, row in tokens.items() if row.expires_at_s <= expired_at_s]
        for key in expired:
            del tokens[key]
        return len(expired)

    def put_node(self, row: NodeRow) -> None:
        held = self._tables.nodes.get(row.node_id)
        other = self.node_by_name(row.name) if held is None or held.name != row.name else held
        if other is not None and other.node_id != row.node_id:
            raise Conflict(f"a node named {row.name} exists already")
        self._tables.nodes[row.node_id] = row

    def node(self, node_id: str) -> NodeRow | None:
        return self._tables.nodes.get(node_id)

    def node_by_name(self, name: str) -> NodeRow | None:
        return next((row for row in self._tables.nodes.values() if row.name == name), None)

    def nodes(self) -> Sequence[NodeRow]:
        return sorted(self._tables.nodes.values(), key=lambda row: row.name)

    def find_nodes(self, query: NodeQuery) -> Sequence[NodeRow]:
        found = [row for row in memory_search.meeting(self.nodes(), query) if row.name > query.after]
        return found[: query.limit]

    def find_names(self, query: NodeQuery) -> Sequence[str]:
        return [row.name for row in self.find_nodes(query)]

    def count_nodes(self, query: NodeQuery) -> int:
        return len(memory_search.meeting(self.nodes(), query))

    def node_names(self) -> dict[str, str]:
        return {row.node_id: row.name for row in self._tables.nodes.values()}

    def node_counts(self) -> Sequence[tuple[str, str, int]]:
        return memory_search.counted(self.nodes())

    def next_revision(self, *, step: int = 1) -> int:
        revision = self._tables.counters.get("revision", 0) + step
        self._tables.counters["revision"] = revision
        return revision

    def set_revision(self, node_ids: Sequence[str], revision: int) -> None:
        nodes = self._tables.nodes
        nodes.update(
            {node_id: replace(nodes[node_id], desired_revision=revision) for node_id in node_ids if node_id in nodes}
        )

    def put_credential(self, row: CredentialRow) -> None:
        self._tables.credentials[row.secret_hash, row.kind] = row

    def credential(self, secret_hash: str, kind: str) -> CredentialRow | None:
        return self._tables.credentials.get((secret_hash, kind))

    def take_credential(self, secret_hash: str, kind: str) -> CredentialRow | None:
        return self._tables.credentials.pop((secret_hash, kind), None)

    def remove_credentials(self, *, expired_at_s: float) -> int:
        credentials = self._tables.credentials
        expired = [
            key for key, row in credentials.items() if row.expires_at_s is not None and row.expires_at_s <= expired_at_s
        ]
        for key in expired:
            del credentials[key]
        return len(expired)

    def add_release(self, row: ReleaseRow) -> None:
        key = row.model, row.version, row.variant
        known = self._tables.releases.setdefault(key, row)
        if known.sha256 != row.sha256:
            raise Conflict(f"{row.model}:{row.version} ({row.variant}) was released with other bytes")

    def releases(self, model: str | None = None, version: str | None = None) -> Sequence[ReleaseRow]:
        rows = [
            row
            for row in reversed(self._tables.releases.values())
            if model in {None, row.model} and version in {None, row.version}
        ]
        return sorted(rows, key=lambda row: row.released_at_s, reverse=True)

    def put_assignment(self, row: AssignmentRow) -> None:
        self._tables.assignments[row.node_id, row.model] = row

    def remove_assignment(self, node_id: str, model: str) -> None:
        self._tables.assignments.pop((node_id, model), None)

    def assignments(self, *, node_id: str | None = None, model: str | None = None) -> Sequence[AssignmentRow]:
        rows = self._tables.assignments
        if node_id is not None and model is not None:
            return [rows[node_id, model]] if (node_id, model) in rows else []
        wanted = [key for key in rows if (node_id is None or key[0] == node_id) and (model is None or key[1] == model)]
        return [rows[key] for key in sorted(wanted)]

    def put_rollout(self, row: RolloutRow) -> None:
        self._tables.rollouts[row.rollout_id] = row

    def rollout(self, rollout_id: str) -> RolloutRow | None:
        return self._tables.rollouts.get(rollout_id)

    def rollouts(self, *, model: str | None = None, states: Sequence[str] = ()) -> Sequence[RolloutRow]:
        return [
            row
            for row in reversed(self._tables.rollouts.values())
            if model in {None, row.model} and (not states or row.state in states)
        ]

    def add_rollout_part(self, rollout_id: str, number: int, document: bytes) -> None:
        assert (rollout_id, number) not in self._tables.rollout_parts, "a part is never changed"
        self._tables.rollout_parts[rollout_id, number] = document

    def rollout_parts(self, rollout_id: str) -> Sequence[bytes]:
        return [part for key, part in sorted(self._tables.rollout_parts.items()) if key[0] == rollout_id]

    def remove_rollout_parts(self, rollout_id: str, *, before: int) -> None:
        for key in [key for key in self._tables.rollout_parts if key[0] == rollout_id and key[1] < before]:
            del self._tables.rollout_parts[key]

    def put_document(self, row: DocumentRow) -> None:
        self._tables.documents[row.kind, row.name] = row

    def document(self, kind: str, name: str) -> DocumentRow | None:
        return self._tables.documents.get((kind, name))

    def document_count(self, kind: str) -> int:
        """Return how many documents of a kind there are."""
        return len(self.documents(kind))

    def documents(self, kind: str) -> Sequence[DocumentRow]:
        return [row for key, row in sorted(self._tables.documents.items()) if key[0] == kind]

    def remove_document(self, kind: str, name: str) -> bool:
        return self._tables.documents.pop((kind, name), None) is not None

    def add_label(self, row: LabelRow) -> None:
        self._tables.labels[len(self._tables.labels)] = row

    def labels(self, sample_ids: Sequence[str] | None = None, *, since_s: float | None = None) -> dict[str, LabelRow]:
        rows = [row for row in self._tables.labels.values() if since_s is None or row.labelled_at_s >= since_s]
        return {row.sample_id: row for row in rows if sample_ids is None or row.sample_id in sample_ids}

    def add_dataset(self, row: DatasetRow) -> None:
        if (row.name, row.version) in self._tables.datasets:
            raise Conflict(f"version {row.version} of the data set {row.name} exists already")
        self._tables.datasets[row.name, row.version] = row

    def datasets(self, name: str | None = None) -> Sequence[DatasetRow]:
        return [row for row in reversed(self._tables.datasets.values()) if name in {None, row.name}]
