"""Challenges that the hub recognises without having kept them: anybody may ask for one, so none may cost a row.

A challenge carries its own end and a code that only the hub's key makes. That it is good once is for the hub to see
to, when it comes back signed by a known node.
"""

import hashlib
import hmac

KEY_BYTES = 32
RANDOM_BYTES = 16
_DOMAIN = b"ganglion challenge 1\0"


def compose(key: bytes, random: bytes, *, expires_at_s: float) -> str:
    """Return a nonce that is good until `expires_at_s`, seconds since 1970."""
    assert len(key) >= KEY_BYTES, "a shorter key could be guessed"
    text = f"{random.hex()}-{int(expires_at_s * 1000)}"
    return f"{text}-{_code(key, text)}"


def is_good(key: bytes, nonce: str, *, now_s: float) -> bool:
    """Say whether the holder of `key` made this nonce and it has not expired."""
    text, _, code = nonce.rpartition("-")
    if not hmac.compare_digest(code.encode(), _code(key, text).encode()):
        return False
    return now_s * 1000 < int(text.rpartition("-")[2])


def _code(key: bytes, text: str) -> str:
    return hmac.new(key, _DOMAIN + text.encode(), hashlib.sha256).hexdigest()
