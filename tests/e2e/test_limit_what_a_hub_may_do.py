"""The page "How to limit what a hub may do", executed: a node runs what the limits name, and no more."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.test_hold_the_keys import Person
from ganglion.testing.processes import HubProcess, NodeProcess, free_port, join
from ganglion.testing.waiting import wait_until
from source_tree import ROOT

pytestmark = pytest.mark.e2e

PAGE = (ROOT / "docs" / "howto" / "limit-what-a-hub-may-do.md").read_text(encoding="utf-8")
CONSOLE = re.compile(r"^\$ (ganglion .*)$", re.MULTILINE)
(LIMITS,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FIRST_CEREMONY = (
    *(f"ganglion trust key {name}" for name in ("root-ada", "root-bo", "root-cy", "publisher")),
    "ganglion trust fetch ceremony",
    (
        "ganglion trust init ceremony --holder root-ada.pub --holder root-bo.pub --holder root-cy.pub"
        " --publisher publisher.pub --threshold 2"
    ),
    "ganglion trust sign ceremony --key root-ada",
    "ganglion trust sign ceremony --key root-bo",
    "ganglion trust publish ceremony",
)
SOON_S = 60.0


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    with HubProcess(tmp_path / "hub", port=free_port()) as hub:
        made = Person(tmp_path, hub)
        made.type(f"ganglion login {hub.url} --token {hub.first_token()} --ca-pin {hub.ca_pin}")
        for line in FIRST_CEREMONY:
            made.type(line)
        token = json.loads(made.type("ganglion node token gate-1 --site laboratory -o json"))["token"]
        join(hub.url, token, tmp_path / "node")
        with NodeProcess(tmp_path / "node", port=free_port()) as node:
            node.child("agent")
            yield made


def test_what_the_page_says_limits_a_running_node(person: Person, tmp_path: Path) -> None:
    (tmp_path / "limits.toml").write_text(LIMITS, encoding="utf-8")
    (tmp_path / "wider.toml").write_text(LIMITS.replace("max = 0.1", "max = 0.2"), encoding="utf-8")

    said = {line: person.type(line) for line in CONSOLE.findall(PAGE)}

    assert "/" in said["ganglion node exec gate-1 disk path=/var"]
    assert "random_share.max" in said["ganglion trust limits ceremony"]
    refused = person.attempt("ganglion node exec gate-1 disk path=/etc")
    assert refused.returncode != 0
    assert "path may not be '/etc'" in refused.stderr
    events = json.loads(person.type("ganglion event list --node gate-1 -o json"))
    assert {"envelope.taken", "action.begun", "action.ended"} <= {event["name"] for event in events}

    person.type("ganglion node settings gate-1 --set collection.random_share=0.9")
    shown = wait_until(
        lambda: json.loads(person.type("ganglion node show gate-1 -o json"))["refused"],
        what="the node's refusal",
        timeout_s=SOON_S,
    )
    assert "collection.random_share: 0.9 is above 0.2" in shown
