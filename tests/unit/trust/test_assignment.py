import dataclasses

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import Root

from ganglion.core.trust_errors import ArtifactUntrusted, AssignmentOutdated
from ganglion.trust import assignment
from ganglion.trust.assignment import AssignmentStatement, ExpectedAssignment, SignedAssignment

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
PATH = "models/digits/1/fp32.ganglion"
EXPECTED = ExpectedAssignment(node_id="n1", target_path=PATH, sha256="ab" * 32, size_bytes=10, rollout_id="r1")


def statement(**changes: object) -> AssignmentStatement:
    said = AssignmentStatement(
        node_id="n1",
        incarnation="first",
        revision=7,
        target_path=PATH,
        sha256="ab" * 32,
        size_bytes=10,
        rollout_id="r1",
        policy=msgspec.Raw(b'{"probation_s":10}'),
    )
    return msgspec.structs.replace(said, **changes)


def root_naming(*private_keys: bytes) -> Root:
    root = Root()
    assignment.name_keys(root, tuple(assignment.public_key_of(key) for key in private_keys))
    return Root.from_dict(root.to_dict())


def test_what_the_named_key_signed_for_this_node_is_believed() -> None:
    signed = assignment.sign(KEY, statement())

    said = assignment.verify(root_naming(KEY), signed, EXPECTED)

    assert (said.incarnation, said.revision, bytes(said.policy)) == ("first", 7, b'{"probation_s":10}')


def test_the_same_statement_gives_the_same_bytes() -> None:
    assert assignment.sign(KEY, statement()) == assignment.sign(KEY, statement())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("node_id", "n2"),
        ("target_path", "models/digits/2/fp32.ganglion"),
        ("sha256", "cd" * 32),
        ("size_bytes", 11),
        ("rollout_id", "r2"),
    ],
)
def test_a_statement_about_something_else_is_refused(field: str, value: object) -> None:
    signed = assignment.sign(KEY, statement(**{field: value}))

    with pytest.raises(ArtifactUntrusted, match="names another"):
        assignment.verify(root_naming(KEY), signed, EXPECTED)


def test_a_statement_without_a_signature_is_refused() -> None:
    signed = dataclasses.replace(assignment.sign(KEY, statement()), key_id="", signature=b"")

    with pytest.raises(ArtifactUntrusted, match="not signed"):
        assignment.verify(root_naming(KEY), signed, EXPECTED)


def test_a_key_that_the_root_does_not_name_is_not_believed_and_says_nothing_of_the_version() -> None:
    signed = assignment.sign(OTHER_KEY, statement())

    with pytest.raises(AssignmentOutdated, match="does not name"):
        assignment.verify(root_naming(KEY), signed, EXPECTED)


def test_another_keys_signature_under_the_name_of_a_trusted_key_is_refused() -> None:
    signed = dataclasses.replace(assignment.sign(OTHER_KEY, statement()), key_id=assignment.public_key_of(KEY))

    with pytest.raises(ArtifactUntrusted, match="signature"):
        assignment.verify(root_naming(KEY), signed, EXPECTED)


@pytest.mark.parametrize("position", [0, 20, -1])
def test_one_changed_byte_of_the_statement_is_refused(position: int) -> None:
    signed = assignment.sign(KEY, statement())
    changed = bytearray(signed.payload)
    changed[position] ^= 1

    with pytest.raises(ArtifactUntrusted):
        assignment.verify(root_naming(KEY), dataclasses.replace(signed, payload=bytes(changed)), EXPECTED)


@pytest.mark.parametrize(
    "signed",
    [
        SignedAssignment(b"", "", b""),
        SignedAssignment(b"{}", assignment.public_key_of(KEY), b""),
        SignedAssignment(b" " * 70_000, assignment.public_key_of(KEY), bytes(64)),
    ],
)
def test_nothing_empty_or_endless_is_believed(signed: SignedAssignment) -> None:
    with pytest.raises(ArtifactUntrusted):
        assignment.verify(root_naming(KEY), signed, EXPECTED)


def test_signed_bytes_that_are_no_statement_are_refused() -> None:
    key = Ed25519PrivateKey.from_private_bytes(KEY)
    signed = SignedAssignment(b"[]", assignment.public_key_of(KEY), key.sign(assignment._DOMAIN + b"[]"))

    with pytest.raises(ArtifactUntrusted):
        assignment.verify(root_naming(KEY), signed, EXPECTED)


def test_a_statement_with_fields_of_a_later_release_is_read() -> None:
    payload = msgspec.json.encode(statement())[:-1] + b',"approved_by":"ada"}'
    key = Ed25519PrivateKey.from_private_bytes(KEY)
    signed = SignedAssignment(payload, assignment.public_key_of(KEY), key.sign(assignment._DOMAIN + payload))

    assert assignment.verify(root_naming(KEY), signed, EXPECTED).revision == 7


def test_a_root_of_an_earlier_hub_demands_no_statement() -> None:
    assert not assignment.is_demanded(Root())
    assert assignment.is_demanded(root_naming(KEY))


@pytest.mark.parametrize("field", ["x", {"a": 1}, [1]])
def test_a_malformed_list_of_keys_is_refused(field: object) -> None:
    root = Root(unrecognized_fields={"ganglion_assignment_keys": field})

    with pytest.raises(ArtifactUntrusted, match="list of assignment keys"):
        assignment.verify(root, assignment.sign(KEY, statement()), EXPECTED)
