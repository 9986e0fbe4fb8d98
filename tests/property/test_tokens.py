"""Laws of what parses: strict readers accept what their writers write, and nothing near it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.errors import GanglionError
from ganglion.core.identity_errors import TokenRefused, Unauthenticated
from ganglion.core.ids import Digest, ModelName, Variant, Version
from ganglion.trust import assertion, join_token, target_path
from ganglion.trust.assertion import Expectation
from ganglion.trust.target_path import TargetPath

secrets = st.binary(min_size=24, max_size=24)
pins = st.binary(min_size=32, max_size=32).map(bytes.hex)
private_keys = st.binary(min_size=32, max_size=32)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
times_s = st.floats(min_value=0, max_value=4e9)


@given(secret=secrets, pin=pins)
def test_a_token_is_read_as_it_was_written(secret: bytes, pin: str) -> None:
    token = join_token.parse(join_token.compose(secret, pin))

    assert (bytes.fromhex(token.secret_text), token.ca_pin) == (secret, pin)


@given(secret=secrets, pin=pins, at=st.integers(0, 112), char=st.characters(codec="utf-8"))
def test_a_token_with_one_character_changed_is_another_token_or_none(
    secret: bytes, pin: str, at: int, char: str
) -> None:
    token = join_token.compose(secret, pin)
    changed = token[:at] + char + token[at + 1 :]

    try:
        parsed = join_token.parse(changed)
    except TokenRefused:
        assert char not in "0123456789abcdef" or at == 48
    else:
        assert join_token.compose(bytes.fromhex(parsed.secret_text), parsed.ca_pin) == changed


@given(key=private_keys, node_id=texts, audience=texts, nonce=texts, issued_at_s=times_s)
def test_an_assertion_proves_what_was_signed(
    key: bytes, node_id: str, audience: str, nonce: str, issued_at_s: float
) -> None:
    payload = assertion.compose(node_id=node_id, audience=audience, nonce=nonce, issued_at_s=issued_at_s)
    expected = Expectation(audience=audience, now_s=issued_at_s)

    proved = assertion.verify(assertion.public_key_of(key), payload, assertion.sign(key, payload), expected)

    assert (proved.node_id, proved.audience, proved.nonce, proved.issued_at_s) == (
        node_id,
        audience,
        nonce,
        issued_at_s,
    )


@given(key=private_keys, at=st.integers(0, 10_000), bit=st.integers(0, 7), in_payload=st.booleans())
def test_one_flipped_bit_spoils_the_proof(*, key: bytes, at: int, bit: int, in_payload: bool) -> None:
    payload = assertion.compose(node_id="node", audience="hub", nonce="nonce", issued_at_s=1.0)
    parts = {True: bytearray(payload), False: bytearray(assertion.sign(key, payload))}
    parts[in_payload][at % len(parts[in_payload])] ^= 1 << bit

    with pytest.raises(Unauthenticated):
        assertion.verify(
            assertion.public_key_of(key),
            bytes(parts[True]),
            bytes(parts[False]),
            Expectation(audience="hub", now_s=1.0),
        )


@given(model=names, version=names, variant=names, digest=pins)
def test_a_target_path_is_read_as_it_was_written(model: str, version: str, variant: str, digest: str) -> None:
    path = TargetPath(ModelName(model), Version(version), Variant(variant))

    assert target_path.parse(str(path)) == path
    assert target_path.parse_hashed(path.hashed(Digest(digest))) == (path, digest)


@given(text=st.text(st.sampled_from("modelsx./\\%\0*?2e"), max_size=60).map(lambda tail: f"models/{tail}.ganglion"))
def test_whatever_parses_stays_inside_its_model(text: str) -> None:
    try:
        path = target_path.parse(text)
    except GanglionError:
        return

    assert str(path) == text
    assert len(text.split("/")) == 4
    assert ".." not in text
