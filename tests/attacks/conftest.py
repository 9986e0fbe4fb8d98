"""What every attack begins with: a hub that signs, a way to it that is not to be trusted, and a node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks.hostile_hub import Hub, Node, hostile_hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with hostile_hub(tmp_path / "tls") as running:
        yield running


@pytest.fixture
def node(hub: Hub, tmp_path: Path) -> Node:
    return Node(hub, tmp_path / "node")
