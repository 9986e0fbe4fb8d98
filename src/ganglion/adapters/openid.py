"""Logging in with an identity provider by OpenID Connect: implements `ports.identity_provider`.

Source: OpenID Connect Core 1.0, section 3.1; PKCE, RFC 7636, always with S256; OpenID Connect Discovery 1.0.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import urllib3
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ganglion.core.identity_errors import ProviderFailed, Unauthenticated
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.identity_provider import Attempt, Person

T = TypeVar("T")

_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""What providers sign with; never `none`, and no shared secret that a public key could be passed off as."""
_DISCOVERY = "/.well-known/openid-configuration"
_LEEWAY_S = 60
_KNOWN_S = 3600.0
_ANEW_S = 30.0
_REPLY_BYTES_MAX = 1_000_000
_GROUPS_MAX = 1000
_FORM_TYPE = "application/x-www-form-urlencoded"
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who the hub is to the provider, and which claims it reads."""

    issuer: str
    client_id: str
    secret: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "groups")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    timeout_s: float = 10.0
    ca_file: str = ""


class _Discovered(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str


class OpenIdProvider:
    """One provider. Safe to use from many threads."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(client.timeout_s), retries=False, ca_certs=client.ca_file or None
        )
        self._lock = threading.Lock()
        self._discovered: tuple[float, _Discovered] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def address(self, attempt: Attempt) -> str:
        """Return where the browser logs in. Raises: ProviderFailed."""
        return str(
            prepare_grant_uri(
                self._endpoints().authorization_endpoint,
                client_id=self._client.client_id,
                response_type="code",
                redirect_uri=attempt.redirect_uri,
                scope=" ".join(self._client.scopes),
                state=attempt.state,
                nonce=attempt.nonce,
                code_challenge=create_s256_code_challenge(attempt.verifier),  # type: ignore[no-untyped-call] # untyped there
                code_challenge_method="S256",
            )
        )

    def person(self, attempt: Attempt, code: str) -> Person:
        """Exchange the code for a proof and check it. Raises: ProviderFailed. Unauthenticated: it proves nothing."""
        endpoints = self._endpoints()
        form = prepare_token_request(
            "authorization_code",
            redirect_uri=attempt.redirect_uri,
            code=code,
            client_id=self._client.client_id,
            code_verifier=attempt.verifier,
        )
        headers = {"Content-Type": _FORM_TYPE, "Accept": "application/json"}
        if self._client.secret:
            basic = f"{self._client.client_id}:{self._client.secret}"
            headers |= urllib3.make_headers(basic_auth=basic)
        tokens = self._decoded(self._call("POST", endpoints.token_endpoint, form.encode(), headers), _Tokens)
        claims = self._proven(tokens.id_token, endpoints)
        self._check(claims, attempt, endpoints)
        return self._person(claims, endpoints)

    def _proven(self, token: str, endpoints: _Discovered) -> Mapping[str, Any]:
        """Return the claims of a token with a good signature."""
        for fresh in (False, True):
            try:
                # The library decodes tokens past their end without a word: `_check` looks at every claim.
                return jwt.decode(token, self._key_set(endpoints, fresh=fresh), algorithms=_ALGORITHMS).claims
            except (JoseError, ValueError, TypeError) as error:
                # The provider may have changed its keys since they were fetched.
                if fresh:
                    raise Unauthenticated(
                        f"the provider's token is not signed by it: {type(error).__name__}"
                    ) from error
        raise AssertionError("unreachable")

    def _check(self, claims: Mapping[str, Any], attempt: Attempt, endpoints: _Discovered) -> None:
        times = jwt.JWTClaimsRegistry(now=int(utc_s(self._clock)), leeway=_LEEWAY_S, exp={"essential": True})
        try:
            times.validate(dict(claims))
        except JoseError as error:
            raise Unauthenticated(f"the provider's token is not good now: {error}") from error
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
        is_ours = self._client.client_id in audiences
        if len(audiences) > 1 or "azp" in claims:
            is_ours = is_ours and claims.get("azp") == self._client.client_id
        if claims.get("iss") != endpoints.issuer or not is_ours:
            raise Unauthenticated("the provider's token is meant for somebody else")
        if claims.get("nonce") != attempt.nonce:
            raise Unauthenticated("the provider's token is of another login")

    def _person(self, claims: Mapping[str, Any], endpoints: _Discovered) -> Person:
        subject, name = claims.get("sub"), claims.get(self._client.name_claim)
        groups = claims.get(self._client.groups_claim, [])
        if not isinstance(subject, str) or not subject:
            raise Unauthenticated("the provider's token names nobody")
        if not isinstance(name, str) or not name:
            raise Unauthenticated(f"the provider's token has no claim {self._client.name_claim}")
        named = [each for each in groups if isinstance(each, str)] if isinstance(groups, list) else []
        return Person(endpoints.issuer, subject, name, tuple(named[:_GROUPS_MAX]))

    def _endpoints(self) -> _Discovered:
        now_s = self._clock.monotonic_s()
        with self._lock:
            if self._discovered and now_s - self._discovered[0] < _KNOWN_S:
                return self._discovered[1]
        issuer = self._client.issuer
        found = self._decoded(self._call("GET", issuer.rstrip("/") + _DISCOVERY), _Discovered)
        if found.issuer != issuer:
            raise ProviderFailed(f"{issuer} says that it is {found.issuer[:200]}")
        for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            check_address(address)
        with self._lock:
            self._discovered = (now_s, found)
        return found

    def _key_set(self, endpoints: _Discovered, *, fresh: bool) -> KeySet:
        now_s = self._clock.monotonic_s()
        with self._lock:
            kept = self._keys
        if kept and now_s - kept[0] < (_ANEW_S if fresh else _KNOWN_S):
            return kept[1]
        try:
            keys = KeySet.import_key_set(msgspec.json.decode(self._call("GET", endpoints.jwks_uri)))
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProviderFailed(f"{endpoints.jwks_uri} has no keys that can be read") from error
        with self._lock:
            self._keys = (now_s, keys)
        return keys

    def _call(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        try:
            with self._pool.request(
                method, url, body=body, headers=dict(headers or {}), redirect=False, preload_content=False
            ) as reply:
                data = reply.read(_REPLY_BYTES_MAX + 1)
                status = reply.status
        except urllib3.exceptions.HTTPError as error:
            raise ProviderFailed(f"{_host(url)} does not answer: {type(error).__name__}") from error
        if status != _OK or len(data) > _REPLY_BYTES_MAX:
            raise ProviderFailed(f"{_host(url)} answered {status} to {urlsplit(url).path[:200]}")
        return data

    def _decoded(self, data: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProviderFailed(f"{_host(self._client.issuer)} sent what cannot be read: {error}") from error


def check_address(url: str) -> None:
    """Raises: ProviderFailed: neither https nor this machine itself."""
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if parts.scheme != "https" and not is_local:
        raise ProviderFailed(f"{url[:200]} is no https address")


def _host(url: str) -> str:
    return urlsplit(url).netloc[:200]
