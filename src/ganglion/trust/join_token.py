"""The text that lets one machine enrol: SECRET.PIN, both hexadecimal.

The pin is the SHA-256 of the public key of the hub's certificate authority: whoever holds the token
recognises the hub before it says anything secret. Only the hash of the secret is kept by the hub.
"""

import re
from dataclasses import dataclass

from ganglion.core.identity_errors import TokenRefused

SECRET_BYTES = 24
_SECRET = rf"[0-9a-f]{{{2 * SECRET_BYTES}}}"
_TOKEN = re.compile(rf"(?P<secret>{_SECRET})\.(?P<pin>[0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class JoinToken:
    """A parsed token. `secret_text` goes to the hub, and only to the hub whose CA matches `ca_pin`."""

    secret_text: str
    ca_pin: str


def compose(secret: bytes, ca_pin: str) -> str:
    """Return the token that an operator carries to the node."""
    assert len(secret) == SECRET_BYTES, "a join token has 192 random bits"
    return f"{secret.hex()}.{ca_pin}"


def parse(text: str) -> JoinToken:
    """Take a token apart. Raises: TokenRefused: it is not one, or was copied in part."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise TokenRefused(
            f"this is not a join token ({2 * SECRET_BYTES} hexadecimal digits, a dot, 64 more): copy it whole"
        )
    return JoinToken(secret_text=match["secret"], ca_pin=match["pin"])


def secret_in(text: str) -> str:
    """Return the secret of a token that was sent whole, or as its secret alone. Raises: TokenRefused."""
    return text if re.fullmatch(_SECRET, text) else parse(text).secret_text
