"""What serving needs from an inference runtime."""

from pathlib import Path
from typing import Protocol

from ganglion.core.steps import Tensors


class Engine(Protocol):
    """One loaded model file."""

    def infer(self, feeds: Tensors) -> Tensors:
        """Return every output of the model by name. Raises: Broken: the runtime failed."""
        ...


class Runtime(Protocol):
    """A way to run model files."""

    name: str

    def load(self, path: Path, *, threads: int) -> Engine:
        """Load a model file. Raises: InvalidPackage: the runtime cannot run it."""
        ...
