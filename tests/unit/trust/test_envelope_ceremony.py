"""The envelope is proposed, signed and installed like a model's role, with a key that no hub needs."""

from collections.abc import Callable

import pytest
from tuf.api.metadata import TargetFile, Targets

from ganglion.core.errors import Conflict, InvalidRequest
from ganglion.core.trust_errors import ProposalRefused, SignaturesMissing
from ganglion.trust import envelope, repository
from ganglion.trust.ceremony import proposal, proposal_words
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.ceremony.proposal import Proposal, keyids_of
from ganglion.trust.envelope import Envelope, Limits
from unit.trust.ceremonies import HOLDERS, Hub, in_production, keyid, package, signed_by, signer, terms

ONE, TWO = Envelope(limits=Limits(commands_max=1)), Envelope(limits=Limits(commands_max=2))


def limited(hub: Hub, document: Envelope = ONE, *, key: str | None = "warden") -> Proposal:
    new = signer(key).public_key if key else None
    return ceremony.limit(Proposal(hub.present()), document, new, terms())


def with_envelope(*models: str) -> Hub:
    hub = in_production(*models)
    hub.install(signed_by(limited(hub), "ada", "bo", "warden"))
    return hub


def document_on(hub: Hub) -> bytes:
    return envelope.document_in(hub.edition().model(envelope.ROLE).signed)


def test_the_holders_name_the_envelopes_key_and_that_key_signs_the_document() -> None:
    hub = in_production("digits")

    with pytest.raises(SignaturesMissing):
        hub.install(signed_by(limited(hub), "ada", "bo"))
    with pytest.raises(SignaturesMissing):
        hub.install(signed_by(limited(hub), "ada", "warden"))
    hub.install(signed_by(limited(hub), "ada", "bo", "warden"))

    assert document_on(hub) == envelope.encode(ONE)


def test_the_next_envelope_needs_its_own_key_alone() -> None:
    hub = with_envelope("digits")

    with pytest.raises(InvalidRequest):
        signed_by(limited(hub, TWO, key=None), "ada")
    hub.install(signed_by(limited(hub, TWO, key=None), "warden"))

    assert document_on(hub) == envelope.encode(TWO)
    assert hub.edition().model(envelope.ROLE).signed.version == 2


def test_a_first_envelope_without_a_key_and_one_that_says_the_same_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="name the key"):
        limited(in_production(), key=None)
    with pytest.raises(Conflict, match="already"):
        limited(with_envelope(), ONE, key=None)


@pytest.mark.parametrize("name", HOLDERS)
def test_the_envelopes_key_is_none_of_the_holders_keys(name: str) -> None:
    with pytest.raises(InvalidRequest, match="must not be"):
        limited(in_production(), key=name)


def test_the_envelopes_key_is_none_of_the_hubs_own() -> None:
    hub = in_production()
    online = hub.signing().public_key("timestamp")

    with pytest.raises(InvalidRequest, match="must not be"):
        ceremony.limit(Proposal(hub.present()), ONE, online, terms())


def test_an_older_envelope_is_not_installed_again() -> None:
    hub = with_envelope()
    old = signed_by(limited(hub, TWO, key=None), "warden")
    hub.install(old)

    with pytest.raises(ProposalRefused, match="version"):
        hub.install(Proposal(hub.present(), models=old.models))


def test_the_first_ceremony_leaves_an_envelope_with_its_key() -> None:
    hub = Hub("digits")
    hub.install(signed_by(limited(hub), "warden"))
    keys = [signer(name).public_key for name in HOLDERS]

    begun = ceremony.begin(Proposal(hub.present()), keys, 2, signer("publisher").public_key, terms())

    assert keyids_of(begun.next_targets, envelope.ROLE) == (keyid("warden"),)
    assert keyids_of(begun.next_targets, "model-digits") == (keyid("publisher"),)


def test_a_lost_key_of_the_envelope_is_replaced_by_the_holders() -> None:
    hub = with_envelope()

    replaced = ceremony.revoke(Proposal(hub.present()), keyid("warden"), signer("next").public_key, {}, terms())
    hub.install(signed_by(replaced, "ada", "bo", "next"))

    assert keyids_of(hub.edition().targets.signed, envelope.ROLE) == (keyid("next"),)
    assert document_on(hub) == envelope.encode(ONE)


def test_releases_go_on_beside_an_envelope() -> None:
    hub = Hub("digits")
    hub.install(signed_by(limited(hub), "warden"))

    hub.take(repository.publish(hub.edition(), package("models/digits/2/fp32.ganglion"), hub.signing()))
    hub.take(repository.renew(hub.edition(), hub.signing(days=70)))

    assert document_on(hub) == envelope.encode(ONE)


def with_a_package(targets: Targets) -> None:
    path = "models/digits/9/fp32.ganglion"
    targets.targets[path] = TargetFile(1, {"sha256": "0" * 64}, path)


def with_an_unreadable_document(targets: Targets) -> None:
    entry = targets.targets[envelope.PATH]
    entry.unrecognized_fields["custom"]["document"] = '{"limits": {"everything": true}}'


@pytest.mark.parametrize("change", [with_a_package, with_an_unreadable_document])
def test_an_envelope_that_nodes_could_not_read_is_not_installed(change: Callable[[Targets], None]) -> None:
    hub = with_envelope("digits")
    proposed = limited(hub, TWO, key=None)
    change(proposed.models[envelope.ROLE].signed)

    with pytest.raises(ProposalRefused):
        hub.install(signed_by(proposed, "warden"))


def test_no_targets_may_forget_the_envelope() -> None:
    hub = with_envelope("digits")
    renewed = ceremony.renew(Proposal(hub.present()), ["targets"], terms())
    delegations = renewed.next_targets.delegations
    assert delegations is not None
    assert delegations.roles is not None
    del delegations.roles[envelope.ROLE]

    with pytest.raises(ProposalRefused, match="forget envelope"):
        hub.install(signed_by(renewed, "ada", "bo"))


def test_who_signs_reads_what_the_envelope_changes() -> None:
    told = "\n".join(proposal_words.changes(limited(with_envelope(), TWO, key=None)))

    assert "envelope: version 1 becomes 2" in told
    assert "limits.commands_max = 2 (before: 1)" in told


def test_a_proposal_of_an_envelope_survives_its_files() -> None:
    hub = with_envelope()
    proposed = signed_by(limited(hub, TWO, key=None), "warden")
    documents = {role: document.to_bytes() for role, document in proposed.documents()}

    assert proposal.read(hub.present(), documents).is_complete()
