"""Attack 43: what a copy of the hub's data is worth to whoever steals it."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganglion.core.trust_errors import SignaturesMissing
from ganglion.trust import assertion, edition
from integration.trust_world import World, trust_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with trust_world(tmp_path) as made:
        yield made


def contents(directory: Path) -> bytes:
    """Every byte of every file, databases with their logs too."""
    return b"\n".join(file.read_bytes() for file in sorted(directory.rglob("*")) if file.is_file())


def spellings(key: bytes) -> set[bytes]:
    return {key, key.hex().encode(), key.hex().upper().encode(), base64.b64encode(key).rstrip(b"=")}


def test_attack_43_a_copy_of_the_hubs_data_holds_no_key_that_can_sign_a_model(world: World) -> None:
    data = world.directory / "hub"
    world.release("1")
    development = {file.name: file.read_bytes() for file in (data / "keys").iterdir()}
    world.take_keys_off()
    world.release("2", key="publisher")

    copied = contents(data)

    release_keys = {name: key for name, key in development.items() if name.startswith(("root", "targets", "model-"))}
    assert set(release_keys) == {"root.key", "targets.key", "model-digits.key"}
    assert not [name for name, key in release_keys.items() if any(one in copied for one in spellings(key))]

    repository = world.hub.hub.repository
    now = edition.load(repository._files.read)
    delegations = now.targets.signed.delegations
    assert delegations is not None
    offline = {now.root.signed.keys[each].keyval["public"] for each in now.root.signed.roles["root"].keyids}
    offline |= {key.keyval["public"] for key in delegations.keys.values()}
    held = {assertion.public_key_of(file.read_bytes()) for file in (data / "keys").iterdir()}
    assert held
    assert not held & offline


def test_attack_43_whoever_runs_a_copy_of_the_hub_can_release_nothing(world: World) -> None:
    world.release("1")
    world.take_keys_off()

    with pytest.raises(SignaturesMissing):
        world.release("2")


def test_attack_43_a_copy_holds_no_join_token_and_no_accounts_token(world: World) -> None:
    token = world.hub.post("/api/v1/node-tokens", {"name": "second"}).json
    assert isinstance(token, dict)

    copied = contents(world.directory / "hub")

    for secret in (token["token"].partition(".")[0], world.hub.token):
        assert secret.encode() not in copied
