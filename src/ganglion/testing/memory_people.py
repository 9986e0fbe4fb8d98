"""People, tokens and audit chains in memory; `ports.people_store` says what each method promises."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ganglion.core.errors import Conflict
from ganglion.ports.hub_store import CredentialRow
from ganglion.ports.people_store import AccountRow, AuditQuery, AuditRow, CheckpointRow, ProgramTokenRow


@dataclass(slots=True)
class PeopleTables:
    """Rows by key."""

    credentials: dict[tuple[str, str], CredentialRow] = field(default_factory=dict)
    accounts: dict[str, AccountRow] = field(default_factory=dict)
    program_tokens: dict[str, ProgramTokenRow] = field(default_factory=dict)
    audit: dict[tuple[str, int], AuditRow] = field(default_factory=dict)
    checkpoints: dict[tuple[str, int], CheckpointRow] = field(default_factory=dict)


class MemoryPeopleTransaction:
    """Reads and writes of one transaction."""

    def __init__(self, tables: PeopleTables) -> None:
        self._people = tables

    def put_account(self, row: AccountRow) -> None:
        self._people.accounts[row.name] = row

    def account(self, name: str) -> AccountRow | None:
        return self._people.accounts.get(name)

    def account_of_login(self, login: str) -> AccountRow | None:
        return next((row for row in self._people.accounts.values() if row.login == login), None)

    def accounts(self) -> Sequence[AccountRow]:
        return sorted(self._people.accounts.values(), key=lambda row: row.name)

    def remove_credentials_of(self, kind: str, subject: str) -> int:
        credentials = self._people.credentials
        theirs = [key for key, row in credentials.items() if (row.kind, row.subject) == (kind, subject)]
        for key in theirs:
            del credentials[key]
        return len(theirs)

    def put_program_token(self, row: ProgramTokenRow) -> None:
        self._people.program_tokens[row.token_id] = row

    def program_token(self, token_id: str) -> ProgramTokenRow | None:
        return self._people.program_tokens.get(token_id)

    def program_token_of(self, secret_hash: str) -> ProgramTokenRow | None:
        return next((row for row in self._people.program_tokens.values() if row.secret_hash == secret_hash), None)

    def program_tokens(self) -> Sequence[ProgramTokenRow]:
        return sorted(self._people.program_tokens.values(), key=lambda row: (-row.created_at_s, row.token_id))

    def remove_program_tokens(self, *, ended_at_s: float) -> int:
        tokens = self._people.program_tokens
        ended = [
            key
            for key, row in tokens.items()
            if row.expires_at_s <= ended_at_s or (row.revoked_at_s is not None and row.revoked_at_s <= ended_at_s)
        ]
        for key in ended:
            del tokens[key]
        return len(ended)

    def add_audit(self, row: AuditRow) -> None:
        if (row.writer, row.number) in self._people.audit:
            raise Conflict(f"{row.writer} has a link {row.number}")
        self._people.audit[row.writer, row.number] = row

    def audit_head(self, writer: str) -> AuditRow | None:
        rows = [row for row in self._people.audit.values() if row.writer == writer]
        return max(rows, key=lambda row: row.number, default=None)

    def audit(self, query: AuditQuery) -> Sequence[AuditRow]:
        rows = [row for row in self._people.audit.values() if _is_wanted(row, query)]
        rows.sort(
            key=lambda row: (0, "", row.number) if query.writer else (row.at_ns, row.writer, row.number),
            reverse=query.newest_first,
        )
        return rows[: query.limit]

    def remove_audit(self, writer: str, *, through: int) -> int:
        old = [key for key in self._people.audit if key[0] == writer and key[1] <= through]
        for key in old:
            del self._people.audit[key]
        return len(old)

    def put_checkpoint(self, row: CheckpointRow) -> None:
        self._people.checkpoints[row.writer, row.number] = row

    def checkpoints(self, writer: str) -> Sequence[CheckpointRow]:
        rows = [row for row in self._people.checkpoints.values() if row.writer == writer]
        return sorted(rows, key=lambda row: row.number)

    def remove_checkpoints(self, writer: str, *, below: int) -> int:
        old = [key for key in self._people.checkpoints if key[0] == writer and key[1] < below]
        for key in old:
            del self._people.checkpoints[key]
        return len(old)


def _is_wanted(row: AuditRow, query: AuditQuery) -> bool:
    return (
        query.writer in {"", row.writer}
        and query.actor in {"", row.actor}
        and query.subject in {"", row.subject}
        and row.action.startswith(query.action)
        and query.since_ns <= row.at_ns <= query.until_ns
        and row.number > query.after
    )
