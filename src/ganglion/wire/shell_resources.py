"""What people and their programs read and write about interactive sessions under /api/v1."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShellRequest:
    """Ask for a session on a node."""

    seconds: int
    reason: str
    """Why it is needed: one line, which is kept with the recording."""
    columns: int = 80
    rows: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellView:
    """One session."""

    id: str
    node: str
    person: str
    role: str
    reason: str
    state: str
    """asked, offered, open, closed, or lost: the hub was restarted, and the node has not said what became of it."""
    seconds: int
    """What was asked for; a node may give less."""
    asked_at_s: float
    opened_at_s: float | None = None
    closed_at_s: float | None = None
    closed_by: str = ""
    recording_sha256: str = ""
    recording_bytes: int = 0
    """0: the recording has not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellShown:
    """What a session showed from `offset` on."""

    offset: int
    data: str
    """Base64."""
    state: str
    closed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellTyping:
    """Something that the person did."""

    number: int
    """From 1 on, without a gap: repeated, it counts once."""
    data: str = ""
    """Base64."""
    columns: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class ShellTaken:
    """Whether the hub took it; false: there is no room, because the node has not come for what is here."""

    taken: bool
