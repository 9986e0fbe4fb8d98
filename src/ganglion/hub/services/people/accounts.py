"""Who is a person, or a program of theirs: accounts with a role, and what proves them: tokens and sessions.

Tokens and session secrets are shown once and kept as hashes; a copy of the database opens nothing.
`passwords` checks passwords, `logins` takes the word of an identity provider; both end in a session.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import msgspec
import structlog

from ganglion.core.errors import Conflict, NotFound
from ganglion.core.identity_errors import Unauthenticated
from ganglion.core.ids import parse_name
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.people import credentials
from ganglion.hub.services.people.credentials import ACCOUNT, SESSION
from ganglion.ports.clock import Chance, Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.ports.people_store import AccountRow
from ganglion.trust import bearer
from ganglion.trust.roles import Caller, Role, Scope

FIRST_ACCOUNT = "admin"
HUB = "hub"
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
            self.add(tx, FIRST_ACCOUNT, role=Role.ADMIN, by=HUB)
            return self._give_token(tx, FIRST_ACCOUNT)

    def create(
        self, name: str, *, role: Role = Role.VIEWER, scope: Scope | None = None, by: Caller | None = None
    ) -> str:
        """Make an account and return its token. Raises: InvalidName, Conflict: the name, or too many. Forbidden."""
        scope = scope or Scope()
        if by is not None:
            by.check_can_give(role, scope)
        with self._control.write() as tx:
            self.add(tx, name, role=role, scope=scope, by=_actor(by))
            token = self._give_token(tx, name)
        log.info("account.created", name=name, role=role.value)
        return token

    def add(
        self, tx: ControlTransaction, name: str, *, role: Role, by: str, scope: Scope | None = None, login: str = ""
    ) -> AccountRow:
        """Add an account that nothing proves yet. Raises: InvalidName, Conflict: the name, or too many."""
        parse_name(name, what="account")
        if tx.account(name) is not None:
            raise Conflict(f"an account named {name} exists already")
        if len(tx.accounts()) >= self._settings.accounts_max:
            raise Conflict(f"there are {self._settings.accounts_max} accounts, which is the limit")
        row = AccountRow(
            name=name,
            role=role.value,
            sites=",".join((scope or Scope()).sites),
            models=",".join((scope or Scope()).models),
            password_hash="",
            login=login,
            generation=1,
            created_at_s=utc_s(self._clock),
        )
        tx.put_account(row)
        audit.note(tx, self._clock, Deed(actor=by, action="account.created", subject=name, facts=_facts(row)))
        return row

    def list(self) -> Sequence[AccountRow]:
        """Return every account, by name."""
        with self._control.read() as tx:
            return tx.accounts()

    def change(self, name: str, *, role: Role, scope: Scope, by: Caller) -> AccountRow:
        """Give an account another role or scope; it holds for its next call. Raises: NotFound, Conflict, Forbidden."""
        by.check_can_give(role, scope)
        with self._control.write() as tx:
            row = replace(_known(tx, name), role=role.value, sites=",".join(scope.sites), models=",".join(scope.models))
            tx.put_account(row)
            _check_administered(tx)
            audit.note(tx, self._clock, Deed(actor=by.actor, action="account.changed", subject=name, facts=_facts(row)))
        return row

    def disable(self, name: str, *, by: Caller) -> None:
        """Refuse an account from its next call on; its name stays taken. Raises: NotFound, Conflict: the last admin."""
        with self._control.write() as tx:
            row = _known(tx, name)
            if row.disabled_at_s is not None:
                return
            tx.put_account(replace(row, disabled_at_s=utc_s(self._clock), generation=row.generation + 1))
            tx.remove_credentials_of(ACCOUNT, name)
            _check_administered(tx)
            audit.note(tx, self._clock, Deed(actor=by.actor, action="account.disabled", subject=name))

    def renew(self, name: str, *, by: Caller | None = None) -> str:
        """Replace an account's token, because it was lost or leaked; its sessions end. Raises: NotFound."""
        with self._control.write() as tx:
            row = _known(tx, name)
            tx.put_account(replace(row, generation=row.generation + 1, disabled_at_s=None))
            tx.remove_credentials_of(ACCOUNT, name)
            token = self._give_token(tx, name)
            audit.note(tx, self._clock, Deed(actor=_actor(by), action="account.renewed", subject=name))
        log.info("account.renewed", name=name)
        return token

    def authenticate(self, token: str) -> Caller:
        """Return the holder of an account's token. Raises: Unauthenticated."""
        with self._control.read() as tx:
            return caller_of(self._account(tx, token))

    def open_session(self, token: str) -> str:
        """Return a session secret for the holder of an account's token. Raises: Unauthenticated."""
        with self._control.write() as tx:
            account = self._account(tx, token)
            return self.begin_session(tx, account, by="token")

    def begin_session(self, tx: ControlTransaction, account: AccountRow, *, by: str) -> str:
        """Return the secret of a new session of an account that was proven `by` something."""
        now_s = utc_s(self._clock)
        secret = bearer.compose("session", self._chance.token_bytes(bearer.SECRET_BYTES))
        tx.remove_credentials(expired_at_s=now_s)
        expires_at_s = now_s + self._settings.session_life_s
        # Bound to a generation: whatever makes old proofs worthless takes the sessions along that they opened.
        subject = f"{account.name}/{account.generation}"
        credentials.keep(tx, SESSION, secret, subject=subject, expires_at_s=expires_at_s)
        audit.note(tx, self._clock, Deed(actor=account.name, action="session.opened", facts={"by": by}))
        return secret

    def authenticate_session(self, secret: str) -> Caller:
        """Return the account whose session this is. Raises: Unauthenticated."""
        with self._control.read() as tx:
            session = credentials.find(tx, SESSION, secret, now_s=utc_s(self._clock))
            name, _, generation = (session.subject if session else "").partition("/")
            account = tx.account(name) if name else None
        if account is None or account.disabled_at_s is not None or str(account.generation) != generation:
            raise Unauthenticated("the session is unknown or has ended: log in again")
        return caller_of(account)

    def close_session(self, secret: str) -> None:
        """End a session; one that has ended stays so."""
        with self._control.write() as tx:
            credentials.spend(tx, SESSION, secret, now_s=utc_s(self._clock))

    def _account(self, tx: ControlTransaction, token: str) -> AccountRow:
        row = credentials.find(tx, ACCOUNT, token, now_s=utc_s(self._clock))
        account = tx.account(row.subject) if row else None
        if account is None or account.disabled_at_s is not None:
            raise Unauthenticated("the token belongs to no account")
        return account

    def _give_token(self, tx: ControlTransaction, name: str) -> str:
        token = bearer.compose("account", self._chance.token_bytes(bearer.SECRET_BYTES))
        credentials.keep(tx, ACCOUNT, token, subject=name, expires_at_s=None)
        return token


def caller_of(row: AccountRow) -> Caller:
    """Return what an account may do."""
    return Caller(name=row.name, role=Role(row.role), scope=scope_of(row.sites, row.models))


def scope_of(sites: str, models: str) -> Scope:
    """Return a scope as rows keep it: names separated by commas."""
    return Scope(tuple(filter(None, sites.split(","))), tuple(filter(None, models.split(","))))


def _known(tx: ControlTransaction, name: str) -> AccountRow:
    row = tx.account(name)
    if row is None:
        raise NotFound(f"there is no account {name!r}")
    return row


def _check_administered(tx: ControlTransaction) -> None:
    """Raises: Conflict: nobody would be left who can give roles."""
    for row in tx.accounts():
        if row.role == Role.ADMIN.value and row.disabled_at_s is None and not row.sites and not row.models:
            return
    raise Conflict("this account is the last admin without a scope: make another first")


def _facts(row: AccountRow) -> dict[str, str]:
    return {"role": row.role, "sites": row.sites, "models": row.models}


def _actor(by: Caller | None) -> str:
    return by.actor if by else HUB
