"""What serving needs from an inference runtime.

A model file may hold state: an LSTM whose cells live in the file and change with every call. An engine is loaded
**without memory**: each `infer` begins from the state in the file, so that no client sees what another one asked.
Whoever wants a row of calls to build on each other opens an engine of its own for it with `open_sequence`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from ganglion.core.engine_options import EngineOptions, Provider, RuntimeName
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import Tensors

DEFAULT_OPTIONS = EngineOptions()
Unloaded: TypeAlias = Callable[[], None]
"""Called by an engine that was loaded, after its memory was freed."""


def ignore_unload() -> None:
    """Take no notice that an engine is gone."""


class CanInfer(Protocol):
    """The one thing that evaluation needs of an engine."""

    def infer(self, feeds: Tensors) -> Tensors:
        """Return every output of the model by name, in memory that the caller may keep.

        Raises: InvalidRequest: the model does not take these tensors. ModelFailed: the runtime failed on them.
        After either the engine answers the next call as if nothing had happened.
        """
        ...


class Engine(CanInfer, Protocol):
    """One loaded model file. Its memory comes back when the last reference to it goes.

    `infer` may be called from any thread at any time.
    """

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What the file takes, without any pipeline step; a size that it leaves open is -1."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def provider(self) -> Provider:
        """What it runs on: the first of the wanted providers that the machine has."""
        ...

    @property
    def is_parallel(self) -> bool:
        """Whether two calls of `infer` at once run side by side; otherwise the second one waits for the first."""
        ...

    @property
    def is_stateful(self) -> bool:
        """Whether the file holds state that a call changes."""
        ...

    def open_sequence(self) -> "Engine":
        """Return an engine of the same file that remembers: each `infer` goes on from the one before.

        A stateless engine returns itself. Raises: InvalidPackage: the file is not there any more.
        """
        ...

    def reset(self) -> None:
        """Go back to the state in the file. Only the engine of a sequence has anything to forget."""
        ...


class Runtime(Protocol):
    """A way to run model files."""

    name: RuntimeName

    def load(self, path: Path, *, threads: int, options: EngineOptions = DEFAULT_OPTIONS) -> Engine:
        """Load a model file; `threads` counts when the options leave theirs open.

        Raises: InvalidPackage: the runtime cannot run it. TargetMismatch: the machine has none of the providers.
        """
        ...


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a model file says of itself."""

    runtime: RuntimeName
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    is_stateful: bool
