"""Tokens of programs, such as CI: a role with a scope, an end, and the time of their last use.

They are shown once and kept as hashes. A token never allows more than its maker could do, and goes on when
its maker is disabled: programs outlive people. `list` shows what to revoke.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import msgspec
import structlog

from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.core.identity_errors import Forbidden, Unauthenticated
from ganglion.core.ids import parse_name
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.people.accounts import scope_of
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.people_store import ProgramTokenRow
from ganglion.trust import bearer
from ganglion.trust.roles import Caller, Right, Role, Scope

KIND = "ci"
_DAY_S = 86_400
_USE_EVERY_S = 60.0
"""A use within this time of the last one is not written down: reading must not cost a write each time."""
_KEPT_AFTER_END_S = 30 * _DAY_S
log = structlog.get_logger(__name__)
Positive = Annotated[int, msgspec.Meta(ge=1)]


class ProgramTokenSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of programs' tokens."""

    life_days_max: Positive = 366
    """The longest life that a program's token can be given."""
    tokens_max: Positive = 1000
    """No further program's token is made beyond this number."""


class ProgramTokens:
    """Makes, recognises and revokes them."""

    def __init__(
        self, *, control: ControlStore, clock: Clock, chance: Chance, settings: ProgramTokenSettings | None = None
    ) -> None:
        self._control = control
        self._clock = clock
        self._chance = chance
        self._settings = settings or ProgramTokenSettings()

    def create(
        self, name: str, *, role: Role, scope: Scope, expires_in_s: float, by: Caller
    ) -> tuple[str, ProgramTokenRow]:
        """Return a new token, to be shown once, and its row.

        Raises: InvalidName, InvalidRequest, Forbidden, Conflict.
        """
        parse_name(name, what="token")
        by.check_can_give(role, scope)
        if Caller(name=name, role=role).has(Right.ADMINISTER):
            raise Forbidden("a program's token cannot be an admin: what gives roles is a person")
        if not 0 < expires_in_s <= self._settings.life_days_max * _DAY_S:
            raise InvalidRequest(f"expires_in_s must be above 0 and at most {self._settings.life_days_max} days")
        secret = bearer.compose(KIND, self._chance.token_bytes(bearer.SECRET_BYTES))
        now_s = utc_s(self._clock)
        row = ProgramTokenRow(
            token_id=new_id(self._chance)[:16],
            name=name,
            secret_hash=bearer.hash_secret(secret),
            role=role.value,
            sites=",".join(scope.sites),
            models=",".join(scope.models),
            created_by=by.actor,
            created_at_s=now_s,
            expires_at_s=now_s + expires_in_s,
        )
        with self._control.write() as tx:
            tx.remove_program_tokens(ended_at_s=now_s - _KEPT_AFTER_END_S)
            if len(tx.program_tokens()) >= self._settings.tokens_max:
                raise Conflict(f"there are {self._settings.tokens_max} tokens, which is the limit")
            tx.put_program_token(row)
            facts = {"role": row.role, "sites": row.sites, "models": row.models, "name": name}
            audit.note(tx, self._clock, Deed(actor=by.actor, action="token.created", subject=row.token_id, facts=facts))
        return secret, row

    def list(self) -> Sequence[ProgramTokenRow]:
        """Return every token, newest first; those that ended stay for a month."""
        with self._control.read() as tx:
            return tx.program_tokens()

    def revoke(self, token_id: str, *, by: Caller) -> None:
        """Refuse a token from its next use on. Raises: NotFound."""
        with self._control.write() as tx:
            row = tx.program_token(token_id)
            if row is None:
                raise NotFound(f"there is no token {token_id!r}")
            if row.revoked_at_s is None:
                tx.put_program_token(replace(row, revoked_at_s=utc_s(self._clock)))
                audit.note(
                    tx, self._clock, Deed(actor=by.actor, action="token.revoked", subject=token_id, reason=row.name)
                )

    def authenticate(self, secret: str) -> Caller:
        """Return the program that holds this token. Raises: Unauthenticated: unknown, expired or revoked."""
        secret_hash, now_s = bearer.hash_secret(secret), utc_s(self._clock)
        with self._control.read() as tx:
            row = tx.program_token_of(secret_hash)
        if row is None or row.revoked_at_s is not None or now_s >= row.expires_at_s:
            raise Unauthenticated("the token is unknown, was revoked, or has expired")
        if row.last_used_at_s is None or abs(now_s - row.last_used_at_s) >= _USE_EVERY_S:
            self._used(row.token_id, now_s)
        return Caller(name=row.name, role=Role(row.role), scope=scope_of(row.sites, row.models), kind="token")

    def _used(self, token_id: str, now_s: float) -> None:
        with self._control.write() as tx:
            row = tx.program_token(token_id)
            if row is not None:
                tx.put_program_token(replace(row, last_used_at_s=now_s))
