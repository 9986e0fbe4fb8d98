"""Logging a command line in from a browser: one asks, a person who is logged in grants, the first fetches a session.

What is asked for is kept in memory, bounded and for some minutes: anybody may ask. A hub that restarts forgets
it, and the command asks anew.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from ganglion.core.errors import NotFound
from ganglion.core.identity_errors import Unauthenticated
from ganglion.hub.services.people.accounts import Accounts
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.hub_store import ControlStore
from ganglion.trust import bearer
from ganglion.trust.roles import Caller

LIFE_S = 600.0
_ASKING_MAX = 200
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""Neither vowels nor digits: no words, and nothing that looks like something else."""
_CODE_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """A login that waits for somebody to grant it. `granted_to` is an account and its generation."""

    secret_hash: str
    code: str
    until_s: float
    granted_to: tuple[str, int] | None = None


class BrowserLogins:
    """Pairs the command that asks with the person who grants."""

    def __init__(self, *, control: ControlStore, clock: Clock, chance: Chance, accounts: Accounts) -> None:
        self._control = control
        self._clock = clock
        self._chance = chance
        self._accounts = accounts
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, Asked] = OrderedDict()

    def ask(self) -> tuple[str, str]:
        """Return a secret to come back with, and a code that both screens show."""
        secret = bearer.compose("asking", self._chance.token_bytes(bearer.SECRET_BYTES))
        random = self._chance.token_bytes(_CODE_LENGTH)
        code = "".join(_LETTERS[each % len(_LETTERS)] for each in random)
        with self._lock:
            self._forget_old()
            hashed = bearer.hash_secret(secret)
            self._asked[hashed] = Asked(hashed, code, self._clock.monotonic_s() + LIFE_S)
            if len(self._asked) > _ASKING_MAX:
                self._asked.popitem(last=False)
        return secret, code

    def grant(self, code: str, *, by: Caller) -> None:
        """Let the command in as this account. Raises: NotFound: nobody asks with this code."""
        with self._control.read() as tx:
            account = tx.account(by.name) if by.kind == "account" else None
        if account is None:
            raise NotFound("only an account can grant a login")
        with self._lock:
            self._forget_old()
            found = next((asked for asked in self._asked.values() if asked.code == code.strip().upper()), None)
            if found is None or found.granted_to is not None:
                raise NotFound("no login asks with this code: begin again with `ganglion login --browser`")
            self._asked[found.secret_hash] = replace(found, granted_to=(account.name, account.generation))

    def fetch(self, secret: str) -> str:
        """Return a session once it was granted, and nothing before. Raises: Unauthenticated: too late, or unknown."""
        hashed = bearer.hash_secret(secret)
        with self._lock:
            self._forget_old()
            asked = self._asked.get(hashed)
            if asked is not None and asked.granted_to is None:
                return ""
            self._asked.pop(hashed, None)
        if asked is None or asked.granted_to is None:
            raise Unauthenticated("this login was not granted in time: begin again")
        with self._control.write() as tx:
            account = tx.account(asked.granted_to[0])
            if account is None or account.disabled_at_s is not None or account.generation != asked.granted_to[1]:
                raise Unauthenticated("the account was changed meanwhile: begin again")
            return self._accounts.begin_session(tx, account, by="browser")

    def _forget_old(self) -> None:
        now_s = self._clock.monotonic_s()
        for asked in [each for each in self._asked.values() if each.until_s <= now_s]:
            del self._asked[asked.secret_hash]
