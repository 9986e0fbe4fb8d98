"""How a message of the hub proves who sent it: an HMAC over its time and its bytes, with a secret of both sides.

Source: HMAC, RFC 2104, with SHA-256.
"""

import hmac

ID_HEADER, TIME_HEADER, SIGNATURE_HEADER = "ganglion-id", "ganglion-timestamp", "ganglion-signature"
SECRET_LENGTH_MIN = 16
"""Shorter secrets can be guessed."""


def headers(secret: str, *, message_id: str, body: bytes, now_s: float) -> dict[str, str]:
    """Return what is sent beside a body at this time; without a secret nothing is signed."""
    stamp = str(int(now_s))
    named = {ID_HEADER: message_id, TIME_HEADER: stamp}
    return {**named, SIGNATURE_HEADER: f"v1={signature(secret, stamp, body)}"} if secret else named


def signature(secret: str, stamp: str, body: bytes) -> str:
    """Return the HMAC-SHA256, hexadecimal, of the time as it stands in its header, a full stop, and the body."""
    return hmac.digest(secret.encode(), stamp.encode() + b"." + body, "sha256").hex()
