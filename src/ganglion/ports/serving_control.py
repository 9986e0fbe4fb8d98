"""What the agent asks of the serving process, over a local socket, and the file that serving starts from."""

from typing import Protocol, TypeAlias

import msgspec

from ganglion.core.behaviour import Behaviour
from ganglion.wire.desired import CollectionSettings


class _Command(msgspec.Struct, frozen=True, tag_field="do"):
    pass


class Load(_Command, frozen=True, tag="load"):
    """Load and warm a version from an unpacked package directory, beside what is loaded already."""

    model: str
    version: str
    path: str


class Prove(_Command, frozen=True, tag="prove"):
    """Run the golden inputs of a loaded version on this engine."""

    model: str
    version: str


class Switch(_Command, frozen=True, tag="switch"):
    """Let a loaded version answer from now on; start its counts at zero.

    With `compare_with`, that loaded version also answers a share of requests after the client has its answer.
    """

    model: str
    version: str
    compare_with: str = ""
    compare_share: float = 0.0
    beside: tuple[str, ...] = ()
    """Other loaded versions that answer whoever asks for them by name. All others do not: they may not be proven."""
    weights: dict[str, float] = {}
    """Shares of the requests that ask for no version, by version; those named here answer by name, too.

    Without weights all such requests go to `version`.
    """


class Unload(_Command, frozen=True, tag="unload"):
    """Drop a version after its requests in flight. Unloading the active version leaves the model without one."""

    model: str
    version: str


class Collect(_Command, frozen=True, tag="collect"):
    """Keep samples by these settings from now on."""

    settings: CollectionSettings
    requested: int = 0
    """Inputs that somebody asked for: so many of the next ones are kept, whatever the settings choose."""


class Status(_Command, frozen=True, tag="status"):
    """Tell what is loaded and how it behaves."""


Command: TypeAlias = Load | Prove | Switch | Unload | Collect | Status


class _Reply(msgspec.Struct, frozen=True, tag_field="reply"):
    pass


class Done(_Reply, frozen=True, tag="done"):
    """The command was carried out; doing it again changes nothing."""


class Refused(_Reply, frozen=True, tag="refused"):
    """The command failed with this error (see docs/reference/errors.md)."""

    code: str
    message: str


class Proof(_Reply, frozen=True, tag="proof"):
    """The outcome of `Prove`."""

    passed: bool
    deviation_max: float
    reason: str = ""


class ModelServing(msgspec.Struct, frozen=True):
    """One model in the serving process. `behaviour` counts since each version's last switch."""

    active: str
    loaded: tuple[str, ...]
    behaviour: dict[str, Behaviour]
    beside: tuple[str, ...] = ()
    """Versions that answer by name, apart from the active one."""
    weights: dict[str, float] = {}
    """How versions share the requests that ask for none; empty when the active one answers them all."""


class ServingStatus(_Reply, frozen=True, tag="status"):
    """`instance` changes with every start of the process: what was loaded before is gone."""

    instance: str
    models: dict[str, ModelServing]


Reply: TypeAlias = Done | Refused | Proof | ServingStatus


class ServingControl(Protocol):
    """A line to the serving process."""

    async def call(self, command: Command, *, timeout_s: float) -> Reply:
        """Carry out one command. Raises: ServingUnreachable."""
        ...


class ActiveModel(msgspec.Struct, frozen=True):
    """A committed version, where its unpacked package lies, and the digest of the package it came from."""

    version: str
    path: str
    sha256: str = ""
    """Serving does not need it; an agent whose database was lost knows by it what is committed."""
    offline_s_max: int = 0
    """Likewise: how long it may be served without contact with the hub; 0: for ever."""
    spare: "ActiveModel | None" = None
    """The version before it, for a start at which this one cannot be loaded and no agent is there to say what else."""


class ActiveModels(msgspec.Struct, frozen=True):
    """What serving loads when it starts: committed versions only. The agent replaces the file in one step."""

    models: dict[str, ActiveModel] = {}
    collection: CollectionSettings = CollectionSettings()
