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

    def fetch_package(self, assignment: Assignment, destination: Path) -> None:
        """Bring the signed package to `destination`; a part that is there already is resumed.

        Raises: ArtifactUntrusted: metadata or bytes are not the signed ones. DiskUnusable.
        """
        ...
