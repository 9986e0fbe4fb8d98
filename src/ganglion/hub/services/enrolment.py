"""Who is a node: join tokens, challenges, access tokens, revocation.

A node's identity is the public key that it enrolled. Its name, site and zone come from the join
token's row, never from what the node says. The node's row is read at each request, so a revocation
works at once, whatever tokens are still out.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import msgspec
import structlog

from ganglion.core.errors import Conflict, InvalidRequest, NotFound, TokenRefused, Unauthenticated
from ganglion.core.ids import parse_name
from ganglion.hub.services import credentials
from ganglion.hub.services.credentials import ACCESS, CHALLENGE
from ganglion.hub.services.incarnation import incarnation_of
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, JoinTokenRow, NodeRow
from ganglion.trust import assertion, bearer, join_token
from ganglion.trust.assertion import Assertion, Expectation
from ganglion.wire import codec
from ganglion.wire.messages import AccessReply, AccessRequest, Challenge, JoinReply, JoinRequest
from ganglion.wire.resources import TokenReply, TokenRequest

_NONCE_BYTES = 16

Seconds = Annotated[int, msgspec.Meta(ge=1)]
log = structlog.get_logger(__name__)


class EnrolmentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long each proof is good. Expired ones are removed whenever a new one is made."""

    join_token_life_s_max: Seconds = 3600
    """The longest life that a join token can be given."""
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
        settings: EnrolmentSettings | None = None,
    ) -> None:
        self._control = control
        self._clock = clock
        self._chance = chance
        self._ca_pin = ca_pin
        self._tuf_root = tuf_root
        self._settings = settings or EnrolmentSettings()

    def create_token(self, request: TokenRequest) -> TokenReply:
        """Make a join token for one node. Raises: InvalidName, InvalidRequest, Conflict: the name is taken."""
        for text, what in ((request.name, "node"), (request.site, "site"), (request.zone, "zone")):
            parse_name(text, what=what)
        life_s_max = self._settings.join_token_life_s_max
        if not 0 < request.expires_in_s <= life_s_max:
            raise InvalidRequest(f"expires_in_s must be above 0 and at most {life_s_max}")
        secret = self._chance.token_bytes(join_token.SECRET_BYTES)
        row = JoinTokenRow(
            token_hash=bearer.hash_secret(secret.hex()),
            name=request.name,
            site=request.site,
            zone=request.zone,
            expires_at_s=self._now_s() + request.expires_in_s,
        )
        with self._control.write() as tx:
            if taken := tx.node_by_name(row.name):
                raise Conflict(_why_taken(taken))
            tx.add_join_token(row)
        return TokenReply(token=join_token.compose(secret, self._ca_pin), name=row.name, expires_at_s=row.expires_at_s)

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
        """Return a nonce for a node to sign; good once."""
        nonce = self._chance.token_bytes(_NONCE_BYTES).hex()
        now_s, life_s = self._now_s(), self._settings.challenge_life_s
        with self._control.write() as tx:
            tx.remove_credentials(expired_at_s=now_s)
            credentials.keep(tx, CHALLENGE, nonce, subject="", expires_at_s=now_s + life_s)
        return Challenge(nonce=nonce, expires_in_s=life_s, issued_at_s=now_s)

    def access(self, request: AccessRequest) -> AccessReply:
        """Exchange a signed assertion for an access token. Raises: Unauthenticated."""
        proved = self._verify(request)
        token = bearer.compose("node", self._chance.token_bytes(bearer.SECRET_BYTES))
        now_s, life_s = self._now_s(), self._settings.access_token_life_s
        with self._control.write() as tx:
            if credentials.spend(tx, CHALLENGE, proved.nonce, now_s=now_s) is None:
                raise Unauthenticated("the challenge is unknown, used or expired: ask for a new one")
            credentials.keep(tx, ACCESS, token, subject=proved.node_id, expires_at_s=now_s + life_s)
        return AccessReply(access_token=token, expires_in_s=life_s)

    def authenticate(self, access_token: str) -> NodeRow:
        """Return the node that holds this token. Raises: Unauthenticated."""
        with self._control.read() as tx:
            credential = credentials.find(tx, ACCESS, access_token, now_s=self._now_s())
            if credential is None:
                raise Unauthenticated("the access token is unknown or has expired: prove the node's identity again")
            return _active(tx.node(credential.subject))

    def revoke(self, name: str) -> None:
        """Refuse a node from its next request on. Its name stays taken. Raises: NotFound."""
        with self._control.write() as tx:
            node = tx.node_by_name(name)
            if node is None:
                raise NotFound(f"there is no node {name!r}")
            if node.revoked_at_s is None:
                tx.put_node(replace(node, revoked_at_s=self._now_s()))
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
        )
        tx.use_join_token(token.token_hash, now_s)
        tx.put_node(node)
        return node

    def _verify(self, request: AccessRequest) -> Assertion:
        """Check everything but the nonce, without the hub's write lock: anybody may call this."""
        claimed = assertion.parse(request.assertion)
        with self._control.read() as tx:
            node = _active(tx.node(claimed.node_id))
        life_s = self._settings.challenge_life_s
        expected = Expectation(audience=self._ca_pin, now_s=self._now_s(), age_s_max=life_s)
        return assertion.verify(node.public_key, request.assertion, request.signature, expected)

    def _now_s(self) -> float:
        return utc_s(self._clock)


def _check_usable(tx: ControlTransaction, token: JoinTokenRow, now_s: float) -> None:
    if token.used_at_s is not None:
        raise TokenRefused(f"the join token for {token.name} was used before")
    if now_s >= token.expires_at_s:
        raise TokenRefused(f"the join token for {token.name} has expired")
    if taken := tx.node_by_name(token.name):
        raise TokenRefused(_why_taken(taken))


def _joined_before(tx: ControlTransaction, token: JoinTokenRow, public_key: str) -> NodeRow | None:
    """Return the node that this token enrolled with this very key: its reply was lost on the way."""
    node = tx.node_by_name(token.name) if token.used_at_s is not None else None
    if node is None or node.revoked_at_s is not None or node.public_key != public_key:
        return None
    return node


def _active(node: NodeRow | None) -> NodeRow:
    if node is None:
        raise Unauthenticated("the hub does not know this node: join again with a new token")
    if node.revoked_at_s is not None:
        raise Unauthenticated(f"the node {node.name} was revoked")
    return node


def _why_taken(node: NodeRow) -> str:
    if node.revoked_at_s is not None:
        return f"the name {node.name} belonged to a node that was revoked: choose another"
    return f"a node named {node.name} is enrolled already"
