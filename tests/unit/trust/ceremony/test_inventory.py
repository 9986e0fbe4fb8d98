from ganglion.trust.ceremony import inventory
from unit.trust.ceremonies import HOLDERS, NOW_S, Hub, in_production, keyid


def test_in_development_mode_every_key_is_on_the_hub() -> None:
    hub = Hub("digits")

    roles = inventory.roles_of(hub.edition(), hub.signing())

    names = [role.name for role in roles]
    assert names == ["root", "targets", "snapshot", "timestamp", "assignment", "model-digits"]
    assert all(key.on_hub for role in roles for key in role.keys)


def test_in_production_the_release_keys_are_with_people() -> None:
    hub = in_production("digits")

    roles = {role.name: role for role in inventory.roles_of(hub.edition(), hub.signing())}

    assert {key.key_id for key in roles["root"].keys} == {keyid(name) for name in HOLDERS}
    assert (roles["root"].threshold, roles["targets"].threshold, roles["model-digits"].threshold) == (2, 2, 1)
    on_hub = {name for name, role in roles.items() if any(key.on_hub for key in role.keys)}
    assert on_hub == {"snapshot", "timestamp", "assignment"}


def test_lives_are_90_days_for_people_30_and_7_for_the_hub() -> None:
    hub = in_production("digits")

    roles = inventory.roles_of(hub.edition(), hub.signing())

    days = {role.name: round((role.expires_at_s - NOW_S) / 86_400) for role in roles if role.expires_at_s}
    assert days == {"root": 90, "targets": 90, "model-digits": 90, "snapshot": 30, "timestamp": 7}


def test_what_people_must_sign_is_due_when_a_third_of_its_life_is_left() -> None:
    hub = in_production("digits")

    due = [
        [role.name for role in inventory.roles_of(hub.edition(), hub.signing(days=days)) if role.is_due]
        for days in (0, 61)
    ]

    assert due[0] == []
    assert {"root", "targets", "model-digits"} <= set(due[1])


def test_what_is_past_its_life_is_expired() -> None:
    hub = in_production()

    roles = inventory.roles_of(hub.edition(), hub.signing(days=91))

    assert {role.name for role in roles if role.is_expired} == {"root", "targets", "snapshot", "timestamp"}
