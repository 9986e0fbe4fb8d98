"""People, programs' tokens and audit chains of the control database: implements `ports.people_store`."""

from collections.abc import Sequence

import sqlalchemy as sa

from ganglion.adapters.hub_store import control_tables, rows
from ganglion.adapters.hub_store import people_tables as tables
from ganglion.ports.people_store import AccountRow, AuditQuery, AuditRow, CheckpointRow, ProgramTokenRow


class PeopleRows:
    """Accounts, programs' tokens, and what was done in whose name."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put_account(self, row: AccountRow) -> None:
        """Insert, or replace the row of the same name."""
        rows.put(self._connection, tables.accounts, row, on=["name"])

    def account(self, name: str) -> AccountRow | None:
        """Return the account with this name."""
        query = rows.select(tables.accounts, AccountRow).where(tables.accounts.c.name == name)
        return rows.fetch_one(self._connection, query, AccountRow)

    def account_of_login(self, login: str) -> AccountRow | None:
        """Return the account that an identity provider made for this subject of its own."""
        query = rows.select(tables.accounts, AccountRow).where(tables.accounts.c.login == login)
        return next(iter(rows.fetch(self._connection, query.limit(1), AccountRow)), None)

    def accounts(self) -> Sequence[AccountRow]:
        """Return every account, by name."""
        query = rows.select(tables.accounts, AccountRow).order_by(tables.accounts.c.name)
        return rows.fetch(self._connection, query, AccountRow)

    def remove_credentials_of(self, kind: str, subject: str) -> int:
        """Remove the credentials of a kind that belong to `subject`."""
        columns = control_tables.credentials.c
        theirs = sa.and_(columns.kind == kind, columns.subject == subject)
        return self._connection.execute(sa.delete(control_tables.credentials).where(theirs)).rowcount

    def put_program_token(self, row: ProgramTokenRow) -> None:
        """Insert, or replace the row of the same id."""
        rows.put(self._connection, tables.program_tokens, row, on=["token_id"])

    def program_token(self, token_id: str) -> ProgramTokenRow | None:
        """Return the token with this id."""
        return self._token(tables.program_tokens.c.token_id == token_id)

    def program_token_of(self, secret_hash: str) -> ProgramTokenRow | None:
        """Return the token with this hash."""
        return self._token(tables.program_tokens.c.secret_hash == secret_hash)

    def program_tokens(self) -> Sequence[ProgramTokenRow]:
        """Return every token, newest first."""
        columns = tables.program_tokens.c
        query = rows.select(tables.program_tokens, ProgramTokenRow)
        query = query.order_by(columns.created_at_s.desc(), columns.token_id)
        return rows.fetch(self._connection, query, ProgramTokenRow)

    def remove_program_tokens(self, *, ended_at_s: float) -> int:
        """Remove those that expired or were revoked at that time or before."""
        columns = tables.program_tokens.c
        ended = sa.or_(columns.expires_at_s <= ended_at_s, columns.revoked_at_s <= ended_at_s)
        return self._connection.execute(sa.delete(tables.program_tokens).where(ended)).rowcount

    def add_audit(self, row: AuditRow) -> None:
        """Add a link. Raises: Conflict: the writer has one with this number."""
        rows.add(self._connection, tables.audit, [row])

    def audit_head(self, writer: str) -> AuditRow | None:
        """Return the newest link of a chain."""
        columns = tables.audit.c
        query = rows.select(tables.audit, AuditRow).where(columns.writer == writer)
        return rows.fetch_one(self._connection, query.order_by(columns.number.desc()).limit(1), AuditRow)

    def audit(self, query: AuditQuery) -> Sequence[AuditRow]:
        """Return links by time, or by number where one writer is asked for."""
        columns = tables.audit.c
        wanted = rows.select(tables.audit, AuditRow).where(
            columns.number > query.after, columns.at_ns >= query.since_ns, columns.at_ns <= query.until_ns
        )
        for column, value in ((columns.writer, query.writer), (columns.actor, query.actor)):
            wanted = wanted.where(column == value) if value else wanted
        if query.subject:
            wanted = wanted.where(columns.subject == query.subject)
        if query.action:
            wanted = wanted.where(columns.action.startswith(query.action, autoescape=True))
        order = (columns.number,) if query.writer else (columns.at_ns, columns.writer, columns.number)
        ordered = [column.desc() if query.newest_first else column for column in order]
        return rows.fetch(self._connection, wanted.order_by(*ordered).limit(query.limit), AuditRow)

    def remove_audit(self, writer: str, *, through: int) -> int:
        """Remove the links up to this number."""
        columns = tables.audit.c
        old = sa.and_(columns.writer == writer, columns.number <= through)
        return self._connection.execute(sa.delete(tables.audit).where(old)).rowcount

    def put_checkpoint(self, row: CheckpointRow) -> None:
        """Insert, or replace the one of the same writer and number."""
        rows.put(self._connection, tables.checkpoints, row, on=["writer", "number"])

    def checkpoints(self, writer: str) -> Sequence[CheckpointRow]:
        """Return the checkpoints of a chain by number."""
        columns = tables.checkpoints.c
        query = rows.select(tables.checkpoints, CheckpointRow).where(columns.writer == writer)
        return rows.fetch(self._connection, query.order_by(columns.number), CheckpointRow)

    def remove_checkpoints(self, writer: str, *, below: int) -> int:
        """Remove those with a lower number."""
        columns = tables.checkpoints.c
        old = sa.and_(columns.writer == writer, columns.number < below)
        return self._connection.execute(sa.delete(tables.checkpoints).where(old)).rowcount

    def _token(self, wanted: sa.ColumnElement[bool]) -> ProgramTokenRow | None:
        query = rows.select(tables.program_tokens, ProgramTokenRow).where(wanted)
        return rows.fetch_one(self._connection, query, ProgramTokenRow)
