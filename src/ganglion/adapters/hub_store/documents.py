"""Named documents of the control database: what people declared."""

from collections.abc import Sequence

import sqlalchemy as sa

from ganglion.adapters.hub_store import control_tables as tables
from ganglion.adapters.hub_store import rows
from ganglion.ports.hub_store import DocumentRow


class DocumentRows:
    """Documents by kind and name."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put_document(self, row: DocumentRow) -> None:
        """Insert, or replace the one of the same kind and name."""
        rows.put(self._connection, tables.documents, row, on=["kind", "name"])

    def document(self, kind: str, name: str) -> DocumentRow | None:
        """Return the document of this kind and name."""
        return rows.find_one(self._connection, tables.documents, DocumentRow, kind=kind, name=name)

    def documents(self, kind: str) -> Sequence[DocumentRow]:
        """Return every document of a kind, by name."""
        found = rows.find(self._connection, tables.documents, DocumentRow, kind=kind)
        return sorted(found, key=lambda row: row.name)

    def document_count(self, kind: str) -> int:
        """Return how many documents of a kind there are."""
        found = sa.select(sa.func.count()).select_from(tables.documents).where(tables.documents.c.kind == kind)
        return int(self._connection.execute(found).scalar_one())

    def remove_document(self, kind: str, name: str) -> bool:
        """Remove it; False when it is not there."""
        columns = tables.documents.c
        it = sa.and_(columns.kind == kind, columns.name == name)
        return self._connection.execute(sa.delete(tables.documents).where(it)).rowcount == 1
