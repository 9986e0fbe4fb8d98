"""How a message of the hub proves who sent it."""

import hashlib
import hmac

from ganglion.trust import notification

SECRET = "a secret of both sides"


def test_the_signature_is_over_the_time_and_the_bytes() -> None:
    headers = notification.headers(SECRET, message_id="m1", body=b"{}", now_s=12.9)

    expected = hmac.new(SECRET.encode(), b"12.{}", hashlib.sha256).hexdigest()
    assert headers == {"ganglion-id": "m1", "ganglion-timestamp": "12", "ganglion-signature": f"v1={expected}"}


def test_another_time_or_body_is_another_signature() -> None:
    made = {
        notification.headers(SECRET, message_id="m1", body=body, now_s=now_s)["ganglion-signature"]
        for body, now_s in ((b"{}", 1.0), (b"{}", 2.0), (b"[]", 1.0))
    }

    assert len(made) == 3


def test_without_a_secret_nothing_is_signed() -> None:
    assert "ganglion-signature" not in notification.headers("", message_id="m1", body=b"", now_s=1.0)
