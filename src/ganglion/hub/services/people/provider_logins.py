"""Logging in with an identity provider: it says who a person is and in which groups, the hub says what that allows.

An account belongs to the provider's subject, never to a name: a person who is renamed keeps it, and nobody takes
over an account that was made here by having its name there. Role and scope are set anew at each login.
"""

import re
import threading
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import structlog

from ganglion.core.errors import Conflict
from ganglion.core.identity_errors import Forbidden, Unauthenticated
from ganglion.hub.domain.people.provider_roles import GroupRule, role_for
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.people.accounts import Accounts
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.ports.identity_provider import Attempt, IdentityProvider, Person
from ganglion.ports.people_store import AccountRow
from ganglion.trust.roles import Role, Scope

LIFE_S = 600.0
_ATTEMPTS_MAX = 1000
_SECRET_BYTES = 32
_NAME_LENGTH_MAX = 64
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
log = structlog.get_logger(__name__)


class ProviderLogins:
    """Opens sessions on the word of one provider."""

    def __init__(
        self,
        *,
        control: ControlStore,
        clock: Clock,
        chance: Chance,
        accounts: Accounts,
        provider: IdentityProvider,
        rules: Sequence[GroupRule],
    ) -> None:
        self._control = control
        self._clock = clock
        self._chance = chance
        self._accounts = accounts
        self._provider = provider
        self._rules = rules
        self._lock = threading.Lock()
        self._attempts: OrderedDict[str, tuple[float, Attempt]] = OrderedDict()

    def begin(self, redirect_uri: str) -> tuple[str, str]:
        """Return where to send the browser, and the state that it has to bring back. Raises: ProviderFailed."""
        attempt = Attempt(self._secret(), self._secret(), self._secret(), redirect_uri)
        address = self._provider.address(attempt)
        with self._lock:
            self._attempts[attempt.state] = (self._clock.monotonic_s() + LIFE_S, attempt)
            if len(self._attempts) > _ATTEMPTS_MAX:
                self._attempts.popitem(last=False)
        return address, attempt.state

    def finish(self, state: str, code: str) -> str:
        """Return the secret of a session for whom the provider names; each state is good once.

        Raises: Unauthenticated, ProviderFailed. Forbidden: no group gives a role. Conflict: the name is taken.
        """
        with self._lock:
            until_s, attempt = self._attempts.pop(state, (0.0, None))
        if attempt is None or self._clock.monotonic_s() >= until_s:
            raise Unauthenticated("this login is unknown or took too long: begin again")
        person = self._provider.person(attempt, code)
        given = role_for(person.groups, self._rules)
        if given is None:
            self._end(person)
            raise Forbidden(f"no group of {_name_of(person)} has a role on this hub")
        with self._control.write() as tx:
            account = self._account(tx, person, *given)
            return self._accounts.begin_session(tx, account, by="provider")

    def _account(self, tx: ControlTransaction, person: Person, role: Role, scope: Scope) -> AccountRow:
        login = _login_of(person)
        known = tx.account_of_login(login)
        if known is None:
            return self._add(tx, person, role, scope)
        if known.disabled_at_s is not None:
            raise Forbidden(f"the account {known.name} is disabled")
        row = replace(known, role=role.value, sites=",".join(scope.sites), models=",".join(scope.models))
        if row != known:
            tx.put_account(row)
            facts = {"role": row.role, "sites": row.sites, "models": row.models}
            deed = Deed(actor=row.name, action="account.changed", subject=row.name, reason="its groups", facts=facts)
            audit.note(tx, self._clock, deed)
        return row

    def _add(self, tx: ControlTransaction, person: Person, role: Role, scope: Scope) -> AccountRow:
        name = _name_of(person)
        if tx.account(name) is not None:
            raise Conflict(f"an account named {name} was made on this hub, or belongs to somebody else at the provider")
        return self._accounts.add(tx, name, role=role, scope=scope, by="provider", login=_login_of(person))

    def _end(self, person: Person) -> None:
        """End the sessions of somebody who has lost every group."""
        with self._control.write() as tx:
            known = tx.account_of_login(_login_of(person))
            if known is not None:
                tx.put_account(replace(known, role=Role.VIEWER.value, generation=known.generation + 1))
            deed = Deed(actor=_name_of(person), action="refused.login", reason="no group gives a role")
            audit.note(tx, self._clock, deed)

    def _secret(self) -> str:
        return urlsafe_b64encode(self._chance.token_bytes(_SECRET_BYTES)).rstrip(b"=").decode()


def _login_of(person: Person) -> str:
    return f"{person.issuer} {person.subject}"


def _name_of(person: Person) -> str:
    """Return a name that an account can have."""
    return _UNFIT.sub("-", person.name).strip("-._")[:_NAME_LENGTH_MAX] or "someone"
