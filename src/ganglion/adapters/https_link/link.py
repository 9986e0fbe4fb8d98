"""The hub link of `ports.hub_link` over HTTPS."""

from pathlib import Path
from urllib.parse import urlencode

from ganglion.adapters.https_link import download
from ganglion.adapters.https_link.session import Identity, LinkSettings, Session
from ganglion.adapters.https_link.trusted import TrustedTargets
from ganglion.core.ids import parse_digest
from ganglion.ports.clock import Clock
from ganglion.trust import target_path
from ganglion.wire import codec, paths
from ganglion.wire.messages import Ack, Assignment, Batch, DesiredState, NodeReport

_NO_CONTENT = 204


class HttpsHubLink:
    """See `ports.hub_link.HubLink`. Safe to call from several threads, the two package calls from one at a time."""

    def __init__(
        self,
        *,
        identity: Identity,
        ca_pem: bytes,
        tuf_root: bytes,
        metadata_directory: Path,
        clock: Clock,
        settings: LinkSettings,
    ) -> None:
        self._session = Session(identity=identity, ca_pem=ca_pem, clock=clock, settings=settings)
        self._targets = TrustedTargets(session=self._session, directory=metadata_directory, bootstrap=tuf_root)

    def desired(self, *, after_incarnation: str, after_revision: int, wait_s: float) -> DesiredState | None:
        """Long-poll for a newer desired state."""
        query = urlencode({"incarnation": after_incarnation, "revision": after_revision, "wait_s": wait_s})
        response = self._session.open("GET", f"{paths.DESIRED}?{query}", wait_s=wait_s)
        data = self._session.read(response)
        return None if response.status == _NO_CONTENT else codec.decode_json(data, DesiredState)

    def report(self, report: NodeReport) -> None:
        """Send the present state."""
        self._session.ask("POST", paths.REPORT, body=codec.encode_json(report))

    def send(self, batch: Batch) -> Ack:
        """Send a batch and return how far the hub has stored this epoch."""
        body = codec.compress(codec.encode_packed(batch))
        return codec.decode_json(self._session.ask("POST", paths.BATCHES, body=body, kind=codec.BATCH_TYPE), Ack)

    def check_target(self, assignment: Assignment, *, root_version_min: int) -> None:
        """Check that the assignment's package is signed."""
        self._targets.find(assignment, root_version_min=root_version_min)

    def download(self, assignment: Assignment, destination: Path) -> None:
        """Bring the package."""
        name = target_path.parse(assignment.target_path).hashed(parse_digest(assignment.sha256))
        download.download(
            self._session,
            f"{paths.TUF_TARGETS}/{name}",
            destination,
            size_bytes=assignment.size_bytes,
            sha256=assignment.sha256,
        )
