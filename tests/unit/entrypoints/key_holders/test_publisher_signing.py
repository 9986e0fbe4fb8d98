import pytest
from tuf.api.metadata import Metadata, Targets

from ganglion.core.errors import Conflict, InvalidRequest
from ganglion.core.trust_errors import ProposalRefused, SignaturesMissing
from ganglion.entrypoints.key_holders.publisher_signing import sign_release
from ganglion.trust.ceremony.proposal import Proposal
from unit.trust.ceremonies import PATH, Hub, in_production, package, signer, terms

SECOND = "models/digits/2/fp32.ganglion"


def documents_of(hub: Hub) -> dict[str, bytes]:
    present = hub.present()
    whole = Proposal(present, present.root, present.targets, present.models)
    return {role: document.to_bytes() for role, document in whole.documents()}


def test_a_release_is_the_present_list_and_one_package_more_under_the_publishers_key() -> None:
    hub = in_production("digits")

    signed = sign_release(documents_of(hub), package(SECOND), signer("publisher"), terms())

    assert signed is not None
    metadata = Metadata[Targets].from_bytes(signed)
    assert set(metadata.signed.targets) == {PATH, SECOND}
    hub.edition().targets.signed.verify_delegate("model-digits", metadata.signed_bytes, metadata.signatures)


def test_a_package_that_is_signed_already_is_not_signed_again() -> None:
    assert sign_release(documents_of(in_production("digits")), package(), signer("publisher"), terms()) is None


def test_other_bytes_of_a_signed_name_are_refused() -> None:
    with pytest.raises(Conflict):
        sign_release(documents_of(in_production("digits")), package(byte="cd"), signer("publisher"), terms())


def test_the_key_of_somebody_else_and_a_model_without_a_role_are_told_apart() -> None:
    documents = documents_of(in_production("digits"))

    with pytest.raises(InvalidRequest, match="not the one"):
        sign_release(documents, package(SECOND), signer("mallory"), terms())
    with pytest.raises(SignaturesMissing, match="delegate"):
        sign_release(documents, package("models/gauges/1/fp32.ganglion"), signer("publisher"), terms())


def test_a_list_that_a_hub_made_up_is_not_signed_although_its_targets_name_the_publisher() -> None:
    hub = Hub("digits")
    targets = hub.edition().targets.signed
    assert targets.delegations is not None
    targets.add_key(signer("publisher").public_key, "model-digits")
    targets.version += 1
    doctored = hub.signing().sign("targets", targets, hub.root())
    documents = {**documents_of(hub), "targets": doctored.to_bytes()}

    with pytest.raises(ProposalRefused, match="not one that this key has signed"):
        sign_release(documents, package(SECOND), signer("publisher"), terms())


def test_documents_that_do_not_hang_together_are_refused() -> None:
    mixed = {**documents_of(in_production("digits")), "targets": documents_of(Hub("digits"))["targets"]}

    with pytest.raises(ProposalRefused):
        sign_release(mixed, package(SECOND), signer("publisher"), terms())
