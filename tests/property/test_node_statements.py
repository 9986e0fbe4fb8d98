"""Laws of what nodes sign beside their assertion, and of what a token of a local client allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.adapters.node_keys import RawKey
from ganglion.core.identity_errors import Unauthenticated
from ganglion.trust import assertion, node_statements
from ganglion.trust.client_tokens import LocalClient, Verb
from ganglion.trust.node_statements import Measured, Rekey

keys = st.binary(min_size=32, max_size=32).map(RawKey)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
rekeys = st.builds(Rekey, node_id=texts, audience=texts, nonce=texts, public_key=texts)
measured = st.builds(
    Measured, node_id=texts, audience=texts, nonce=texts, facts=st.dictionaries(texts, texts, max_size=5)
)
names = st.sampled_from(["steer", "brake", "gate"])


@given(key=keys, statement=st.one_of(rekeys, measured))
def test_a_statement_says_what_was_signed(key: RawKey, statement: Rekey | Measured) -> None:
    kind, payload = type(statement), node_statements.encode(statement)
    signature = key.sign(node_statements.signed_bytes(kind, payload))

    assert node_statements.verify(kind, key.public_key, payload, signature) == statement


@given(key=keys, statement=st.one_of(rekeys, measured), at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_flipped_bit_spoils_a_statement(key: RawKey, statement: Rekey | Measured, at: int, bit: int) -> None:
    kind, payload = type(statement), node_statements.encode(statement)
    signature = key.sign(node_statements.signed_bytes(kind, payload))
    changed = bytearray(payload)
    changed[at % len(changed)] ^= 1 << bit

    with pytest.raises(Unauthenticated):
        node_statements.verify(kind, key.public_key, bytes(changed), signature)


@given(key=keys, statement=st.one_of(rekeys, measured))
def test_a_signature_for_one_purpose_is_good_for_no_other(key: RawKey, statement: Rekey | Measured) -> None:
    kind, payload = type(statement), node_statements.encode(statement)
    signature = key.sign(node_statements.signed_bytes(kind, payload))
    other: type[Rekey | Measured] = Measured if kind is Rekey else Rekey

    assert not assertion.is_signed(key.public_key, payload, signature)
    with pytest.raises(Unauthenticated):
        node_statements.verify(other, key.public_key, payload, signature)


@given(
    models=st.lists(names, max_size=2),
    verbs=st.lists(st.sampled_from(Verb), max_size=2),
    verb=st.sampled_from(Verb),
    model=st.one_of(names, st.just("")),
)
def test_a_client_does_nothing_that_is_not_in_its_token(
    models: list[str], verbs: list[Verb], verb: Verb, model: str
) -> None:
    client = LocalClient(name="c", token_sha256="", models=tuple(models), verbs=tuple(verbs))

    allowed = client.permits(verb, model)

    assert allowed == (verb in verbs and (not models or model in models))
