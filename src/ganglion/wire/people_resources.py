"""What people and programs read and write about themselves: accounts, tokens, logins, and the audit chain.

Times are seconds since 1970, UTC, unless a field's name says otherwise.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """Make an account for a person or a program."""

    name: str
    role: str = "viewer"
    """viewer, operator, publisher, admin."""
    sites: list[str] = field(default_factory=list)
    """The role is for these sites alone; empty: for all."""
    models: list[str] = field(default_factory=list)
    """The role is for these models alone; empty: for all."""


@dataclass(frozen=True, slots=True)
class AccountReply:
    """The account's token, shown once."""

    token: str


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What an account may do from its next call on."""

    role: str
    sites: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account and what it may do."""

    name: str
    role: str
    sites: list[str]
    models: list[str]
    state: str
    """active or disabled."""
    has_password: bool
    login: str
    """Issuer and subject at the identity provider that it belongs to; empty: made here."""
    created_at_s: float


@dataclass(frozen=True, slots=True)
class PasswordRequest:
    """A new password of an account."""

    password: str


@dataclass(frozen=True, slots=True)
class LinkReply:
    """An address, good once and for a day, at which the account's owner chooses a password."""

    path: str
    """To be appended to the hub's address."""


@dataclass(frozen=True, slots=True)
class WhoView:
    """Who calls, and what the caller may do."""

    name: str
    kind: str
    """account, or token for a program."""
    role: str
    sites: list[str]
    models: list[str]


@dataclass(frozen=True, slots=True)
class ProgramTokenRequest:
    """Make a token for a program."""

    name: str
    role: str = "viewer"
    sites: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    expires_in_s: float = 7_776_000.0
    """Ninety days."""


@dataclass(frozen=True, slots=True)
class ProgramTokenReply:
    """A program's token, shown once."""

    token: str
    token_id: str
    expires_at_s: float


@dataclass(frozen=True, slots=True)
class ProgramTokenView:
    """A program's token, without what proves it."""

    token_id: str
    name: str
    role: str
    sites: list[str]
    models: list[str]
    state: str
    """active, expired or revoked."""
    created_by: str
    created_at_s: float
    expires_at_s: float
    last_used_at_s: float | None
    """To the minute."""


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """Log in with a password."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class LoginReply:
    """A session, to be sent as a token until it ends."""

    token: str
    lasts_s: float


@dataclass(frozen=True, slots=True)
class BrowserLoginReply:
    """A login that somebody grants in a browser."""

    secret: str
    """Ask with it whether the login was granted."""
    code: str
    """What the browser shows too, so that people see that both are one login."""
    path: str
    """To be opened in a browser, after the hub's address."""
    lasts_s: float


@dataclass(frozen=True, slots=True)
class BrowserLoginQuestion:
    """Was it granted?"""

    secret: str


@dataclass(frozen=True, slots=True)
class BrowserLoginAnswer:
    """The session, or an empty text while nobody has granted it yet."""

    token: str
    lasts_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLinkView:
    """One link of an audit chain. `document` is the JSON that was hashed, whole."""

    writer: str
    number: int
    at_s: float
    actor: str
    action: str
    subject: str
    reason: str
    facts: dict[str, str] = field(default_factory=dict)
    hash: str
    document: str


@dataclass(frozen=True, slots=True)
class CheckpointView:
    """The hub's signed word that a chain had this hash at this number."""

    writer: str
    number: int
    hash: str
    at_ns: int
    signature: str
    """Ed25519, hexadecimal."""


@dataclass(frozen=True, slots=True)
class VerificationRequest:
    """Prove a chain; `kept` are checkpoints of earlier days that the caller brings along."""

    writer: str = "hub"
    kept: list[CheckpointView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ShippedSegments:
    """Closed ranges of the hub's audit chain that were shipped now, by name, oldest first."""

    names: list[str]


@dataclass(frozen=True, slots=True)
class AuditFault:
    """Where a chain is not what it was."""

    number: int
    kind: str
    """edited, missing, reordered, truncated, forked, forged, unreadable."""
    text: str


@dataclass(frozen=True, slots=True)
class VerificationView:
    """What came of proving a chain. Keep the checkpoint elsewhere, and bring it along the next time."""

    writer: str
    faults: list[AuditFault]
    public_key: str
    """Ed25519, hexadecimal: it checks checkpoints."""
    checkpoint: CheckpointView | None
