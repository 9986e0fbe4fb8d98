"""What key holders and their programs read and write under /api/v1/trust. Times are seconds since 1970, UTC."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TrustKeyView:
    """One key of a role."""

    key_id: str
    name: str
    """What its holder calls it; may be empty."""
    on_hub: bool


@dataclass(frozen=True, slots=True)
class TrustRoleView:
    """Who may sign one kind of metadata, and until when the present one is good."""

    name: str
    version: int
    threshold: int
    """How many of the keys must sign."""
    keys: list[TrustKeyView]
    expires_at_s: float | None
    is_due: bool
    """Its key holders should have signed again by now."""
    is_expired: bool


@dataclass(frozen=True, slots=True)
class OnlineKeyView:
    """A key of the hub that the next root should name for a role that the hub signs by itself."""

    role: str
    name: str
    public_key: str
    """Raw Ed25519, hexadecimal."""
    is_new: bool = False
    """The present root names another: a rotation is due."""


@dataclass(frozen=True, slots=True)
class TrustView:
    """How this hub keeps its keys."""

    mode: str
    """development: the hub holds every key. production: release keys are with people."""
    root_version: int
    root_sha256: str
    """What key holders compare before they sign."""
    roles: list[TrustRoleView] = field(default_factory=list)
    online_keys: list[OnlineKeyView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TrustDocuments:
    """Signed metadata by role, as text: `root`, `targets`, `model-NAME`."""

    documents: dict[str, str]


@dataclass(frozen=True, slots=True)
class TrustInstalled:
    """What was put in force."""

    documents: list[str]
    root_version: int
