"""The node's side of the link to its hub. Blocking calls; every one has a deadline."""

from pathlib import Path
from typing import Protocol

from ganglion.wire.messages import Ack, Assignment, Batch, DesiredState, NodeReport


class HubLink(Protocol):
    """An authenticated line to the hub; it proves the node's identity again when a token has expired.

    Every method raises HubUnreachable when no answer came, Unauthenticated when the hub does not
    accept the node any more, and nothing of a foreign library.
    """

    def desired(self, *, after_incarnation: str, after_revision: int, wait_s: float) -> DesiredState | None:
        """Wait up to `wait_s` for a state newer than the one named; None when there was none."""
        ...

    def report(self, report: NodeReport) -> None:
        """Tell the hub the present state."""
        ...

    def send(self, batch: Batch) -> Ack:
        """Store a batch at the hub; the ack says up to where everything is stored."""
        ...

    def check_target(self, assignment: Assignment, *, root_version_min: int) -> None:
        """Refresh the signed metadata and check that it names the assignment's package with the same digest.

        Raises: ArtifactUntrusted: it does not, or the metadata cannot be trusted.
        """
        ...

    def download(self, assignment: Assignment, destination: Path) -> None:
        """Bring the package that `check_target` accepted to `destination`; a part that is there already is resumed.

        Raises: ArtifactUntrusted: the bytes are not the signed ones (the part is thrown away). DiskUnusable.
        """
        ...
