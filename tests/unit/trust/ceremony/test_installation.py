import dataclasses

import pytest
from tuf.api.metadata import Metadata, Targets

from ganglion.core.trust_errors import KeyMismatch, ProposalRefused, SignaturesMissing
from ganglion.trust import assignment, repository
from ganglion.trust.ceremony import installation
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.ceremony.proposal import Proposal
from ganglion.trust.ceremony.proposals import OnlineKey
from ganglion.trust.signing import is_offline
from unit.trust.ceremonies import PATH, Hub, begun, in_production, keyid, package, signed_by, signer, terms

SECOND = "models/digits/2/fp32.ganglion"


def renewal(hub: Hub, *names: str) -> Proposal:
    roles = ["root", "targets", *hub.present().models]
    return signed_by(ceremony.renew(Proposal(hub.present()), roles, terms()), *names)


def test_the_first_ceremony_ends_development_mode() -> None:
    hub = Hub("digits")

    hub.install(signed_by(begun(hub), "ada", "bo", "publisher"))

    assert is_offline(hub.root())
    assert hub.edition().targets.signed.version == 3
    assert repository.is_sealed(hub.edition())


def test_the_root_is_written_first_and_the_timestamp_last() -> None:
    hub = Hub("digits")

    files = installation.install(hub.edition(), signed_by(begun(hub), "ada", "bo", "publisher"), hub.signing())

    names = [file.name for file in files]
    assert (names[0], names[-2:]) == ("2.root.json", ["3.snapshot.json", "timestamp.json"])


def test_targets_are_good_on_either_side_of_the_first_ceremony() -> None:
    hub = Hub()
    before = hub.root()

    hub.install(signed_by(begun(hub), "ada", "bo"))

    targets = hub.edition().targets
    before.verify_delegate("targets", targets.signed_bytes, targets.signatures)
    hub.root().verify_delegate("targets", targets.signed_bytes, targets.signatures)


@pytest.mark.parametrize("names", [(), ("ada",), ("publisher",), ("ada", "publisher")])
def test_less_than_the_threshold_changes_nothing(names: tuple[str, ...]) -> None:
    hub = in_production("digits")

    with pytest.raises(SignaturesMissing):
        hub.install(renewal(hub, *names))


def test_two_of_three_and_the_publisher_can_renew_everything() -> None:
    hub = in_production("digits")

    hub.install(renewal(hub, "bo", "cy", "publisher"))

    assert hub.root().version == 3
    assert hub.edition().model("model-digits").signed.version == 3


def test_a_new_root_needs_the_signatures_of_the_old_one_too() -> None:
    hub = in_production()
    strangers = [signer(name).public_key for name in ("di", "ed")]
    taken_over = ceremony.begin(Proposal(hub.present()), strangers, 2, signer("fay").public_key, terms())

    with pytest.raises(SignaturesMissing, match="root 2 demands"):
        hub.install(signed_by(taken_over, "di", "ed"))


def test_a_proposal_for_something_older_is_refused() -> None:
    hub = in_production()
    late = renewal(hub, "ada", "bo")
    hub.install(late)

    with pytest.raises(ProposalRefused, match="waits for version"):
        hub.install(late)


def test_an_expired_or_empty_proposal_is_refused() -> None:
    hub = in_production()

    with pytest.raises(ProposalRefused, match="expired"):
        hub.install(renewal(hub, "ada", "bo"), days=91)
    with pytest.raises(ProposalRefused, match="empty"):
        hub.install(Proposal(hub.present()))


@pytest.mark.parametrize("role", ["snapshot", "timestamp"])
def test_a_root_that_names_a_foreign_key_for_the_hubs_own_role_is_refused(role: str) -> None:
    hub = in_production()
    key = signer("mallory").public_key
    foreign = ceremony.rotate_online(
        Proposal(hub.present()), OnlineKey(role, f"{role}-3", key, key.keyval["public"]), terms()
    )

    with pytest.raises(ProposalRefused, match="does not hold"):
        hub.install(signed_by(foreign, "ada", "bo"))


def test_a_root_that_names_a_foreign_key_for_assignments_is_refused() -> None:
    hub = in_production()
    proposed = ceremony.renew(Proposal(hub.present()), ["root"], terms())
    assignment.name_keys(proposed.next_root, ("ab" * 32,))

    with pytest.raises(ProposalRefused, match="assignments"):
        hub.install(signed_by(proposed, "ada", "bo"))


def test_new_targets_keys_need_targets_that_they_signed() -> None:
    hub = in_production()
    rotated = ceremony.rotate(Proposal(hub.present()), "targets", keyid("ada"), signer("di").public_key, terms())
    rotated = ceremony.rotate(rotated, "targets", keyid("bo"), signer("ed").public_key, terms())
    root_alone = signed_by(dataclasses.replace(rotated, targets=None), "ada", "bo")

    with pytest.raises(ProposalRefused, match="propose them too"):
        hub.install(root_alone)


def test_packages_that_only_a_revoked_key_signed_are_never_put_in_force() -> None:
    hub = in_production("digits")
    revoked = ceremony.revoke(Proposal(hub.present()), keyid("publisher"), signer("di").public_key, {}, terms())
    without_packages = dataclasses.replace(revoked, models={})

    with pytest.raises(ProposalRefused, match="model-digits is not signed"):
        hub.install(signed_by(without_packages, "ada", "bo"))
    with pytest.raises(SignaturesMissing, match="model-digits"):
        hub.install(signed_by(revoked, "ada", "bo"))

    hub.install(signed_by(revoked, "ada", "bo", "di"))
    assert PATH in hub.edition().model("model-digits").signed.targets


def test_a_ceremony_cannot_smuggle_in_a_package() -> None:
    hub = in_production("digits")
    proposed = ceremony.renew(Proposal(hub.present()), ["model-digits"], terms())
    proposed.models["model-digits"].signed.targets[SECOND] = repository.target_file(package(SECOND))

    with pytest.raises(ProposalRefused, match="was not published"):
        hub.install(signed_by(proposed, "publisher"))


def test_a_model_cannot_be_forgotten() -> None:
    hub = in_production("digits")
    proposed = ceremony.renew(Proposal(hub.present()), ["targets"], terms())
    delegations = proposed.next_targets.delegations
    assert delegations is not None
    assert delegations.roles is not None
    delegations.roles.clear()

    with pytest.raises(ProposalRefused, match="forget model-digits"):
        hub.install(signed_by(proposed, "ada", "bo"))


@pytest.mark.parametrize("paths", [["*"], ["models/gauges/*/*"], ["models/digits/*/*", "models/gauges/*/*"]])
def test_a_role_gets_the_packages_of_its_model_alone(paths: list[str]) -> None:
    hub = in_production("digits")
    proposed = ceremony.renew(Proposal(hub.present()), ["targets"], terms())
    delegations = proposed.next_targets.delegations
    assert delegations is not None
    assert delegations.roles is not None
    delegations.roles["model-digits"].paths = paths

    with pytest.raises(ProposalRefused, match="may sign more"):
        hub.install(signed_by(proposed, "ada", "bo"))


def offer(hub: Hub, path: str, name: str) -> Metadata[Targets]:
    model = hub.edition().model("model-digits").signed
    signed = Metadata(repository.with_package(model, package(path), terms()))
    signed.sign(signer(name))
    return signed


def test_a_publisher_releases_with_a_key_that_the_hub_never_sees() -> None:
    hub = in_production("digits")

    hub.take(installation.install_model(hub.edition(), "model-digits", offer(hub, SECOND, "publisher"), hub.signing()))

    assert SECOND in hub.edition().model("model-digits").signed.targets
    assert hub.keys.held_bytes("model-digits") is None


def test_another_key_cannot_release() -> None:
    hub = in_production("digits")

    with pytest.raises(SignaturesMissing):
        installation.install_model(hub.edition(), "model-digits", offer(hub, SECOND, "mallory"), hub.signing())


def test_a_publisher_cannot_name_a_package_of_another_model() -> None:
    hub = in_production("digits")

    with pytest.raises(ProposalRefused, match="another model"):
        installation.install_model(
            hub.edition(), "model-digits", offer(hub, "models/gauges/1/fp32.ganglion", "publisher"), hub.signing()
        )


def test_the_hub_itself_can_release_nothing_in_production() -> None:
    hub = in_production("digits")

    for path in (SECOND, "models/gauges/1/fp32.ganglion"):
        with pytest.raises(SignaturesMissing):
            repository.publish(hub.edition(), package(path), hub.signing())


def test_in_production_the_hub_renews_its_own_roles_and_leaves_the_others_alone() -> None:
    hub = in_production("digits")

    hub.take(repository.renew(hub.edition(), hub.signing(days=70)))

    now = hub.edition()
    assert (now.root.signed.version, now.targets.signed.version) == (2, 3)
    assert (now.snapshot.signed.version, now.timestamp.signed.version) == (4, 4)


def test_recovery_without_the_roots_keys_is_refused_and_not_half_done() -> None:
    hub = in_production()

    with pytest.raises(KeyMismatch):
        repository.recover(hub.edition(), hub.signing())


def test_in_development_mode_the_hub_alone_exchanges_its_own_keys() -> None:
    hub = Hub("digits")
    key = hub.signing().public_key("timestamp-2")
    offered = OnlineKey("timestamp", "timestamp-2", key, key.keyval["public"])

    proposed = ceremony.rotate_online(Proposal(hub.present()), offered, terms())

    assert proposed.is_complete()
    hub.install(proposed)
    assert hub.root().roles["timestamp"].keyids == [key.keyid]
    assert not is_offline(hub.root())


def test_in_development_mode_one_model_may_have_its_publisher_elsewhere() -> None:
    hub = Hub("digits")
    rotated = ceremony.rotate(Proposal(hub.present()), "model-digits", "", signer("publisher").public_key, terms())

    hub.install(signed_by(rotated, "publisher"))

    with pytest.raises(SignaturesMissing):
        repository.publish(hub.edition(), package(SECOND), hub.signing())
    assert repository.publish(hub.edition(), package("models/gauges/1/fp32.ganglion"), hub.signing())
    hub.take(repository.renew(hub.edition(), hub.signing(days=61)))
    assert hub.edition().targets.signed.version > 2


def test_half_a_ceremony_cannot_leave_a_hub_that_does_not_start_again() -> None:
    hub = Hub()
    old = hub.root().roles["root"].keyids[0]
    rotated = ceremony.rotate(Proposal(hub.present()), "root", old, signer("ada").public_key, terms())

    with pytest.raises(ProposalRefused, match="trust init"):
        hub.install(signed_by(rotated, "ada"))


def test_metadata_made_under_a_clock_that_is_years_ahead_is_refused() -> None:
    hub = in_production()
    ahead = ceremony.renew(Proposal(hub.present()), ["root"], terms(days=3650))

    with pytest.raises(ProposalRefused, match="clock"):
        hub.install(signed_by(ahead, "ada", "bo"))
