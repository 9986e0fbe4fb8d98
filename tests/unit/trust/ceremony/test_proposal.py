import pytest
from tuf.api.metadata import Metadata, Root, Targets

from ganglion.core.errors import InvalidRequest
from ganglion.core.trust_errors import ProposalRefused
from ganglion.trust.ceremony import proposal
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.ceremony.proposal import Proposal, ProposalState, state_of
from unit.trust.ceremonies import Hub, begun, in_production, keyid, signed_by, signer, terms


def documents_of(proposed: Proposal) -> dict[str, bytes]:
    return {role: document.to_bytes() for role, document in proposed.documents()}


def test_a_proposal_survives_its_way_through_files() -> None:
    hub = Hub("digits")
    proposed = signed_by(begun(hub), "ada")

    again = proposal.read(hub.present(), documents_of(proposed))

    assert documents_of(again) == documents_of(proposed)
    assert again.needs() == proposed.needs()


def test_a_ceremony_passes_through_its_states() -> None:
    hub = Hub("digits")

    states = [
        state_of(Proposal(hub.present())),
        state_of(begun(hub)),
        state_of(signed_by(begun(hub), "ada")),
        state_of(signed_by(begun(hub), "ada", "cy")),
        state_of(signed_by(begun(hub), "ada", "cy", "publisher")),
    ]

    assert states == [
        ProposalState.EMPTY,
        ProposalState.PROPOSED,
        ProposalState.SIGNED_IN_PART,
        ProposalState.SIGNED_IN_PART,
        ProposalState.READY,
    ]


def test_a_change_after_a_signature_takes_the_signature_away() -> None:
    signed = signed_by(begun(Hub()), "ada", "bo")

    changed = ceremony.renew(signed, ["root"], terms())

    assert state_of(changed) is not ProposalState.READY


def test_the_hub_signs_for_the_old_root_only_in_development_mode() -> None:
    hub = in_production()
    rotated = ceremony.rotate(Proposal(hub.present()), "root", keyid("cy"), signer("di").public_key, terms())

    first = [need.by_hub for need in begun(Hub()).needs()]
    later = [need.by_hub for need in rotated.needs()]

    assert first == [True, False, False]
    assert later == [False, False]


def test_one_key_counts_once_however_often_it_signs() -> None:
    proposed = signed_by(begun(Hub()), "ada")

    with pytest.raises(InvalidRequest, match="has signed all"):
        proposal.sign(proposed, signer("ada"))

    assert max(need.missing for need in proposed.needs()) == 1


def test_a_key_without_a_role_signs_nothing() -> None:
    with pytest.raises(InvalidRequest, match="no role"):
        proposal.sign(begun(Hub()), signer("mallory"))


def test_signing_leaves_the_proposal_it_was_given_alone() -> None:
    proposed = begun(Hub())

    signed_by(proposed, "ada")

    assert proposed.root is not None
    assert not proposed.root.signatures


def test_a_leaving_root_key_may_still_sign_its_own_replacement() -> None:
    hub = in_production()
    proposed = ceremony.rotate(Proposal(hub.present()), "root", keyid("cy"), signer("di").public_key, terms())

    signed = signed_by(proposed, "ada", "cy")

    assert [need.missing for need in signed.needs()] == [0, 1]


@pytest.mark.parametrize(
    ("role", "data"),
    [
        ("root", b""),
        ("root", b"[]"),
        ("targets", Metadata(Root()).to_bytes()),
        ("root", Metadata(Targets()).to_bytes()),
        ("timestamp", Metadata(Targets()).to_bytes()),
        ("model-../x", Metadata(Targets()).to_bytes()),
        ("model-", Metadata(Targets()).to_bytes()),
        ("", Metadata(Targets()).to_bytes()),
    ],
)
def test_what_is_no_metadata_of_its_role_is_refused(role: str, data: bytes) -> None:
    with pytest.raises(ProposalRefused):
        proposal.read(Hub().present(), {role: data})


def present_documents(hub: Hub) -> dict[str, bytes]:
    present = hub.present()
    return documents_of(Proposal(present, present.root, present.targets, present.models))


def test_present_metadata_is_taken_as_its_own_root_signed_it() -> None:
    hub = in_production("digits")

    assert proposal.read_present(present_documents(hub)) == hub.present()


@pytest.mark.parametrize("role", ["root", "targets", "model-digits"])
def test_present_metadata_that_somebody_changed_is_refused(role: str) -> None:
    documents = present_documents(in_production("digits"))
    forged = Metadata.from_bytes(documents[role])
    forged.signed.version += 1

    with pytest.raises(ProposalRefused):
        proposal.read_present({**documents, role: forged.to_bytes()})


@pytest.mark.parametrize("role", ["root", "targets", "model-digits"])
def test_present_metadata_with_a_part_left_out_is_refused(role: str) -> None:
    documents = present_documents(in_production("digits"))
    del documents[role]

    with pytest.raises(ProposalRefused):
        proposal.read_present(documents)


def test_holders_may_sign_copies_at_the_same_time() -> None:
    proposed = begun(Hub())

    merged = proposal.merge(signed_by(proposed, "ada"), signed_by(proposed, "cy"))

    assert state_of(merged) is ProposalState.READY
    assert state_of(proposal.merge(merged, signed_by(proposed, "cy"))) is ProposalState.READY


def test_signatures_for_something_else_are_not_added() -> None:
    hub = Hub("digits")
    proposed = begun(hub)

    with pytest.raises(ProposalRefused, match="different things"):
        proposal.merge(proposed, signed_by(begun(hub, threshold=1), "ada"))
    with pytest.raises(ProposalRefused, match="same documents"):
        proposal.merge(proposed, ceremony.renew(Proposal(hub.present()), ["root"], terms()))
