"""The hub link of `ports.hub_link` over HTTPS."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from ganglion.adapters.https_link import download, statements
from ganglion.adapters.https_link.download import Patience, Wanted
from ganglion.adapters.https_link.session import Identity, LinkSettings, Session
from ganglion.adapters.https_link.trusted import TrustedTargets
from ganglion.core.ids import parse_digest
from ganglion.ports.clock import Clock
from ganglion.ports.hub_link import TrustedWord, Vouched
from ganglion.ports.metadata_files import MetadataFiles
from ganglion.trust import target_path
from ganglion.wire import codec, paths
from ganglion.wire.desired import Assignment, DesiredState, NodeReport, ReferenceFile
from ganglion.wire.records import Ack, Batch, ContentHeld
from ganglion.wire.shells import ShellInput, ShellOutput, ShellRecording, ShellRoom

_NO_CONTENT = 204


class HttpsHubLink:
    """See `HubLink`, `FileLink`, `ContentLink`, `ShellLine` of `ports`. Safe for threads; two bring two packages."""

    def __init__(
        self,
        *,
        identity: Identity,
        ca_pem: bytes,
        tuf_root: bytes,
        open_metadata: Callable[[], MetadataFiles],
        clock: Clock,
        settings: LinkSettings,
    ) -> None:
        self._session = Session(identity=identity, ca_pem=ca_pem, clock=clock, settings=settings)
        self._targets = TrustedTargets(session=self._session, open_files=open_metadata, bootstrap=tuf_root)
        self._node_id, self._patience = identity.node_id, Patience()
        self.batch_bytes = 0
        """See the port."""

    def desired(self, *, after_incarnation: str, after_revision: int, wait_s: float) -> DesiredState | None:
        """Long-poll for a newer desired state."""
        query = urlencode({"incarnation": after_incarnation, "revision": after_revision, "wait_s": wait_s})
        response = self._session.open("GET", f"{paths.DESIRED}?{query}", wait_s=wait_s)
        data = self._session.read(response)
        return None if response.status == _NO_CONTENT else codec.decode_json(data, DesiredState)

    def hub_time_s(self) -> float | None:
        """Return what the hub's clock says now, as far as it has told."""
        return self._session.hub_time_s()

    def rekey(self, replaced: str) -> bool:
        """Change the node's key if it is the one that is to be replaced."""
        return self._session.rekey(replaced)

    def report(self, report: NodeReport) -> None:
        """Send the present state."""
        self._session.ask("POST", paths.REPORT, body=codec.encode_json(report), is_safe_twice=True)

    def send(self, batch: Batch) -> Ack:
        """Send a batch and return how far the hub has stored this epoch."""
        body = codec.compress(codec.encode_packed(batch))
        self.batch_bytes += len(body)
        # Records are numbered: what the hub has stored already it does not store again.
        answer = self._session.ask("POST", paths.BATCHES, body=body, kind=codec.BATCH_TYPE, is_safe_twice=True)
        return codec.decode_json(answer, Ack)

    def content_held(self, sha256: str) -> ContentHeld:
        """Ask how much of a sample's content the hub has."""
        return codec.decode_json(self._session.ask("GET", paths.node_sample(sha256)), ContentHeld)

    def put_content(self, sha256: str, piece: bytes, *, offset: int, size_bytes: int) -> ContentHeld:
        """Hand over a piece of a sample's content; it counts with what batches cost."""
        query = urlencode({"offset": offset, "size_bytes": size_bytes})
        self.batch_bytes += len(piece)
        answer = self._session.ask("PUT", f"{paths.node_sample(sha256)}?{query}", body=piece, kind=codec.CONTENT_TYPE)
        return codec.decode_json(answer, ContentHeld)

    def shell_output(self, shell_id: str, output: ShellOutput) -> int:
        """Hand over what a session showed."""
        answer = self._session.ask("POST", paths.node_shell(shell_id, "output"), body=codec.encode_json(output))
        return codec.decode_json(answer, ShellRoom).received

    def shell_input(self, shell_id: str, *, after: int, wait_s: float) -> ShellInput:
        """Wait for what a person does next in a session."""
        query = urlencode({"after": after, "wait_s": wait_s})
        response = self._session.open("GET", f"{paths.node_shell(shell_id, 'input')}?{query}", wait_s=wait_s)
        return codec.decode_json(self._session.read(response), ShellInput)

    def shell_recording(self, shell_id: str, recording: ShellRecording) -> None:
        """Hand over the recording of a session."""
        body = codec.compress(codec.encode_packed(recording))
        self._session.ask("POST", paths.node_shell(shell_id, "recording"), body=body, kind=codec.BATCH_TYPE)

    def check_target(self, assignment: Assignment, *, root_version_min: int) -> Vouched:
        """Check that the model's role signs the package, and that the hub signs it for this node."""
        target_path.parse(assignment.target_path)
        found = self._targets.find(assignment, root_version_min=root_version_min)
        statements.check(assignment, found.root, node_id=self._node_id)
        # Whatever the role writes beside the bytes, who may sign for it the targets say.
        return msgspec.structs.replace(statements.vouched(found.target), signers=found.signers)

    def trusted_word(self, *, root_version_min: int) -> TrustedWord:
        """Look at the newest root, and at the envelope if there is one."""
        return self._targets.word(root_version_min=root_version_min)

    def download(
        self, assignment: Assignment, destination: Path, *, is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """Bring the package."""
        name = target_path.parse(assignment.target_path).hashed(parse_digest(assignment.sha256))
        wanted = Wanted(
            path=f"{paths.TUF_TARGETS}/{name}",
            size_bytes=assignment.size_bytes,
            hashes={"sha256": assignment.sha256},
            is_wanted=is_wanted,
            bytes_per_s_max=_slower(assignment.policy.download_bytes_per_s_max, self._session.settings.bytes_per_s_max),
        )
        download.download(self._session, wanted, destination, patience=self._patience)

    def download_file(
        self, file: ReferenceFile, destination: Path, *, is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """Bring a reference file."""
        wanted = Wanted(
            path=paths.node_file(parse_digest(file.sha256)),
            size_bytes=file.size_bytes,
            hashes={"sha256": file.sha256},
            is_wanted=is_wanted,
            bytes_per_s_max=self._session.settings.bytes_per_s_max,
        )
        download.download(self._session, wanted, destination, patience=self._patience)


def _slower(one: int, other: int) -> int:
    """Return the lower of two limits; 0 is none."""
    return min(one, other) if one > 0 and other > 0 else max(one, other, 0)
