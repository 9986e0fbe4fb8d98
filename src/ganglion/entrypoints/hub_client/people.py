"""What a hub is asked about people: accounts, programs' tokens, logins, and the audit chain."""

from collections.abc import Sequence

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_client.connection import HubConnection, Query
from ganglion.wire import paths
from ganglion.wire.people_resources import (
    AccountChange,
    AccountReply,
    AccountRequest,
    AccountView,
    AuditLinkView,
    BrowserLoginAnswer,
    BrowserLoginQuestion,
    BrowserLoginReply,
    CheckpointView,
    LinkReply,
    LoginReply,
    LoginRequest,
    PasswordRequest,
    ProgramTokenReply,
    ProgramTokenRequest,
    ProgramTokenView,
    ShippedSegments,
    VerificationRequest,
    VerificationView,
    WhoView,
)


class PeopleCalls:
    """One method per route, over a line that the caller closes."""

    def __init__(self, hub: HubConnection) -> None:
        self._hub = hub

    def who(self) -> WhoView:
        """Return who calls, and what the caller may do."""
        return self._hub.get(paths.WHO, WhoView)

    def login(self, name: str, password: str) -> LoginReply:
        """Exchange a name and a password for a session."""
        return self._hub.post(paths.LOGIN, LoginRequest(name, password), LoginReply)

    def ask_for_login(self) -> BrowserLoginReply:
        """Begin a login that a person grants in a browser."""
        return self._hub.post(paths.LOGIN_REQUESTS, {}, BrowserLoginReply)

    def fetch_login(self, secret: str) -> BrowserLoginAnswer:
        """Return the session of a login that was granted; an empty one before."""
        return self._hub.post(paths.LOGIN_REQUESTS + "/answer", BrowserLoginQuestion(secret), BrowserLoginAnswer)

    def create_account(self, request: AccountRequest) -> str:
        """Make an account for a person or a program, and return its token."""
        return self._hub.post(paths.ACCOUNTS, request, AccountReply).token

    def accounts(self) -> list[AccountView]:
        """List every account."""
        return self._hub.get(paths.ACCOUNTS, list[AccountView])

    def change_account(self, name: str, change: AccountChange) -> AccountView:
        """Give an account another role, or other sites and models."""
        return self._hub.post(paths.account(_account(name)), change, AccountView)

    def disable_account(self, name: str) -> None:
        """Refuse an account from its next call on."""
        self._hub.post(paths.account(_account(name), "disable"), {}, type(None))

    def renew_account(self, name: str) -> str:
        """Replace an account's token, and return it."""
        return self._hub.post(paths.account(_account(name), "renew"), {}, AccountReply).token

    def set_password(self, name: str, password: str) -> None:
        """Give an account a password; its sessions end."""
        self._hub.post(paths.account(_account(name), "password"), PasswordRequest(password), type(None))

    def offer_link(self, name: str) -> str:
        """Return the path at which an account's owner chooses a password, once."""
        return self._hub.post(paths.account(_account(name), "link"), {}, LinkReply).path

    def create_program_token(self, request: ProgramTokenRequest) -> ProgramTokenReply:
        """Make a token for a program."""
        return self._hub.post(paths.PROGRAM_TOKENS, request, ProgramTokenReply)

    def program_tokens(self) -> list[ProgramTokenView]:
        """List the tokens of programs, newest first."""
        return self._hub.get(paths.PROGRAM_TOKENS, list[ProgramTokenView])

    def revoke_program_token(self, token_id: str) -> None:
        """Refuse a program's token from its next use on."""
        path = paths.program_token(parse_name(token_id, what="token"), "revoke")
        self._hub.post(path, {}, type(None))

    def audit(self, query: Query) -> list[AuditLinkView]:
        """List links of audit chains."""
        return self._hub.get(paths.AUDIT, list[AuditLinkView], query)

    def ship_audit(self) -> list[str]:
        """Ship what was not shipped yet, and return the names of the segments."""
        return self._hub.post(paths.AUDIT_SEGMENTS, {}, ShippedSegments).names

    def verify_audit(self, writer: str, kept: Sequence[CheckpointView]) -> VerificationView:
        """Prove a chain, also against checkpoints that were kept elsewhere."""
        return self._hub.post(paths.AUDIT_VERIFICATION, VerificationRequest(writer, list(kept)), VerificationView)


def _account(name: str) -> str:
    return parse_name(name, what="account")
