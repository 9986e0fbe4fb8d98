"""Accounts, programs' tokens, and logging in without a browser's form."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_api import people_views
from ganglion.entrypoints.hub_api.access import Administrator, Anyone, HubPart
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.hub.services.people.browser_logins import LIFE_S
from ganglion.trust.roles import Right, parse_role, parse_scope
from ganglion.wire import paths
from ganglion.wire.people_resources import (
    AccountChange,
    AccountReply,
    AccountRequest,
    AccountView,
    BrowserLoginAnswer,
    BrowserLoginQuestion,
    BrowserLoginReply,
    LinkReply,
    LoginReply,
    LoginRequest,
    PasswordRequest,
    ProgramTokenReply,
    ProgramTokenRequest,
    ProgramTokenView,
    WhoView,
)

router = APIRouter(tags=["people"], route_class=StrictRoute)


@router.get(paths.WHO)
def who(caller: Anyone) -> WhoView:
    """Say who the caller is, and what they may do."""
    return people_views.who(caller)


@router.post(paths.ACCOUNTS, status_code=201)
def create_account(hub: HubPart, caller: Administrator, request: AccountRequest) -> AccountReply:
    """Make an account for a person or a program."""
    role, scope = parse_role(request.role), parse_scope(request.sites, request.models)
    return AccountReply(
        hub.accounts.create(parse_name(request.name, what="account"), role=role, scope=scope, by=caller)
    )


@router.get(paths.ACCOUNTS)
def list_accounts(hub: HubPart, _caller: Administrator) -> list[AccountView]:
    """List every account."""
    return [people_views.account(row) for row in hub.accounts.list()]


@router.post(paths.ACCOUNTS + "/{name}")
def change_account(hub: HubPart, caller: Administrator, name: str, request: AccountChange) -> AccountView:
    """Give an account another role, or other sites and models."""
    role, scope = parse_role(request.role), parse_scope(request.sites, request.models)
    return people_views.account(hub.accounts.change(name, role=role, scope=scope, by=caller))


@router.post(paths.ACCOUNTS + "/{name}/disable", status_code=204)
def disable_account(hub: HubPart, caller: Administrator, name: str) -> Response:
    """Refuse an account from its next call on; its tokens and sessions end."""
    caller.check_unlimited()
    hub.accounts.disable(name, by=caller)
    return Response(status_code=204)


@router.post(paths.ACCOUNTS + "/{name}/renew")
def renew_account(hub: HubPart, caller: Administrator, name: str) -> AccountReply:
    """Replace an account's token; its sessions end. A disabled account is enabled again."""
    caller.check_unlimited()
    return AccountReply(hub.accounts.renew(name, by=caller))


@router.post(paths.ACCOUNTS + "/{name}/password", status_code=204)
def set_password(hub: HubPart, caller: Anyone, name: str, request: PasswordRequest) -> Response:
    """Give one's own account, or as an admin any account, a password; its sessions end."""
    if caller.kind != "account" or caller.name != name:
        caller.check(Right.ADMINISTER)
        caller.check_unlimited()
    hub.people.passwords.set_password(name, request.password, by=caller.actor)
    return Response(status_code=204)


@router.post(paths.ACCOUNTS + "/{name}/link")
def offer_link(hub: HubPart, caller: Administrator, name: str) -> LinkReply:
    """Make an address, good once and for a day, at which the account's owner chooses a password."""
    caller.check_unlimited()
    return LinkReply(people_views.link_path(hub.people.passwords.offer_link(name, by=caller)))


@router.post(paths.PROGRAM_TOKENS, status_code=201)
def create_program_token(hub: HubPart, caller: Administrator, request: ProgramTokenRequest) -> ProgramTokenReply:
    """Make a token for a program, such as CI, with a role and an end."""
    role, scope = parse_role(request.role), parse_scope(request.sites, request.models)
    secret, row = hub.people.program_tokens.create(
        request.name, role=role, scope=scope, expires_in_s=request.expires_in_s, by=caller
    )
    return ProgramTokenReply(token=secret, token_id=row.token_id, expires_at_s=row.expires_at_s)


@router.get(paths.PROGRAM_TOKENS)
def list_program_tokens(hub: HubPart, _caller: Administrator) -> list[ProgramTokenView]:
    """List the tokens of programs, newest first; those that ended stay for a month."""
    now_s = hub.now_s()
    return [people_views.program_token(row, now_s=now_s) for row in hub.people.program_tokens.list()]


@router.post(paths.PROGRAM_TOKENS + "/{token_id}/revoke", status_code=204)
def revoke_program_token(hub: HubPart, caller: Administrator, token_id: str) -> Response:
    """Refuse a program's token from its next use on."""
    caller.check_unlimited()
    hub.people.program_tokens.revoke(token_id, by=caller)
    return Response(status_code=204)


@router.post(paths.LOGIN)
def login(hub: HubPart, request: Request, body: LoginRequest) -> LoginReply:
    """Exchange a name and a password for a session. 429: too many tries of this name or address."""
    secret = hub.people.passwords.open_session(body.name, body.password, peer=people_views.peer_of(request))
    return LoginReply(token=secret, lasts_s=float(hub.settings.identity.session_life_s))


@router.post(paths.LOGIN_REQUESTS)
def ask_for_login(hub: HubPart) -> BrowserLoginReply:
    """Begin a login that a person grants in a browser."""
    secret, code = hub.people.browser_logins.ask()
    return BrowserLoginReply(secret=secret, code=code, path=people_views.grant_path(code), lasts_s=LIFE_S)


@router.post(paths.LOGIN_REQUESTS + "/answer")
def fetch_login(hub: HubPart, body: BrowserLoginQuestion) -> BrowserLoginAnswer:
    """Fetch the session of a login that was granted; ask again while it is empty."""
    secret = hub.people.browser_logins.fetch(body.secret)
    return BrowserLoginAnswer(token=secret, lasts_s=float(hub.settings.identity.session_life_s) if secret else 0.0)
