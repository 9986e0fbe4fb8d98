"""The page "How to hold the keys", executed: what it says to type takes the keys of a running hub off it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.test_readme import write_somebodys_model
from ganglion.entrypoints.settings.tree import child_environment
from ganglion.testing.processes import HubProcess, free_port
from source_tree import ROOT

pytestmark = pytest.mark.e2e

PAGE = (ROOT / "docs" / "howto" / "hold-the-keys.md").read_text(encoding="utf-8")
CONSOLE = re.compile(r"^\$ (ganglion .*)$", re.MULTILINE)
PASSPHRASE = "correct horse battery"


class Person:
    """Somebody who types what the page says, and answers yes where it asks."""

    def __init__(self, directory: Path, hub: HubProcess) -> None:
        self.directory, self._hub = directory, hub
        (directory / "passphrase").write_text(f"{PASSPHRASE}\n", encoding="utf-8")

    def type(self, line: str) -> str:
        result = self.attempt(line)
        assert result.returncode == 0, f"{line}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def attempt(self, line: str) -> subprocess.CompletedProcess[str]:
        if line.startswith("ganglion trust sign"):
            line += " --yes"
        if "CY_KEY_ID" in line:
            line = line.replace("CY_KEY_ID", json.loads((self.directory / "root-cy.pub").read_bytes())["keyid"][:10])
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.directory,
            env=child_environment()
            | {
                "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
                "XDG_CONFIG_HOME": str(self.directory / "config"),
                "GANGLION_TRUST_PASSPHRASE_FILE": str(self.directory / "passphrase"),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@contextmanager
def a_person(directory: Path) -> Iterator[Person]:
    """Give somebody who has logged in to a hub, and has a model."""
    with HubProcess(directory / "hub", port=free_port()) as hub:
        made = Person(directory, hub)
        made.type(f"ganglion login {hub.url} --token {hub.first_token()} --ca-pin {hub.ca_pin}")
        write_somebodys_model(directory / "gate.onnx")
        made.type("ganglion model build gate.onnx --name gate --version 1 -d ./gate-1 --pack gate-1.ganglion")
        yield made


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Return somebody with a ceremony to which one holder of two has signed."""
    with a_person(tmp_path_factory.mktemp("halfway")) as person:
        for line in CONSOLE.findall(PAGE)[:7]:
            person.type(line)
        yield person


def test_what_the_page_says_takes_the_keys_off_the_hub_and_keeps_it_going(tmp_path: Path) -> None:
    with a_person(tmp_path) as person:
        said = {line: person.type(line) for line in CONSOLE.findall(PAGE)}
        view = json.loads(person.type("ganglion trust status -o json"))

    assert len(said) > 20
    roles = {role["name"]: role for role in view["roles"]}
    holders = {key["name"] for key in roles["root"]["keys"]}
    assert view["mode"] == "production"
    assert holders == {"root-ada", "root-bo", "root-dee"}
    assert [key["name"] for key in roles["model-gate"]["keys"]] == ["publisher"]
    on_disk = {file.stem for file in (tmp_path / "hub" / "keys").iterdir()}
    assert {name.partition("-")[0] for name in on_disk} == {"snapshot", "timestamp", "assignment", "audit"}
    assert not {"root", "targets", "model-gate", "snapshot", "timestamp", "assignment"} & on_disk


def test_no_private_key_lies_in_the_directory_that_travels(halfway: Person) -> None:
    key = halfway.directory / "root-ada"

    travelling = [file for file in (halfway.directory / "ceremony").rglob("*") if file.is_file()]

    assert travelling
    assert not [file for file in travelling if b"PRIVATE KEY" in file.read_bytes()]
    assert b"ENCRYPTED PRIVATE KEY" in key.read_bytes()
    assert key.stat().st_mode & 0o077 == 0


def test_what_cannot_be_done_is_said_in_a_line(halfway: Person) -> None:
    (halfway.directory / "wrong").write_text("another passphrase\n", encoding="utf-8")
    (halfway.directory / "noise").write_bytes(b"\x00" * 100)

    attempts = {
        "ganglion trust publish ceremony": "root lacks 1 signature",
        "ganglion trust sign ceremony --key root-ada": "has signed all",
        "ganglion trust sign ceremony --key publisher": "no role",
        "ganglion trust sign ceremony --key nothing": "cannot be read",
        "ganglion trust sign ceremony --key noise": "does not open",
        "GANGLION_TRUST_PASSPHRASE_FILE=wrong ganglion trust sign ceremony --yes --key root-bo": "does not open",
        "GANGLION_TRUST_PASSPHRASE_FILE=none ganglion trust sign ceremony --yes --key root-bo": "cannot be read",
        "ganglion trust key root-ada": "never written over",
        "ganglion trust import ceremony nowhere": "holds no ceremony",
        "ganglion trust renew nowhere": "holds no ceremony",
        "ganglion trust revoke ceremony ffffffffffff": "no key begins",
        "ganglion trust rotate ceremony --role root": "give the new key",
        "ganglion trust rotate ceremony --role timestamp": "--new-online-keys",
        "ganglion trust rotate ceremony --role model-none --new root-bo.pub": "there is no role",
        "ganglion trust delegate ceremony ../x --new root-bo.pub": "model",
        "ganglion trust withdraw ceremony models/gate/9/fp32.ganglion": "does not sign",
        "ganglion trust init other --holder root-ada.pub": "--publisher",
        "ganglion trust init other --keys k --holder root-ada.pub": "not both",
        "ganglion trust init ceremony --holder root-ada.pub --holder root-bo.pub --publisher publisher.pub"
        " --targets-holder root-cy.pub": "the number of targets keys",
        "ganglion model publish gate-1.ganglion --key publisher": "has no role yet",
    }

    for line, words in attempts.items():
        result = halfway.attempt(line)
        assert result.returncode != 0, line
        assert words in result.stderr, f"{line}\n{result.stderr}"
        assert "Traceback" not in result.stderr, line
    assert json.loads(halfway.type("ganglion trust status -o json"))["mode"] == "development"
