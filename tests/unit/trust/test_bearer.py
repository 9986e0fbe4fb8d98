import hashlib

import pytest

from ganglion.trust import bearer


def test_a_secret_says_what_it_is_for() -> None:
    assert bearer.compose("session", b"\x01" * 32) == "ganglion-session-" + "01" * 32


def test_what_is_stored_is_the_sha256_of_the_text() -> None:
    assert bearer.hash_secret("ganglion-session-00") == hashlib.sha256(b"ganglion-session-00").hexdigest()


def test_too_little_randomness_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="128 random bits"):
        bearer.compose("session", b"\x01" * 15)
