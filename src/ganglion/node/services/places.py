"""Where a node keeps what, below its data directory."""

from dataclasses import dataclass
from pathlib import Path

from ganglion.wire.desired import Assignment

_DIGEST_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Places:
    """Paths of one node."""

    data: Path

    @property
    def identity(self) -> Path:
        """Who this node is, and where its hub is."""
        return self.data / "node.json"

    @property
    def private_key(self) -> Path:
        """The node's Ed25519 key; it never leaves this file."""
        return self.data / "keys" / "node.key"

    @property
    def clients(self) -> Path:
        """Programs on other machines that may ask the serving port."""
        return self.data / "clients.json"

    @property
    def ca(self) -> Path:
        """The hub's certificate authority, pinned when the node joined."""
        return self.data / "ca.pem"

    @property
    def tuf_root(self) -> Path:
        """The root metadata that the node was given when it joined."""
        return self.data / "tuf" / "bootstrap.root.json"

    @property
    def tuf_metadata(self) -> Path:
        """Metadata verified so far."""
        return self.data / "tuf" / "metadata"

    @property
    def database(self) -> Path:
        """State and outbox of the agent."""
        return self.data / "outbox.db"

    @property
    def active(self) -> Path:
        """What serving starts from."""
        return self.data / "active.json"

    @property
    def listening(self) -> Path:
        """Who serves, and where; there while serving listens."""
        return self.data / "run" / "serving.json"

    @property
    def logs(self) -> Path:
        """What the node's processes logged, within limits."""
        return self.data / "logs"

    @property
    def journal(self) -> Path:
        """Records on their way from serving to the agent."""
        return self.data / "journal"

    @property
    def packages(self) -> Path:
        """Unpacked packages."""
        return self.data / "packages"

    @property
    def files(self) -> Path:
        """Reference files by name, for whoever needs them on this machine."""
        return self.data / "files"

    @property
    def file_parts(self) -> Path:
        """Reference files under way."""
        return self.data / "files-under-way"

    @property
    def runs(self) -> Path:
        """What is told of this run of the node: who serves where, and whether a shell is open."""
        return self.data / "run"

    @property
    def shell_notice(self) -> Path:
        """Who has a shell open; there while somebody has."""
        return self.runs / "shell.json"

    @property
    def shells(self) -> Path:
        """Recordings of interactive sessions."""
        return self.data / "shells"

    @property
    def shell_home(self) -> Path:
        """Where an interactive session begins: empty, and emptied for the next one."""
        return self.data / "shell-home"

    @property
    def downloads(self) -> Path:
        """Packages under way."""
        return self.data / "downloads"

    def package(self, assignment: Assignment) -> Path:
        """Return where an assignment's package is unpacked; the name holds its digest, so other bytes go elsewhere."""
        name = f"{assignment.version}-{assignment.variant}-{assignment.sha256[:_DIGEST_SHOWN]}"
        return self.packages / assignment.model / name

    def download(self, assignment: Assignment) -> Path:
        """Return where an assignment's package file is completed."""
        return self.downloads / f"{assignment.sha256}.ganglion"
