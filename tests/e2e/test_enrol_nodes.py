"""The page "How to enrol nodes", executed: what it says to type enrols nodes, changes keys and lets clients in."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganglion.entrypoints.settings.tree import child_environment
from ganglion.testing.processes import HubProcess, free_port
from source_tree import ROOT

pytestmark = pytest.mark.e2e

PAGE = (ROOT / "docs" / "howto" / "enrol-nodes.md").read_text(encoding="utf-8")
CONSOLE = re.compile(r"^\$ (ganglion .*)$", re.MULTILINE)
CSV = re.compile(r"```csv\n(.*?)```", re.DOTALL)
CONFLICT = 5


class Person:
    """Somebody who types what the page says, with the token that they were given."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory, self._url, self._token = directory, url, ""

    def type(self, line: str) -> subprocess.CompletedProcess[str]:
        words = line.replace("https://hub.example:8443", self._url).replace(" TOKEN ", f" {self._token} ")
        if line.startswith("ganglion node token "):
            words += " -o json"
        result = subprocess.run(
            ["bash", "-c", words],
            cwd=self._directory,
            env=child_environment()
            | {
                "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
                "XDG_CONFIG_HOME": str(self._directory / "config"),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if line.startswith("ganglion node token "):
            self._token = json.loads(result.stdout)["token"]
        if line.startswith("ganglion node tokens "):
            (self._directory / "stick").mkdir()
            (self._directory / "ganglion-join.jsonl").rename(self._directory / "stick" / "ganglion-join.jsonl")
        return result


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    with HubProcess(tmp_path / "hub", port=free_port()) as hub:
        made = Person(tmp_path, hub.url)
        (tmp_path / "names.csv").write_text(CSV.findall(PAGE)[0], encoding="utf-8")
        login = made.type(f"ganglion login {hub.url} --token {hub.first_token()} --ca-pin {hub.ca_pin}")
        assert login.returncode == 0, login.stderr
        yield made


def test_every_command_of_the_page_does_what_it_says(person: Person, tmp_path: Path) -> None:
    # The first two are typed again below, in the order of the page; nodes that run for ever are not waited for.
    lines = [line for line in CONSOLE.findall(PAGE) if " node run " not in line]
    assert len(lines) > 10

    outcomes = {line: person.type(line) for line in lines[:5]}
    join_third = "ganglion node join --from ./stick --data ./gate-3"
    outcomes |= {line: person.type(line) for line in (join_third, *lines[5:])}

    expected = {line: CONFLICT if " admit " in line else 0 for line in outcomes}
    assert {line: result.returncode for line, result in outcomes.items()} == expected, [
        result.stderr for line, result in outcomes.items() if result.returncode != expected[line]
    ]
    states = {view["name"]: view["state"] for view in json.loads(person.type("ganglion node list -o json").stdout)}
    assert states == {"gate-1": "pending", "gate-2": "active", "gate-3": "revoked"}
    assert not (tmp_path / "stick" / "ganglion-join.jsonl").exists()
    assert "is not in quarantine" in outcomes["ganglion node admit gate-1"].stderr
