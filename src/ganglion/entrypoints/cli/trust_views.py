"""How the commands of `ganglion trust` show roles and proposals."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from ganglion.adapters.system import SystemClock
from ganglion.entrypoints.cli.output import OutputFormat, emit, note
from ganglion.entrypoints.key_holders.ceremony_directory import CeremonyDirectory
from ganglion.ports.clock import utc_s
from ganglion.trust.ceremony import proposal, proposal_words
from ganglion.trust.ceremony.proposal import Need
from ganglion.wire.trust_resources import TrustRoleView, TrustView

_DAY_S = timedelta(days=1).total_seconds()
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class RoleLine:
    """One role on one line of a table."""

    role: str
    version: int
    must_sign: str
    held_by: str
    keys: list[str]
    expires_at_s: float | None
    days_left: str
    state: str


@dataclass(frozen=True, slots=True)
class NeedLine:
    """One document of a proposal, in the eyes of one delegator."""

    role: str
    judged_by: str
    signed: str
    missing: int
    signed_by: list[str]
    waiting_for: list[str]


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A ceremony as far as it has come."""

    state: str
    root_version: int
    root_sha256: str
    changes: list[str] = field(default_factory=list)
    signatures: list[NeedLine] = field(default_factory=list)


def show_proposal(directory: Path, output: OutputFormat, *, told: bool = False) -> None:
    """Print what is proposed in a directory; `told`: the changes were printed already."""
    view = proposal_view(directory)
    if output is not OutputFormat.TABLE:
        emit(view, output)
        return
    for line in () if told else view.changes:
        note(line)
    emit(view, output, columns=("state", "root_version", "root_sha256", "signatures"))


def proposal_view(directory: Path) -> ProposalView:
    """Return what is proposed, and who has to sign it. Raises: NotFound, ProposalRefused, DataCorrupt."""
    proposed = CeremonyDirectory(directory).load()
    names = proposal_words.key_names(proposed)
    return ProposalView(
        state=proposal.state_of(proposed).value,
        root_version=proposed.present.root.signed.version,
        root_sha256=proposal_words.fingerprint(proposed.present),
        changes=proposal_words.changes(proposed),
        signatures=[_need_line(need, names) for need in proposed.needs()],
    )


def role_lines(view: TrustView) -> list[RoleLine]:
    """Return a table of the hub's roles."""
    now_s = utc_s(SystemClock())
    return [
        RoleLine(
            role=role.name,
            version=role.version,
            must_sign=f"{role.threshold} of {len(role.keys)}",
            held_by="hub" if any(key.on_hub for key in role.keys) else "people",
            keys=[proposal_words.key_words(key.key_id, {key.key_id: key.name}) for key in role.keys],
            expires_at_s=role.expires_at_s,
            days_left="-" if role.expires_at_s is None else f"{(role.expires_at_s - now_s) / _DAY_S:.0f}",
            state=_state(role),
        )
        for role in view.roles
    ]


def remarks(view: TrustView) -> list[str]:
    """Return what a person should read before the table."""
    lines = []
    if view.mode == "development":
        lines.append(
            "DEVELOPMENT MODE: this hub holds every signing key, so whoever controls it can release models; "
            "`ganglion trust fetch` and `init` end it"
        )
    due = [role.name for role in view.roles if role.is_due]
    if due:
        lines.append(f"DUE: {', '.join(due)} must be signed again: fetch, renew, sign, publish")
    new = [key.role for key in view.online_keys if key.is_new]
    if new:
        lines.append(f"DUE: the hub has new keys for {', '.join(new)}: fetch, rotate each role, sign, publish")
    return lines


def _state(role: TrustRoleView) -> str:
    if role.is_expired:
        return "EXPIRED"
    return "due" if role.is_due else "good"


def _need_line(need: Need, names: dict[str, str]) -> NeedLine:
    def words(keys: tuple[str, ...]) -> list[str]:
        return [proposal_words.key_words(key, names) for key in keys]

    return NeedLine(
        role=need.role,
        judged_by=need.delegator,
        signed="by the hub" if need.by_hub else f"{len(need.signed)} of {need.threshold}",
        missing=need.missing,
        signed_by=words(need.signed),
        waiting_for=[] if need.by_hub else words(need.waiting),
    )
