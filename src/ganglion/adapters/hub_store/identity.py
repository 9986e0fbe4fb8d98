"""Nodes and secrets of the control database: who is enrolled, and who may speak."""

from collections.abc import Sequence

import sqlalchemy as sa

from ganglion.adapters.hub_store import control_tables as tables
from ganglion.adapters.hub_store import node_marks, rows
from ganglion.core.errors import Conflict
from ganglion.ports.hub_store import CredentialRow, JoinTokenRow, NodeRow


class IdentityRows:
    """Join tokens, nodes and credentials."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add_join_token(self, row: JoinTokenRow) -> None:
        """Keep a token's hash."""
        rows.add(self._connection, tables.join_tokens, [row])

    def join_token(self, token_hash: str) -> JoinTokenRow | None:
        """Return the token with this hash."""
        query = rows.select(tables.join_tokens, JoinTokenRow).where(tables.join_tokens.c.token_hash == token_hash)
        return rows.fetch_one(self._connection, query, JoinTokenRow)

    def use_join_token(self, token_hash: str, at_s: float) -> bool:
        """Mark it used; False when it was used before, or is unknown."""
        columns = tables.join_tokens.c
        unused = sa.and_(columns.token_hash == token_hash, columns.used_at_s.is_(None))
        done = self._connection.execute(sa.update(tables.join_tokens).where(unused).values(used_at_s=at_s))
        return done.rowcount == 1

    def remove_join_tokens(self, *, expired_at_s: float) -> int:
        """Remove those that expired at that time or before, used or not."""
        expired = tables.join_tokens.c.expires_at_s <= expired_at_s
        return self._connection.execute(sa.delete(tables.join_tokens).where(expired)).rowcount

    def put_node(self, row: NodeRow) -> None:
        """Insert, or replace the row of the same id. Raises: Conflict: another node has the name."""
        before = self.node_by_name(row.name)
        if before is not None and before.node_id != row.node_id:
            raise Conflict(f"another node has the name {row.name!r}")
        node_marks.follow(rows.driver(self._connection), before or self.node(row.node_id), row)
        rows.put(self._connection, tables.nodes, row, on=["node_id"])

    def node(self, node_id: str) -> NodeRow | None:
        """Return the node with this id."""
        return rows.find_one(self._connection, tables.nodes, NodeRow, node_id=node_id)

    def node_by_name(self, name: str) -> NodeRow | None:
        """Return the node with this name."""
        return rows.find_one(self._connection, tables.nodes, NodeRow, name=name)

    def nodes(self) -> Sequence[NodeRow]:
        """Return every node, by name."""
        return rows.fetch(self._connection, rows.select(tables.nodes, NodeRow).order_by(tables.nodes.c.name), NodeRow)

    def set_revision(self, node_ids: Sequence[str], revision: int) -> None:
        """Give these nodes that desired-state revision."""
        statement = "UPDATE nodes SET desired_revision = ? WHERE node_id = ?"
        rows.driver(self._connection).executemany(statement, ((revision, node_id) for node_id in node_ids)).close()

    def put_credential(self, row: CredentialRow) -> None:
        """Insert, or replace the one of the same hash and kind."""
        rows.put(self._connection, tables.credentials, row, on=["secret_hash", "kind"])

    def credential(self, secret_hash: str, kind: str) -> CredentialRow | None:
        """Return the credential of this kind with this hash."""
        return rows.find_one(self._connection, tables.credentials, CredentialRow, secret_hash=secret_hash, kind=kind)

    def take_credential(self, secret_hash: str, kind: str) -> CredentialRow | None:
        """Return it and remove it, so that it is good once."""
        found = self.credential(secret_hash, kind)
        self._connection.execute(sa.delete(tables.credentials).where(_is(secret_hash, kind)))
        return found

    def remove_credentials(self, *, expired_at_s: float) -> int:
        """Remove what expired at that time or before; those without an expiry stay."""
        expired = tables.credentials.c.expires_at_s <= expired_at_s
        return self._connection.execute(sa.delete(tables.credentials).where(expired)).rowcount


def _is(secret_hash: str, kind: str) -> sa.ColumnElement[bool]:
    columns = tables.credentials.c
    return sa.and_(columns.secret_hash == secret_hash, columns.kind == kind)
