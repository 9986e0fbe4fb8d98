"""Rows of people, of the tokens of their programs, and of the audit chains, and how a transaction asks for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A person, or a program with an account of its own."""

    name: str
    role: str
    sites: str
    """Sites that the role is limited to, separated by commas; empty: all."""
    models: str
    """Models that the role is limited to, separated by commas; empty: all."""
    password_hash: str
    """As argon2 writes it, with its parameters; empty: no password."""
    login: str
    """Issuer and subject of the identity provider that made the account; empty: made here."""
    generation: int
    """Sessions of an earlier generation have ended."""
    created_at_s: float
    disabled_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class ProgramTokenRow:
    """A token of a program: with a role and an end, and only its hash."""

    token_id: str
    name: str
    secret_hash: str
    role: str
    sites: str
    models: str
    created_by: str
    created_at_s: float
    expires_at_s: float
    last_used_at_s: float | None = None
    revoked_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One link of a chain. `document` is what was hashed; the columns before it are there to search."""

    writer: str
    number: int
    at_ns: int
    actor: str
    action: str
    subject: str
    hash: str
    document: bytes


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """The hub's signed word that a chain had this hash at this number."""

    writer: str
    number: int
    hash: str
    at_ns: int
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which links are wanted; empty fields ask for all."""

    writer: str = ""
    actor: str = ""
    action: str = ""
    """An action, or the beginning of several: `rollout.`."""
    subject: str = ""
    since_ns: int = 0
    until_ns: int = 2**63 - 1
    after: int = -1
    """Only numbers above this one."""
    newest_first: bool = True
    limit: int = 100


class PeopleTransaction(Protocol):
    """Reads and writes of people, tokens and audit chains."""

    def put_account(self, row: AccountRow) -> None:
        """Insert, or replace the row of the same name."""
        ...

    def account(self, name: str) -> AccountRow | None: ...
    def account_of_login(self, login: str) -> AccountRow | None: ...
    def accounts(self) -> Sequence[AccountRow]:
        """Return every account, by name."""
        ...

    def remove_credentials_of(self, kind: str, subject: str) -> int:
        """Remove the credentials of a kind that belong to `subject`; return how many there were."""
        ...

    def put_program_token(self, row: ProgramTokenRow) -> None:
        """Insert, or replace the row of the same id."""
        ...

    def program_token(self, token_id: str) -> ProgramTokenRow | None: ...
    def program_token_of(self, secret_hash: str) -> ProgramTokenRow | None: ...
    def program_tokens(self) -> Sequence[ProgramTokenRow]:
        """Return every token that was not removed, newest first."""
        ...

    def remove_program_tokens(self, *, ended_at_s: float) -> int:
        """Remove those that expired or were revoked at that time or before."""
        ...

    def add_audit(self, row: AuditRow) -> None:
        """Add a link. Raises: Conflict: the writer has one with this number."""
        ...

    def audit_head(self, writer: str) -> AuditRow | None: ...
    def audit(self, query: AuditQuery) -> Sequence[AuditRow]: ...
    def remove_audit(self, writer: str, *, through: int) -> int:
        """Remove the links up to this number."""
        ...

    def put_checkpoint(self, row: CheckpointRow) -> None:
        """Insert, or replace the one of the same writer and number."""
        ...

    def checkpoints(self, writer: str) -> Sequence[CheckpointRow]:
        """Return the checkpoints of a chain by number."""
        ...

    def remove_checkpoints(self, writer: str, *, below: int) -> int:
        """Remove those with a lower number."""
        ...
