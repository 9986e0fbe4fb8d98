"""Rows of people and of the audit chain as callers see them; and the addresses of pages that people are sent to."""

import msgspec
from fastapi import Request

from ganglion.hub.services.people.accounts import scope_of
from ganglion.ports.people_store import AccountRow, AuditRow, ProgramTokenRow
from ganglion.trust.audit import Checkpoint, Link
from ganglion.trust.roles import Caller
from ganglion.wire.people_resources import AccountView, AuditLinkView, CheckpointView, ProgramTokenView, WhoView

WELCOME = "/welcome"
GRANT = "/grant"


def who(caller: Caller) -> WhoView:
    """Return what a caller may know of itself: everything."""
    scope = caller.scope
    return WhoView(caller.name, caller.kind, caller.role.value, list(scope.sites), list(scope.models))


def account(row: AccountRow) -> AccountView:
    """Return an account without what proves it."""
    scope = scope_of(row.sites, row.models)
    return AccountView(
        name=row.name,
        role=row.role,
        sites=list(scope.sites),
        models=list(scope.models),
        state="active" if row.disabled_at_s is None else "disabled",
        has_password=bool(row.password_hash),
        login=row.login,
        created_at_s=row.created_at_s,
    )


def program_token(row: ProgramTokenRow, *, now_s: float) -> ProgramTokenView:
    """Return a token without its hash."""
    scope = scope_of(row.sites, row.models)
    state = "revoked" if row.revoked_at_s is not None else "expired" if now_s >= row.expires_at_s else "active"
    return ProgramTokenView(
        token_id=row.token_id,
        name=row.name,
        role=row.role,
        sites=list(scope.sites),
        models=list(scope.models),
        state=state,
        created_by=row.created_by,
        created_at_s=row.created_at_s,
        expires_at_s=row.expires_at_s,
        last_used_at_s=row.last_used_at_s,
    )


def audit_link(row: AuditRow) -> AuditLinkView:
    """Return a link with the text that was hashed."""
    try:
        link = msgspec.json.decode(row.document, type=Link)
        reason, facts = link.reason, link.facts
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Somebody wrote into the database: searching shows the row as it is, verifying says what is wrong.
        reason, facts = "", {}
    return AuditLinkView(
        writer=row.writer,
        number=row.number,
        at_s=row.at_ns / 1e9,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        reason=reason,
        facts=facts,
        hash=row.hash,
        document=row.document.decode("utf-8", "replace"),
    )


def checkpoint(point: Checkpoint) -> CheckpointView:
    """Return a checkpoint as it is kept."""
    return CheckpointView(point.writer, point.number, point.hash, point.at_ns, point.signature)


def kept(view: CheckpointView) -> Checkpoint:
    """Return a checkpoint that a caller kept."""
    return Checkpoint(
        writer=view.writer, number=view.number, hash=view.hash, at_ns=view.at_ns, signature=view.signature
    )


def peer_of(request: Request) -> str:
    """Return the address that a request came from."""
    return request.client.host if request.client else "(unknown)"


def link_path(code: str) -> str:
    """Return where a one-time link leads. No page there loads anything from elsewhere, and no referrer is sent."""
    return f"{WELCOME}?code={code}"


def grant_path(code: str) -> str:
    """Return where a person grants a login."""
    return f"{GRANT}?code={code}"
