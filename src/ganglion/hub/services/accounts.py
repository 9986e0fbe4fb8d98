"""Who is a person, or a program of theirs: account tokens and the web page's sessions.

Tokens and session secrets are shown once and kept as hashes; a copy of the database opens nothing.
"""

from typing import Annotated

import msgspec
import structlog

from ganglion.core.errors import Conflict, NotFound, Unauthenticated
from ganglion.core.ids import parse_name
from ganglion.hub.services import credentials
from ganglion.hub.services.credentials import ACCOUNT, SESSION
from ganglion.ports.clock import Chance, Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, CredentialRow
from ganglion.trust import bearer

FIRST_ACCOUNT = "admin"
log = structlog.get_logger(__name__)


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of accounts and sessions."""

    session_life_s: Annotated[int, msgspec.Meta(ge=60)] = 43_200
    """A browser logs in again after this time. Expired sessions are removed at each login."""
    accounts_max: Annotated[int, msgspec.Meta(ge=1)] = 1000
    """No further account is made beyond this number."""


class Accounts:
    """Makes accounts and recognises those who use them."""

    def __init__(
        self, *, control: ControlStore, clock: Clock, chance: Chance, settings: AccountSettings | None = None
    ) -> None:
        self._control = control
        self._clock = clock
        self._chance = chance
        self._settings = settings or AccountSettings()

    def first_account(self) -> str | None:
        """Make the first account of a new hub and return its token, to be shown once; None when there is one."""
        with self._control.write() as tx:
            if tx.accounts():
                return None
            return self._give_token(tx, FIRST_ACCOUNT)

    def create(self, name: str) -> str:
        """Make an account and return its token. Raises: InvalidName, Conflict: the name, or too many."""
        parse_name(name, what="account")
        with self._control.write() as tx:
            if _exists(tx, name):
                raise Conflict(f"an account named {name} exists already")
            if len(tx.accounts()) >= self._settings.accounts_max:
                raise Conflict(f"there are {self._settings.accounts_max} accounts, which is the limit")
            token = self._give_token(tx, name)
        log.info("account.created", name=name)
        return token

    def renew(self, name: str) -> str:
        """Replace an account's token, because it was lost or leaked; its sessions end. Raises: NotFound."""
        with self._control.write() as tx:
            if not _exists(tx, name):
                raise NotFound(f"there is no account {name!r}")
            for row in tx.accounts():
                if row.subject == name:
                    tx.take_credential(row.secret_hash, ACCOUNT)
            token = self._give_token(tx, name)
        log.info("account.renewed", name=name)
        return token

    def authenticate(self, token: str) -> str:
        """Return the name of the account that holds this token. Raises: Unauthenticated."""
        with self._control.read() as tx:
            return self._account(tx, token).subject

    def open_session(self, token: str) -> str:
        """Return a session secret for the holder of an account's token. Raises: Unauthenticated."""
        now_s = utc_s(self._clock)
        secret = bearer.compose("session", self._chance.token_bytes(bearer.SECRET_BYTES))
        with self._control.read() as tx:
            account = self._account(tx, token)
        with self._control.write() as tx:
            tx.remove_credentials(expired_at_s=now_s)
            expires_at_s = now_s + self._settings.session_life_s
            # Bound to the token, not to the name: a token that leaked takes its sessions along when it is renewed.
            credentials.keep(tx, SESSION, secret, subject=account.secret_hash, expires_at_s=expires_at_s)
        return secret

    def authenticate_session(self, secret: str) -> str:
        """Return the name of the account whose session this is. Raises: Unauthenticated."""
        with self._control.read() as tx:
            session = credentials.find(tx, SESSION, secret, now_s=utc_s(self._clock))
            account = tx.credential(session.subject, ACCOUNT) if session else None
        if account is None:
            raise Unauthenticated("the session is unknown or has ended: log in again")
        return account.subject

    def close_session(self, secret: str) -> None:
        """End a session; one that has ended stays so."""
        with self._control.write() as tx:
            credentials.spend(tx, SESSION, secret, now_s=utc_s(self._clock))

    def _account(self, tx: ControlTransaction, token: str) -> CredentialRow:
        row = credentials.find(tx, ACCOUNT, token, now_s=utc_s(self._clock))
        if row is None:
            raise Unauthenticated("the token belongs to no account")
        return row

    def _give_token(self, tx: ControlTransaction, name: str) -> str:
        token = bearer.compose("account", self._chance.token_bytes(bearer.SECRET_BYTES))
        credentials.keep(tx, ACCOUNT, token, subject=name, expires_at_s=None)
        return token


def _exists(tx: ControlTransaction, name: str) -> bool:
    return any(row.subject == name for row in tx.accounts())
