import pytest

from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.core.trust_errors import SignaturesMissing
from ganglion.trust import assignment
from ganglion.trust.ceremony import proposal_words
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.ceremony.proposal import Proposal, keyids_of
from ganglion.trust.ceremony.proposals import OnlineKey
from ganglion.trust.signing import is_offline
from unit.trust.ceremonies import HOLDERS, PATH, Hub, begun, in_production, keyid, signed_by, signer, terms


def online(hub: Hub, role: str) -> OnlineKey:
    name = f"{role}-{hub.root().version + 1}"
    key = hub.signing().public_key(name)
    return OnlineKey(role, name, key, key.keyval["public"])


def online_keys(hub: Hub) -> dict[str, OnlineKey]:
    return {role: online(hub, role) for role in ("snapshot", "timestamp", "assignment")}


def words_of(proposed: Proposal) -> str:
    return "\n".join(proposal_words.changes(proposed))


def test_the_first_ceremony_gives_root_and_targets_to_the_holders_and_models_to_the_publisher() -> None:
    proposed = begun(Hub("digits", "gauges"))

    root, targets = proposed.next_root, proposed.next_targets
    assert is_offline(root)
    for role in ("root", "targets"):
        assert set(keyids_of(root, role)) == {keyid(name) for name in HOLDERS}
        assert root.roles[role].threshold == 2
    assert keyids_of(targets, "model-digits") == keyids_of(targets, "model-gauges") == (keyid("publisher"),)
    assert proposed.next_model("model-digits") is not None


def test_the_first_ceremony_leaves_the_hubs_own_roles_as_they_are() -> None:
    hub = Hub()

    proposed = begun(hub)

    for role in ("snapshot", "timestamp"):
        assert keyids_of(proposed.next_root, role) == keyids_of(hub.root(), role)
    assert assignment.keys_of(proposed.next_root) == assignment.keys_of(hub.root())


@pytest.mark.parametrize(("holders", "threshold"), [(HOLDERS, 4), (HOLDERS, 0), (("ada", "ada"), 2), ((), 1)])
def test_a_threshold_that_the_keys_cannot_meet_is_refused(holders: tuple[str, ...], threshold: int) -> None:
    with pytest.raises(InvalidRequest):
        begun(Hub(), holders=holders, threshold=threshold)


def begun_with_targets(hub: Hub, *names: str, threshold: int) -> Proposal:
    root, targets = ([signer(name).public_key for name in group] for group in (HOLDERS, names))
    publisher = signer("publisher").public_key
    return ceremony.begin(Proposal(hub.present()), root, 2, publisher, terms(), targets=(targets, threshold))


def test_the_list_of_models_can_have_holders_and_a_threshold_of_its_own() -> None:
    hub = Hub("digits")

    proposed = begun_with_targets(hub, "dee", "eve", threshold=1)
    hub.install(signed_by(proposed, "ada", "bo", "eve", "publisher"))

    root = hub.root()
    assert set(keyids_of(root, "targets")) == {keyid("dee"), keyid("eve")}
    assert set(keyids_of(root, "root")) == {keyid(name) for name in HOLDERS}
    assert (root.roles["root"].threshold, root.roles["targets"].threshold) == (2, 1)


def test_the_holders_of_root_alone_do_not_sign_the_list_of_models_of_others() -> None:
    hub = Hub("digits")

    with pytest.raises(SignaturesMissing):
        hub.install(signed_by(begun_with_targets(hub, "dee", "eve", threshold=1), "ada", "bo", "publisher"))


@pytest.mark.parametrize(
    ("names", "threshold"), [(("dee",), 2), (("dee", "dee"), 1), (("dee", "publisher"), 1), (("dee",), 0)]
)
def test_holders_of_the_list_of_models_that_cannot_do_their_work_are_refused(
    names: tuple[str, ...], threshold: int
) -> None:
    with pytest.raises(InvalidRequest, match="targets"):
        begun_with_targets(Hub(), *names, threshold=threshold)


def test_the_daily_key_of_the_publisher_is_no_root_key() -> None:
    with pytest.raises(InvalidRequest, match="publisher"):
        begun(Hub(), holders=("ada", "publisher", "cy"))


def test_the_words_say_what_a_signature_means() -> None:
    words = words_of(begun(Hub("digits")))

    assert "development mode ends" in words
    assert "root: 2 of 3 keys must sign (before: 1)" in words
    assert f"model-digits: key {keyid('publisher')[:12]} is trusted from now on" in words
    assert "model-digits: version 1 becomes 2, good until 2024-02-12, 1 package" in words


def test_rotating_a_root_key_changes_that_key_alone() -> None:
    proposed = ceremony.rotate(
        Proposal(in_production("digits").present()), "root", keyid("cy"), signer("di").public_key, terms()
    )

    assert set(keyids_of(proposed.next_root, "root")) == {keyid("ada"), keyid("bo"), keyid("di")}
    assert set(keyids_of(proposed.next_root, "targets")) == {keyid(name) for name in HOLDERS}
    assert [role for role, _ in proposed.documents()] == ["root"]


def test_rotating_a_targets_key_has_targets_signed_again() -> None:
    proposed = ceremony.rotate(
        Proposal(in_production().present()), "targets", keyid("cy"), signer("di").public_key, terms()
    )

    assert [role for role, _ in proposed.documents()] == ["root", "targets"]


def test_rotating_a_models_key_has_its_packages_signed_again() -> None:
    proposed = ceremony.rotate(
        Proposal(in_production("digits", "gauges").present()), "model-digits", "", signer("di").public_key, terms()
    )

    assert [role for role, _ in proposed.documents()] == ["targets", "model-digits"]
    assert keyids_of(proposed.next_targets, "model-digits") == (keyid("di"),)
    assert keyids_of(proposed.next_targets, "model-gauges") == (keyid("publisher"),)
    delegations = proposed.next_targets.delegations
    assert delegations is not None
    assert set(delegations.keys) == {keyid("di"), keyid("publisher")}


def test_a_key_that_is_replaced_must_be_there_and_its_successor_must_be_new() -> None:
    start = Proposal(in_production().present())

    with pytest.raises(NotFound):
        ceremony.rotate(start, "root", keyid("mallory"), signer("di").public_key, terms())
    with pytest.raises(NotFound):
        ceremony.rotate(start, "model-nothing", "", signer("di").public_key, terms())
    with pytest.raises(Conflict):
        ceremony.rotate(start, "root", keyid("cy"), signer("ada").public_key, terms())


def test_a_revoked_key_is_in_no_role_any_more_and_what_it_signed_is_signed_again() -> None:
    proposed = ceremony.revoke(Proposal(in_production("digits").present()), keyid("cy"), None, {}, terms())

    assert ceremony.roles_with(proposed, keyid("cy")) == []
    assert [role for role, _ in proposed.documents()] == ["root", "targets"]
    assert len(keyids_of(proposed.next_root, "root")) == 2


def test_a_stolen_publishers_key_is_replaced_for_every_model() -> None:
    proposed = ceremony.revoke(
        Proposal(in_production("digits", "gauges").present()), keyid("publisher"), signer("di").public_key, {}, terms()
    )

    assert [role for role, _ in proposed.documents()] == ["targets", "model-digits", "model-gauges"]
    assert ceremony.roles_with(proposed, keyid("publisher")) == []


def test_too_few_keys_are_never_left() -> None:
    hub = in_production("digits")
    two_left = ceremony.revoke(Proposal(hub.present()), keyid("cy"), None, {}, terms())

    with pytest.raises(InvalidRequest, match="replacement"):
        ceremony.revoke(two_left, keyid("bo"), None, {}, terms())
    with pytest.raises(InvalidRequest, match="replacement"):
        ceremony.revoke(Proposal(hub.present()), keyid("publisher"), None, {}, terms())
    with pytest.raises(NotFound):
        ceremony.revoke(Proposal(hub.present()), keyid("mallory"), None, {}, terms())


@pytest.mark.parametrize("role", ["snapshot", "timestamp", "assignment"])
def test_a_stolen_key_of_the_hub_gives_way_to_the_one_that_the_hub_offers(role: str) -> None:
    hub = in_production()
    offered = online_keys(hub)
    root = hub.root()
    stolen = assignment.keys_of(root)[0] if role == "assignment" else keyids_of(root, role)[0]

    proposed = ceremony.revoke(Proposal(hub.present()), stolen, None, offered, terms())

    assert ceremony.roles_with(proposed, stolen) == []
    found = assignment.keys_of(proposed.next_root) if role == "assignment" else keyids_of(proposed.next_root, role)
    assert found in ((offered[role].raw,), (offered[role].key.keyid,))


def test_the_key_that_is_in_force_is_no_rotation() -> None:
    hub = in_production()
    key = hub.signing().public_key("timestamp")

    with pytest.raises(Conflict, match="--new-online-keys"):
        ceremony.rotate_online(
            Proposal(hub.present()), OnlineKey("timestamp", "timestamp", key, key.keyval["public"]), terms()
        )


def test_a_new_model_gets_an_empty_list_of_packages_that_its_key_signs() -> None:
    proposed = ceremony.delegate(
        Proposal(in_production("digits").present()), "gauges", signer("di").public_key, terms()
    )

    model = proposed.next_model("model-gauges")
    assert model is not None
    assert (model.version, model.targets) == (1, {})
    assert keyids_of(proposed.next_targets, "model-gauges") == (keyid("di"),)
    with pytest.raises(Conflict):
        ceremony.delegate(proposed, "digits", signer("di").public_key, terms())


def test_renewing_changes_dates_and_versions_only() -> None:
    hub = in_production("digits")

    proposed = ceremony.renew(Proposal(hub.present()), ["root", "targets", "model-digits"], terms(days=60))

    assert words_of(proposed).splitlines() == [
        "root: version 2 becomes 3, good until 2024-04-12",
        "targets: version 3 becomes 4, good until 2024-04-12",
        "model-digits: version 2 becomes 3, good until 2024-04-12, 1 package",
    ]
    with pytest.raises(NotFound):
        ceremony.renew(Proposal(hub.present()), ["model-nothing"], terms())


def test_a_withdrawn_package_is_vouched_for_no_more() -> None:
    proposed = ceremony.withdraw(Proposal(in_production("digits").present()), PATH, "model-digits", terms())

    assert f"model-digits: no longer vouches for {PATH}" in words_of(proposed)
    with pytest.raises(NotFound):
        ceremony.withdraw(proposed, PATH, "model-digits", terms())


def test_one_proposal_can_hold_several_changes_and_counts_one_version() -> None:
    start = Proposal(in_production("digits").present())
    rotated = ceremony.rotate(start, "root", keyid("cy"), signer("di").public_key, terms())

    both = ceremony.revoke(rotated, keyid("bo"), signer("ed").public_key, {}, terms())

    assert both.next_root.version == start.next_root.version + 1
    assert set(keyids_of(both.next_root, "root")) == {keyid("ada"), keyid("di"), keyid("ed")}
