"""Settings of `ganglion node run`. Apart from agent and serving, so that reading settings imports neither."""

from pathlib import Path
from typing import Annotated

import msgspec

from ganglion.entrypoints.settings.edges import EdgeSettings
from ganglion.node.domain.file_limits import FileLimits
from ganglion.node.domain.sending.egress import EgressSettings
from ganglion.node.domain.shells.limits import ShellLimits
from ganglion.ports.sandbox_limits import SandboxLimits
from ganglion.trust.model_files.limits import ModelFileLimits


class ServingSettings(EdgeSettings, frozen=True, kw_only=True):
    """The serving process: where it listens, and what it accepts."""

    threads: int = 0
    """Threads of each loaded model; 0 leaves one core to the agent."""

    journal_bytes_max: int = 64_000_000
    """Disk use of the journal of records between serving and agent; when full, the lowest classes are shed."""

    memory_bytes_max: int = 0
    """Memory that the process may write to; an allocation beyond it fails. 0: three quarters of the machine's."""


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The agent process: what it keeps for the hub, and how often it speaks."""

    outbox_bytes_max: int = 500_000_000
    """Disk use of records that the hub has not acknowledged; when full, the lowest classes are shed."""

    outbox_class_bytes_max: dict[str, int] = {}
    """Disk use of single classes within that: `event`, `result`, `summary`, `sample`, `audit`."""

    disk_free_bytes_min: int = 200_000_000
    """The outbox does not grow while the disk has less free space than this."""

    batch_records_max: int = 500
    """Records in one batch."""

    batch_bytes_max: int = 4_000_000
    """Size of one batch before compression."""

    sample_inline_bytes_max: Annotated[int, msgspec.Meta(ge=0)] = 65_536
    """A sample whose inputs take more, compressed, is handed over apart, in pieces that a cut line does not undo."""

    flush_s: float = 1.0
    """Longest time that a record waits for others before its batch leaves."""

    egress: EgressSettings = EgressSettings()
    """What the link to the hub may carry, and when."""

    report_s: float = 60.0
    """Time between two reports of a node whose counts change; what matters is reported at once."""

    heartbeat_s: float = 1800.0
    """Time between two reports of a node on which nothing changes; its open question shows that it is there."""

    poll_s: float = 30.0
    """How long one question for the desired state waits at the hub, to begin with; a change is told at once."""

    poll_s_max: float = 240.0
    """The same on a line that has shown that it keeps a quiet connection; the hub has a limit of its own."""

    request_timeout_s: float = 30.0
    """How long the hub may take for any other answer."""

    metadata_deadline_s: float = 60.0
    """How long one look at the signed metadata may take, however many files it needs."""

    download_bytes_per_s_min: float = 200.0
    """A package that arrives with fewer bytes per second than this, over half a minute, is left for later; over twice
    that time after each time that it was: a line that a fleet shares must not be filled by those who connect again."""

    download_bytes_per_s_max: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How fast a package may come, whatever a rollout allows; 0: as fast as the line is."""

    backoff_s_max: float = 60.0
    """Longest pause between two attempts to reach the hub."""


class KeySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the node's keys lie: in files of the data directory, or on a PKCS#11 token."""

    pkcs11_module: str = ""
    """The driver of a token, for example of a TPM; empty: keys are files. Needs the extra `pkcs11`."""

    pkcs11_token: str = ""
    """The token's label."""

    pkcs11_pin_file: str = ""
    """File that holds the PIN of the token's user."""

    pkcs11_key: str = "ganglion-node"
    """The key's label on the token; the next one, while it is being changed, has `-next` behind it."""


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One node: where it keeps its data, and its two processes."""

    data_dir: str = "node-data"
    """Directory of keys, packages, state and outbox. Keep it private; a copy of it is a clone of the node."""

    restart_s_max: float = 30.0
    """Longest pause before a process that keeps dying is started again."""

    stop_s: float = 10.0
    """How long a stopping process may finish its work before it is killed."""

    serving: ServingSettings = ServingSettings()
    """The serving process."""

    agent: AgentSettings = AgentSettings()
    """The agent process."""

    logs_bytes_max: Annotated[int, msgspec.Meta(ge=0)] = 16_000_000
    """Disk use of the logs that each of the node's processes keeps, for `ganglion node logs`; 0: none are kept."""

    labels: dict[str, str] = {}
    """Labels that scopes of an envelope look at. They are this machine's own word: the hub cannot change them."""

    image_sha256_file: str = ""
    """File with the digest of the system image, which is told to the hub as `image_sha256`; empty: it is not told."""

    keys: KeySettings = KeySettings()
    """The keys that prove who the node is."""

    sandbox: SandboxLimits = SandboxLimits()
    """The process in which a new version is tried."""

    files: FileLimits = FileLimits()
    """Reference files that the hub gives the node."""

    model_files: ModelFileLimits = ModelFileLimits()
    """What a model file may hold before an engine opens it."""

    shell: ShellLimits = ShellLimits()
    """Whether a person may have an interactive shell over the hub. It is off."""

    @property
    def data_path(self) -> Path:
        """Return the data directory as an absolute path."""
        return Path(self.data_dir).expanduser().resolve()
