"""Logging in with a name and a password, and the one-time links with which a person chooses their password.

The slow work is done outside any transaction. A wrong name and a wrong password are one answer, after equal time.
"""

import threading
from dataclasses import replace
from typing import NoReturn

import structlog

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.core.identity_errors import LoginBlocked, TokenRefused, Unauthenticated
from ganglion.hub.domain.people.login_gate import LoginGate, LoginLimits
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.people import credentials
from ganglion.hub.services.people.accounts import Accounts
from ganglion.ports.clock import Chance, Clock, utc_s
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.passwords import Passwords
from ganglion.ports.people_store import AccountRow
from ganglion.trust import bearer
from ganglion.trust.roles import Caller

LINK = "link"
PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX = 12, 256
LINK_LIFE_S = 86_400
_STRANGER = "(unknown)"
log = structlog.get_logger(__name__)


class PasswordLogins:
    """Opens sessions for those who know their password."""

    def __init__(
        self,
        *,
        control: ControlStore,
        clock: Clock,
        chance: Chance,
        accounts: Accounts,
        passwords: Passwords,
        limits: LoginLimits | None = None,
    ) -> None:
        self._control = control
        self._clock = clock
        self._chance = chance
        self._accounts = accounts
        self._passwords = passwords
        self._gate = LoginGate(limits)
        self._counting = threading.Lock()

    def open_session(self, name: str, password: str, *, peer: str) -> str:
        """Return the secret of a session. `peer` is the address that asks.

        Raises: Unauthenticated: wrong. LoginBlocked: too many tries of this name or address. Overloaded.
        """
        with self._counting:
            wait_s = self._gate.begin(name, peer, self._clock.monotonic_s())
        if wait_s > 0:
            raise LoginBlocked(f"too many tries: try again in {int(wait_s) + 1} s", retry_after_s=wait_s)
        with self._control.read() as tx:
            found = tx.account(name)
        account = found if found is not None and found.disabled_at_s is None else None
        stored = account.password_hash if account else ""
        if not self._passwords.verify(stored, _bounded(password)) or account is None:
            self._refuse(name if found else _STRANGER, peer)
        with self._counting:
            self._gate.succeeded(name)
        if self._passwords.is_outdated(stored):
            self._keep_again(account, password)
        with self._control.write() as tx:
            return self._accounts.begin_session(tx, _unchanged(tx.account(name), account), by="password")

    def set_password(self, name: str, password: str, *, by: str) -> None:
        """Give an account a password; its sessions end. Raises: NotFound, InvalidRequest: too short. Overloaded."""
        stored = self._passwords.hash(_chosen(password))
        with self._control.write() as tx:
            row = tx.account(name)
            if row is None or row.disabled_at_s is not None:
                raise NotFound(f"there is no account {name!r}")
            tx.put_account(replace(row, password_hash=stored, generation=row.generation + 1))
            audit.note(tx, self._clock, Deed(actor=by, action="account.password_set", subject=name))

    def offer_link(self, name: str, *, by: Caller | None = None) -> str:
        """Return a code, good once and for a day, with which the account's owner chooses a password.

        Raises: NotFound.
        """
        code = bearer.compose(LINK, self._chance.token_bytes(bearer.SECRET_BYTES))
        with self._control.write() as tx:
            if tx.account(name) is None:
                raise NotFound(f"there is no account {name!r}")
            tx.remove_credentials_of(LINK, name)
            credentials.keep(tx, LINK, code, subject=name, expires_at_s=utc_s(self._clock) + LINK_LIFE_S)
            actor = by.actor if by else "hub"
            audit.note(tx, self._clock, Deed(actor=actor, action="account.link_made", subject=name))
        return code

    def spend_link(self, code: str, password: str) -> str:
        """Set the password of the account that this link is for, and return a session of it.

        Raises: TokenRefused: used, expired or unknown. InvalidRequest: the password is too short. Overloaded.
        """
        with self._control.read() as tx:
            known = credentials.find(tx, LINK, code, now_s=utc_s(self._clock))
        if known is None:
            raise TokenRefused("this link is unknown, was used, or has expired")
        stored = self._passwords.hash(_chosen(password))
        with self._control.write() as tx:
            link = credentials.spend(tx, LINK, code, now_s=utc_s(self._clock))
            row = tx.account(link.subject) if link else None
            if row is None or row.disabled_at_s is not None:
                raise TokenRefused("this link is unknown, was used, or has expired")
            account = replace(row, password_hash=stored, generation=row.generation + 1)
            tx.put_account(account)
            audit.note(tx, self._clock, Deed(actor=row.name, action="account.password_set", subject=row.name))
            return self._accounts.begin_session(tx, account, by="link")

    def _refuse(self, name: str, peer: str) -> NoReturn:
        log.warning("login.refused", name=name, peer=peer)
        with self._control.write() as tx:
            audit.note(tx, self._clock, Deed(actor=name, action="refused.login", reason="wrong password", subject=peer))
        raise Unauthenticated("the name or the password is wrong")

    def _keep_again(self, account: AccountRow, password: str) -> None:
        stored = self._passwords.hash(password)
        with self._control.write() as tx:
            tx.put_account(replace(_unchanged(tx.account(account.name), account), password_hash=stored))


def _unchanged(row: AccountRow | None, proven: AccountRow) -> AccountRow:
    """Return the row as it is now. Raises: Unauthenticated: its proofs were changed since it was looked at."""
    if row is None or row.disabled_at_s is not None or row.generation != proven.generation:
        raise Unauthenticated("the account was changed meanwhile: log in again")
    return row


def _bounded(password: str) -> str:
    """Return a password that costs no more to hash than others; longer ones are nobody's."""
    return password if len(password) <= PASSWORD_LENGTH_MAX else ""


def _chosen(password: str) -> str:
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise InvalidRequest(f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters")
    return password
