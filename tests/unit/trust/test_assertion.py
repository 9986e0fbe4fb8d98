import hmac

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ganglion.core.errors import InvalidRequest
from ganglion.core.identity_errors import Unauthenticated
from ganglion.trust import assertion
from ganglion.trust.assertion import Assertion, Expectation

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
PUBLIC_KEY = assertion.public_key_of(KEY)
NOW_S = 1_700_000_000.0


def payload_with(*, audience: str = "hub-1", nonce: str = "n-1", issued_at_s: float = NOW_S) -> bytes:
    return assertion.compose(node_id="node-1", audience=audience, nonce=nonce, issued_at_s=issued_at_s)


def verify(payload: bytes, *, signature: bytes | None = None) -> Assertion:
    signed = assertion.sign(KEY, payload) if signature is None else signature
    return assertion.verify(PUBLIC_KEY, payload, signed, Expectation(audience="hub-1", now_s=NOW_S))


def test_an_assertion_by_the_enrolled_key_is_accepted() -> None:
    proved = verify(payload_with())

    assert proved == Assertion(node_id="node-1", audience="hub-1", nonce="n-1", issued_at_s=NOW_S)


def test_an_assertion_for_another_hub_is_refused() -> None:
    with pytest.raises(Unauthenticated, match="another hub"):
        verify(payload_with(audience="hub-2"))


@pytest.mark.parametrize(("age_s", "reason"), [(121, "121 s old"), (-31, "31 s ahead")])
def test_an_assertion_from_the_past_or_the_future_is_refused(age_s: float, reason: str) -> None:
    with pytest.raises(Unauthenticated, match=reason):
        verify(payload_with(issued_at_s=NOW_S - age_s))


@pytest.mark.parametrize("age_s", [120, 0, -30])
def test_an_assertion_inside_the_window_is_accepted(age_s: float) -> None:
    assert verify(payload_with(issued_at_s=NOW_S - age_s)).issued_at_s == NOW_S - age_s


def test_an_assertion_by_another_key_is_refused() -> None:
    payload = payload_with()

    with pytest.raises(Unauthenticated, match="not signed with the enrolled key"):
        verify(payload, signature=assertion.sign(OTHER_KEY, payload))


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 63, b"\0" * 10_000])
def test_an_unsigned_assertion_is_refused(signature: bytes) -> None:
    with pytest.raises(Unauthenticated, match="not signed"):
        verify(payload_with(), signature=signature)


def test_the_public_key_is_no_shared_secret() -> None:
    payload = payload_with()
    forged = hmac.digest(bytes.fromhex(PUBLIC_KEY), payload, "sha512")

    with pytest.raises(Unauthenticated, match="not signed"):
        verify(payload, signature=forged)


def test_a_signature_over_the_bare_payload_is_refused() -> None:
    payload = payload_with()
    bare = Ed25519PrivateKey.from_private_bytes(KEY).sign(payload)

    with pytest.raises(Unauthenticated, match="not signed"):
        verify(payload, signature=bare)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 1000, id="deep nesting"),
        pytest.param(b"{}", id="no fields"),
        pytest.param(payload_with() + b" ", id="a space after it"),
        pytest.param(payload_with().replace(b'{"node_id"', b'{"node_id":"node-2","node_id"'), id="a key twice"),
        pytest.param(payload_with().replace(b"{", b'{"alg":"none",'), id="an algorithm"),
        pytest.param(payload_with(nonce="n" * 2000), id="too long"),
    ],
)
def test_a_signed_statement_in_any_other_form_is_refused(payload: bytes) -> None:
    with pytest.raises(Unauthenticated, match="the assertion"):
        verify(payload)


def test_an_assertion_has_no_field_to_choose_an_algorithm() -> None:
    fields = {field.name for field in msgspec.structs.fields(Assertion)}

    assert fields == {"node_id", "audience", "nonce", "issued_at_s"}


def test_a_public_key_is_64_lower_case_hexadecimal_digits() -> None:
    assert assertion.parse_public_key(PUBLIC_KEY) == PUBLIC_KEY


@pytest.mark.parametrize("text", ["", "zz" * 32, "00" * 31, PUBLIC_KEY.upper(), f" {PUBLIC_KEY}"])
def test_anything_else_is_no_public_key(text: str) -> None:
    with pytest.raises(InvalidRequest, match="public_key"):
        assertion.parse_public_key(text)
