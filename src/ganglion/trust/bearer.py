"""Secrets that are shown once and kept only as a hash.

They come from a random source with at least 128 bits, so one plain SHA-256 is enough: there is
nothing to guess. Looking a hash up reveals nothing about the secret by its timing.
"""

import hashlib

SECRET_BYTES = 32
_PREFIX = "ganglion"


def compose(kind: str, random: bytes) -> str:
    """Return a secret that says what it is for, so that a scanner finds one that leaked."""
    assert len(random) >= SECRET_BYTES // 2, "a secret needs at least 128 random bits"
    return f"{_PREFIX}-{kind}-{random.hex()}"


def kind_of(text: str) -> str:
    """Return what a secret says that it is for; empty for a text that says nothing. It proves nothing."""
    prefix, _, rest = text.partition("-")
    kind, _, random = rest.partition("-")
    return kind if prefix == _PREFIX and random else ""


def hash_secret(text: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(text.encode()).hexdigest()
