"""Who is a node: join tokens, challenges, access tokens, revocation.

A node's identity is the public key that it enrolled. Its name, site and zone come from the join
token's row, never from what the node says. The node's row is read at each request, so a revocation
works at once, whatever tokens are still out.
"""

import hmac
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
import structlog

from ganglion.core.errors import InvalidRequest, NotFound, TooLarge
from ganglion.core.identity_errors import KeyReplaced, TokenRefused, Unauthenticated
from ganglion.hub.domain.nodes import lifecycle
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.identity import join_tokens, node_acts, node_keys, standings
from ganglion.hub.services.identity.node_acts import By
from ganglion.hub.services.identity.standings import Alarm, Standings
from ganglion.hub.services.incarnation import incarnation_of
from ganglion.hub.services.people import credentials
from ganglion.hub.services.people.credentials import ACCESS, CHALLENGE
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, JoinTokenRow, NodeRow
from ganglion.trust import assertion, bearer, challenge, join_token, node_statements
from ganglion.trust.assertion import Assertion, Expectation
from ganglion.trust.node_statements import Measured, Rekey
from ganglion.wire import codec
from ganglion.wire.identity import AccessReply, AccessRequest, Challenge, JoinReply, JoinRequest, RekeyRequest
from ganglion.wire.resources import TokenReply, TokenRequest

_TOKEN_REMEMBERED_S = 86_400.0
"""For a day after its end, a join token is refused with the reason."""

Seconds = Annotated[int, msgspec.Meta(ge=1)]
log = structlog.get_logger(__name__)


class EnrolmentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long each proof is good. Expired ones are removed whenever a new one is made."""

    join_token_life_s_max: Seconds = 3600
    """The longest life that a join token can be given."""
    join_tokens_max: Seconds = 1000
    """Most join tokens that are made at once."""
    challenge_life_s: Seconds = 60
    """A node must answer a challenge within this time."""
    access_token_life_s: Seconds = 900
    """A node proves itself again after this time."""


class Enrolment:
    """Enrols nodes and recognises them."""

    def __init__(
        self,
        *,
        control: ControlStore,
        clock: Clock,
        chance: Chance,
        ca_pin: str,
        tuf_root: Callable[[], bytes],
        standings: Standings,
        settings: EnrolmentSettings | None = None,
    ) -> None:
        self._control = control
        self._clock = clock
        self._chance = chance
        self._ca_pin = ca_pin
        self._tuf_root = tuf_root
        self._standings = standings
        self._settings = settings or EnrolmentSettings()
        self._challenge_key = chance.token_bytes(challenge.KEY_BYTES)
        """Of this process: after a restart nodes ask for a challenge once more."""

    def create_token(self, request: TokenRequest, *, actor: str = "hub") -> TokenReply:
        """Make a join token for one node. Raises: InvalidName, InvalidRequest, Conflict: the name is taken."""
        return self.create_tokens([request], actor=actor)[0]

    def create_tokens(self, requests: Sequence[TokenRequest], *, actor: str = "hub") -> list[TokenReply]:
        """Make join tokens for many nodes, all or none. Raises: InvalidName, InvalidRequest, Conflict, TooLarge."""
        if len(requests) > self._settings.join_tokens_max:
            raise TooLarge(f"{len(requests)} tokens at once, at most {self._settings.join_tokens_max} are made")
        join_tokens.check(requests, life_s_max=self._settings.join_token_life_s_max)
        now_s = self._now_s()
        secrets = [self._chance.token_bytes(join_token.SECRET_BYTES) for _ in requests]
        rows = [join_tokens.row_of(*pair, now_s=now_s) for pair in zip(requests, secrets, strict=True)]
        with self._control.write() as tx:
            tx.remove_join_tokens(expired_at_s=now_s - _TOKEN_REMEMBERED_S)
            join_tokens.check_free(tx, [row.name for row in rows])
            for row in rows:
                tx.add_join_token(row)
                facts = {"site": row.site, "zone": row.zone}
                audit.note(tx, self._clock, Deed(actor=actor, action="node.token_made", subject=row.name, facts=facts))
        return [
            TokenReply(token=join_token.compose(secret, self._ca_pin), name=row.name, expires_at_s=row.expires_at_s)
            for row, secret in zip(rows, secrets, strict=True)
        ]

    def join(self, request: JoinRequest) -> JoinReply:
        """Spend a join token. A node whose reply was lost asks again, with the same token and key.

        Raises: TokenRefused, InvalidRequest.
        """
        assertion.parse_public_key(request.public_key)
        token_hash = bearer.hash_secret(join_token.secret_in(request.token))
        tuf_root = self._tuf_root()
        with self._control.write() as tx:
            token = tx.join_token(token_hash)
            if token is None:
                raise TokenRefused("the hub does not know this join token")
            node = _joined_before(tx, token, request.public_key) or self._enrol(tx, token, request)
            incarnation = incarnation_of(tx, self._chance)
        log.info("node.enrolled", node_id=node.node_id, name=node.name, site=node.site, zone=node.zone)
        return JoinReply(
            node_id=node.node_id, name=node.name, site=node.site, incarnation=incarnation, tuf_root=tuf_root
        )

    def challenge(self) -> Challenge:
        """Return a nonce for a node to sign; good once. Nothing is kept of it, for anybody may ask."""
        now_s, life_s = self._now_s(), self._settings.challenge_life_s
        random = self._chance.token_bytes(challenge.RANDOM_BYTES)
        nonce = challenge.compose(self._challenge_key, random, expires_at_s=now_s + life_s)
        return Challenge(nonce=nonce, expires_in_s=life_s, issued_at_s=now_s)

    def access(self, request: AccessRequest) -> AccessReply:
        """Exchange a signed assertion for an access token. The key that was used is the node's key from then on.

        Raises: Unauthenticated, KeyReplaced, NodeQuarantined.
        """
        proved, key, is_new = self._verify(request)
        measured = _measured(request, proved, key)
        token = bearer.compose("node", self._chance.token_bytes(bearer.SECRET_BYTES))
        now_s, life_s = self._now_s(), self._settings.access_token_life_s
        # A fleet that comes back proves itself at once, and waiting for the disk a thousand times would be most of it.
        # What a power cut takes of this comes about again: the node's token is refused, and it proves itself again. The
        # first use of a new key must last: until then the old one, and so a copy of the disk, would be good once more.
        with self._control.write(lasting=is_new) as tx:
            tx.remove_credentials(expired_at_s=now_s)
            self._spend(tx, proved.nonce, proved.node_id)
            before = standings.check_known(tx.node(proved.node_id))
            node, alarms = self._standings.judge(tx, self._after_use(tx, before, key), measured)
            if node != before:
                tx.put_node(node)
            if lifecycle.takes_part(node):
                credentials.keep(tx, ACCESS, token, subject=proved.node_id, expires_at_s=now_s + life_s)
        self._standings.tell(alarms)
        standings.check_admitted(node)
        return AccessReply(access_token=token, expires_in_s=life_s)

    def announce_key(self, node: NodeRow, request: RekeyRequest) -> None:
        """Accept a node's next key besides its present one, until one of the two is used. Raises: Unauthenticated."""
        claimed = node_statements.verify(Rekey, node.public_key, request.statement, request.signature)
        assertion.parse_public_key(claimed.public_key)
        node_statements.verify(Rekey, claimed.public_key, request.statement, request.next_signature)
        self._check_meant(claimed.node_id, claimed.audience, node.node_id)
        with self._control.write() as tx:
            self._spend(tx, claimed.nonce, node.node_id)
            row = standings.check_admitted(tx.node(node.node_id))
            if row.public_key != node.public_key:
                raise Unauthenticated("the node's key was replaced in the meantime")
            if claimed.public_key in node_keys.former_keys(row):
                raise InvalidRequest("this key was replaced before: make a new one")
            tx.put_node(node_keys.announced(row, claimed.public_key))
            audit.note(tx, self._clock, Deed(actor=f"node:{row.name}", action="node.key_announced", subject=row.name))

    def authenticate(self, access_token: str) -> NodeRow:
        """Return the node that holds this token. Raises: Unauthenticated."""
        with self._control.read() as tx:
            credential = credentials.find(tx, ACCESS, access_token, now_s=self._now_s())
            if credential is None:
                raise Unauthenticated("the access token is unknown or has expired: prove the node's identity again")
            return standings.check_admitted(tx.node(credential.subject))

    def revoke(self, name: str, *, actor: str = "hub") -> None:
        """Refuse a node from its next request on. Its name stays taken. Raises: NotFound."""
        with self._control.write() as tx:
            node = tx.node_by_name(name)
            if node is None:
                raise NotFound(f"there is no node {name!r}")
            node_acts.act_on(tx, node, node_acts.revoke, By(self._clock, actor))
        log.info("node.revoked", node_id=node.node_id, name=node.name)

    def _enrol(self, tx: ControlTransaction, token: JoinTokenRow, request: JoinRequest) -> NodeRow:
        now_s = self._now_s()
        _check_usable(tx, token, now_s)
        node = NodeRow(
            node_id=new_id(self._chance),
            name=token.name,
            site=token.site,
            zone=token.zone,
            public_key=request.public_key,
            node_class=request.facts.node_class,
            facts=codec.encode_json(request.facts),
            enrolled_at_s=now_s,
            labels=token.labels,
        )
        tx.use_join_token(token.token_hash, now_s)
        tx.put_node(node)
        facts = {"node_id": node.node_id, "site": node.site, "zone": node.zone}
        audit.note(
            tx, self._clock, Deed(actor=f"node:{node.name}", action="node.enrolled", subject=node.name, facts=facts)
        )
        return node

    def _verify(self, request: AccessRequest) -> tuple[Assertion, str, bool]:
        """Check everything but the nonce, without the hub's write lock: anybody may call this.

        Returns the key that was used too, and whether it is another than the present one.
        """
        claimed = assertion.parse(request.assertion)
        with self._control.read() as tx:
            node = standings.check_known(tx.node(claimed.node_id))
        life_s = self._settings.challenge_life_s
        expected = Expectation(audience=self._ca_pin, now_s=self._now_s(), age_s_max=life_s)
        key = _key_used([*node_keys.good_keys(node), *node_keys.former_keys(node)], request, expected)
        if key in node_keys.former_keys(node):
            reason = "somebody proved a key of this node that was replaced: a copy of its disk is in use"
            self._standings.tell([Alarm(node, "node.cloned", reason, {"key": key[:16]})])
            raise KeyReplaced(f"the key of the node {node.name} was replaced: this is a copy of an old disk")
        return claimed, key, key != node.public_key

    def _after_use(self, tx: ControlTransaction, node: NodeRow, key: str) -> NodeRow:
        """Return the row after its key was used. With an old key go the tokens that it opened."""
        if key not in node_keys.good_keys(node):
            raise Unauthenticated("the node's key was replaced in the meantime")
        used = node_keys.used(node, key, now_s=self._now_s())
        if used is not node:
            tx.remove_credentials_of(ACCESS, node.node_id)
            audit.note(tx, self._clock, Deed(actor=f"node:{node.name}", action="node.rekeyed", subject=node.name))
            log.info("node.rekeyed", node_id=node.node_id, name=node.name)
        return used

    def _spend(self, tx: ControlTransaction, nonce: str, node_id: str) -> None:
        """Make a challenge good for nothing. Raises: Unauthenticated: it is already."""
        now_s = self._now_s()
        is_good = challenge.is_good(self._challenge_key, nonce, now_s=now_s)
        if not is_good or credentials.find(tx, CHALLENGE, nonce, now_s=now_s) is not None:
            raise Unauthenticated("the challenge is unknown, used or expired: ask for a new one")
        # What was spent is remembered for as long as it would be good.
        spent_until_s = now_s + self._settings.challenge_life_s
        credentials.keep(tx, CHALLENGE, nonce, subject=node_id, expires_at_s=spent_until_s)

    def _check_meant(self, claimed_id: str, audience: str, node_id: str) -> None:
        if claimed_id != node_id or not hmac.compare_digest(audience.encode(), self._ca_pin.encode()):
            raise Unauthenticated("the statement was made by another node, or for another hub")

    def _now_s(self) -> float:
        return utc_s(self._clock)


def _check_usable(tx: ControlTransaction, token: JoinTokenRow, now_s: float) -> None:
    if token.used_at_s is not None:
        raise TokenRefused(f"the join token for {token.name} was used before")
    if now_s >= token.expires_at_s:
        raise TokenRefused(f"the join token for {token.name} has expired")
    if taken := tx.node_by_name(token.name):
        raise TokenRefused(join_tokens.why_taken(taken))


def _joined_before(tx: ControlTransaction, token: JoinTokenRow, public_key: str) -> NodeRow | None:
    """Return the node that this token enrolled with this very key: its reply was lost on the way."""
    node = tx.node_by_name(token.name) if token.used_at_s is not None else None
    if node is None or not lifecycle.takes_part(node) or node.public_key != public_key:
        return None
    return node


def _key_used(keys: Sequence[str], request: AccessRequest, expected: Expectation) -> str:
    """Return the key that made the assertion. Raises: Unauthenticated: none of these."""
    for key in keys[:-1]:
        if assertion.is_signed(key, request.assertion, request.signature):
            assertion.verify(key, request.assertion, request.signature, expected)
            return key
    assertion.verify(keys[-1], request.assertion, request.signature, expected)
    return keys[-1]


def _measured(request: AccessRequest, proved: Assertion, key: str) -> dict[str, str]:
    """Return what the node measured. Raises: Unauthenticated: it was not signed for this very proof."""
    if not request.measured:
        return {}
    measured = node_statements.verify(Measured, key, request.measured, request.measured_signature)
    if (measured.node_id, measured.audience, measured.nonce) != (proved.node_id, proved.audience, proved.nonce):
        raise Unauthenticated("what the node measured was not signed for this proof")
    return measured.facts
