"""A small OpenID Connect provider on loopback: one person, always logged in, and lies when a test wants them."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from ganglion.adapters.system import SystemClock
from ganglion.ports.clock import utc_s

CLIENT_ID, SECRET = "ganglion", "client secret"


@dataclass(slots=True)
class Provider:
    """What it knows, and what it was asked."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "7", "preferred_username": "ada", "groups": ["ops"]})
    lies: dict[str, Any] = field(default_factory=dict)
    """Claims that replace the true ones; None leaves one out."""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1"}))
    signs_with: str = "RS256"
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    """Login requests by code."""

    def authorise(self, query: Mapping[str, str]) -> str:
        """Return where the browser goes next."""
        code = f"code-{len(self.asked)}"
        self.asked[code] = dict(query)
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def exchange(self, form: Mapping[str, str], authorization: str) -> dict[str, str] | None:
        """Return tokens for a code, once, to the client that asked; None otherwise."""
        asked = self.asked.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
        if asked is None or authorization != f"Basic {basic}" or form["redirect_uri"] != asked["redirect_uri"]:
            return None
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return None
        return {"access_token": "unused", "token_type": "Bearer", "id_token": self.token(asked["nonce"])}

    def token(self, nonce: str) -> str:
        """Return the proof of who the person is."""
        now_s = int(utc_s(SystemClock()))
        true = {"iss": self.url, "aud": CLIENT_ID, "exp": now_s + 300, "iat": now_s, "nonce": nonce, **self.person}
        claims = {name: value for name, value in (true | self.lies).items() if value is not None}
        if self.signs_with == "HS256":
            # The old trick: the public key, which everybody has, as a shared secret.
            signed = ".".join(_part(each) for each in ({"alg": "HS256", "kid": "k1"}, claims))
            mac = hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256")
            return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        if self.signs_with == "none":
            head, body = (_part(each) for each in ({"alg": "none"}, claims))
            return f"{head}.{body}."
        return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.key)


@contextmanager
def identity_provider() -> Iterator[Provider]:
    """Run one until the block ends."""
    provider = Provider()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorise(dict(parse_qsl(parts.query))))
                self.end_headers()
            elif parts.path == "/keys":
                self.answer(KeySet([provider.key]).as_dict(private=False))
            else:
                self.answer(
                    {
                        "issuer": provider.url,
                        "authorization_endpoint": f"{provider.url}/authorize",
                        "token_endpoint": f"{provider.url}/token",
                        "jwks_uri": f"{provider.url}/keys",
                    }
                )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            tokens = provider.exchange(form, self.headers.get("Authorization", ""))
            self.answer(tokens or {"error": "invalid_grant"}, 200 if tokens else 400)

        def answer(self, document: object, status: int = 200) -> None:
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
