"""What `ports.node_keys` promises, held by files, by the fake, and by a token where a driver is installed."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ganglion.adapters.node_keys import NodeKeyFiles
from ganglion.adapters.node_keys.token import Token, TokenKeys
from ganglion.core.errors import DataCorrupt
from ganglion.core.identity_errors import KeyStoreUnusable
from ganglion.ports.node_keys import NodeKey, NodeKeys
from ganglion.testing.memory_keys import MemoryKeys

_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
MODULE = next((path for path in _MODULES if Path(path).exists()), "")
STORES = ["files", "memory", *(["pkcs11"] if MODULE else [])]
PIN = "73519"


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make an empty token, and return its label. The driver looks for tokens once in a process."""
    directory = tmp_path_factory.mktemp("softhsm")
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {directory}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    command = ["softhsm2-util", "--init-token", "--free", "--label", "node", "--pin", PIN, "--so-pin", PIN]
    subprocess.run(command, check=True, capture_output=True)
    return "node"


def token_keys(directory: Path, *, label: str = "node", pin: str = PIN, module: str = MODULE) -> TokenKeys:
    """Open a token; each directory has its own key there."""
    token = Token(module=Path(module), label=label, pin=pin, key_label=directory.name)
    return TokenKeys(token, lock=directory / "lock")


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], NodeKeys]:
    """Open the same store again and again."""
    if request.param == "memory":
        memory = MemoryKeys()
        return lambda: memory
    if request.param == "files":
        return lambda: NodeKeyFiles(tmp_path / "keys")
    request.getfixturevalue("token")
    return lambda: token_keys(tmp_path)


def is_signed_by(key: NodeKey) -> bool:
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public_key)).verify(key.sign(b"data"), b"data")
    return True


def test_a_key_signs_and_stays_when_the_store_is_opened_again(store: Callable[[], NodeKeys]) -> None:
    key = store().begin()

    assert is_signed_by(key)
    assert store().begin().public_key == store().current().public_key == key.public_key


def test_the_next_key_is_another_and_stays_until_it_is_adopted(store: Callable[[], NodeKeys]) -> None:
    first = store().begin().public_key
    assert store().upcoming() is None

    upcoming = store().prepare()

    assert is_signed_by(upcoming)
    kept = store().upcoming()
    assert kept is not None
    assert kept.public_key == store().prepare().public_key == upcoming.public_key != first
    assert store().current().public_key == first


def test_adopting_replaces_the_present_key_once(store: Callable[[], NodeKeys]) -> None:
    store().begin()
    upcoming = store().prepare().public_key

    store().adopt()
    store().adopt()

    assert store().current().public_key == upcoming
    assert store().upcoming() is None
    assert is_signed_by(store().current())
    assert store().prepare().public_key != upcoming


def test_only_one_at_a_time_is_alone(store: Callable[[], NodeKeys]) -> None:
    keys = store()

    with keys.alone():
        keys.begin()
    with keys.alone():
        assert is_signed_by(keys.current())


def test_a_key_file_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    keys = NodeKeyFiles(tmp_path / "keys")
    keys.begin()
    (tmp_path / "keys" / "node.key").unlink()

    with pytest.raises(DataCorrupt, match="is missing"):
        keys.current()


def test_key_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    keys = NodeKeyFiles(tmp_path / "keys")
    keys.begin()
    keys.prepare()

    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "keys").glob("*.key")}

    assert modes == {"node.key": 0o600, "next.key": 0o600}


WRONG = [{"module": "/nowhere.so"}, *([{"pin": "00000"}, {"label": "nobody"}] if MODULE else [])]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_token_that_cannot_be_opened_is_named_without_its_pin(
    wrong: dict[str, str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if MODULE:
        request.getfixturevalue("token")

    with pytest.raises(KeyStoreUnusable) as caught:
        token_keys(tmp_path, **wrong).begin()

    assert wrong.get("label", "node") in caught.value.message
    assert wrong.get("pin", PIN) not in caught.value.message
