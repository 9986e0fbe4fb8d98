"""What tests of real processes share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.serve_world import Serve, StartServe


@pytest.fixture
def start() -> Iterator[StartServe]:
    """Return a way to start `ganglion serve` that ends with the test."""
    running: list[Serve] = []

    def begin(path: Path, *options: str) -> Serve:
        running.append(Serve.start(path, *options))
        return running[-1]

    yield begin
    for serve in running:
        serve.kill()
