"""Which package bytes are signed, and for this node: the TUF client, over the same authenticated session."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from tuf.api import exceptions as tuf_errors
from tuf.api.metadata import Root, TargetFile, Targets

from ganglion.adapters.https_link.replies import read_bounded
from ganglion.adapters.https_link.session import Session
from ganglion.adapters.https_link.tuf_client import TufClient
from ganglion.core.errors import InvalidRequest, TooLarge
from ganglion.core.trust_errors import ArtifactUntrusted, MetadataStale
from ganglion.ports.clock import utc_s
from ganglion.ports.hub_link import SignedEnvelope, TrustedWord
from ganglion.ports.metadata_files import MetadataFiles
from ganglion.trust import assignment as assignment_keys
from ganglion.trust import clock_floor, envelope, target_path
from ganglion.trust.ceremony.proposal import keyids_of
from ganglion.trust.trusted_set import TrustedSet
from ganglion.wire import paths
from ganglion.wire.desired import Assignment

F = TypeVar("F")

_SEEN_FILE = "newest-time"
"""When metadata was last found good, in seconds since 1970: the clock does not go back behind it."""
_SEEN_STEP_S = 3600.0


@dataclass(frozen=True, slots=True)
class Found:
    """A signed target, the root that it was verified from, and the keys of the role that may sign it."""

    target: TargetFile
    root: Root
    signers: tuple[str, ...]


class TrustedTargets:
    """Looks targets up in metadata that was verified from the root on."""

    def __init__(
        self,
        *,
        session: Session,
        open_files: Callable[[], MetadataFiles],
        bootstrap: bytes,
        built_at_s: float = clock_floor.BUILT_AT_S,
    ) -> None:
        """`open_files` is called at the first look: a node with a broken disk must still serve and report."""
        self._session, self._open_files, self._bootstrap = session, open_files, bootstrap
        self._built_at_s = built_at_s
        self._opened: tuple[MetadataFiles, TufClient] | None = None
        self._one_at_a_time = threading.Lock()

    def find(self, assignment: Assignment, *, root_version_min: int) -> Found:
        """Refresh, and return what is signed of an assignment.

        Raises: ArtifactUntrusted, MetadataStale, ClockWrong, HubUnreachable, DiskUnusable.
        """
        # Models are updated side by side, and share one memory of what was seen.
        with self._one_at_a_time:
            return self._find(assignment, root_version_min)

    def word(self, *, root_version_min: int) -> TrustedWord:
        """Refresh, and return what is signed beside models.

        Raises: ArtifactUntrusted, MetadataStale, ClockWrong, HubUnreachable, DiskUnusable.
        """
        with self._one_at_a_time:
            targets, root = self._looked_up(_find_envelope, root_version_min)
        keys = assignment_keys.keys_of(root) if assignment_keys.is_demanded(root) else ()
        return TrustedWord(keys, _signed_envelope(targets) if targets else None)

    def _find(self, assignment: Assignment, root_version_min: int) -> Found:
        def look(client: TufClient, trusted: TrustedSet) -> tuple[TargetFile | None, tuple[str, ...]]:
            found = client.find(assignment.target_path, trusted)
            return found, _signers(assignment, trusted)

        (target, signers), root = self._looked_up(look, root_version_min)
        return Found(_matching(assignment, target), root, signers)

    def _looked_up(self, look: Callable[[TufClient, TrustedSet], F], root_version_min: int) -> tuple[F, Root]:
        """Refresh, and return what `look` finds in the metadata of now, and the root that it was verified from."""
        files, client = self._open()
        now_s, hub_s = utc_s(self._session.clock), self._session.hub_time_s()
        seen_s = _seen_s(files, self._built_at_s)
        reference_s = clock_floor.reference_s(now_s, seen_s=seen_s, hub_s=hub_s)
        try:
            trusted = client.refresh(datetime.fromtimestamp(reference_s, tz=UTC))
            # Asking may have told what time it is at the hub.
            clock_floor.reference_s(now_s, seen_s=seen_s, hub_s=self._session.hub_time_s())
            _check_root(trusted, root_version_min)
            found = look(client, trusted)
        except tuf_errors.ExpiredMetadataError as error:
            clock_floor.check_not_ahead(now_s, hub_s=self._session.hub_time_s())
            raise MetadataStale(f"signed metadata: {error}") from error
        except (tuf_errors.RepositoryError, TooLarge) as error:
            raise ArtifactUntrusted(f"signed metadata: {error}") from error
        newest_s = clock_floor.remembered_s(reference_s, seen_s=seen_s, hub_s=self._session.hub_time_s())
        if newest_s > seen_s + _SEEN_STEP_S:
            files.write(_SEEN_FILE, f"{newest_s:.0f}".encode())
        return found, trusted.root

    def _open(self) -> tuple[MetadataFiles, TufClient]:
        if self._opened is None:
            files = self._open_files()
            client = TufClient(
                source=_SessionSource(self._session),
                files=files,
                clock=self._session.clock,
                bootstrap=self._bootstrap,
                limits=self._session.settings.metadata,
            )
            self._opened = (files, client)
        return self._opened


class _SessionSource:
    """Metadata files of the hub."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def fetch(self, name: str, *, bytes_max: int, ends_at_s: float) -> bytes:
        """See `tuf_client.MetadataSource`."""
        left_s = ends_at_s - self._session.clock.monotonic_s()
        response = self._session.open("GET", f"{paths.TUF_METADATA}/{name}", within_s=left_s)
        return read_bounded(response, bytes_max=bytes_max, clock=self._session.clock, ends_at_s=ends_at_s)


def _signers(assignment: Assignment, trusted: TrustedSet) -> tuple[str, ...]:
    top = trusted.targets(Targets.type, Root.type)
    return keyids_of(top, target_path.parse(assignment.target_path).role) if top else ()


def _find_envelope(client: TufClient, trusted: TrustedSet) -> Targets | None:
    try:
        return client.delegated(envelope.ROLE, trusted)
    except tuf_errors.ExpiredMetadataError:
        # The node goes on with the one that it holds; what else the metadata says is still good.
        return None


def _seen_s(files: MetadataFiles, built_at_s: float) -> float:
    try:
        seen_s = float(files.read(_SEEN_FILE) or b"0")
    except ValueError:
        return built_at_s
    return max(built_at_s, seen_s) if math.isfinite(seen_s) else built_at_s


def _check_root(trusted: TrustedSet, version_min: int) -> None:
    """A mirror that hides the newest root is caught by the version that the hub states."""
    if trusted.root.version < version_min:
        raise ArtifactUntrusted(
            f"the newest root found is version {trusted.root.version}, the hub demands {version_min}"
        )


def _signed_envelope(targets: Targets) -> SignedEnvelope:
    try:
        document = envelope.document_in(targets)
    except InvalidRequest as error:
        raise ArtifactUntrusted(error.message) from error
    return SignedEnvelope(targets.version, targets.expires.timestamp(), document)


def _matching(assignment: Assignment, target: TargetFile | None) -> TargetFile:
    """A package must be signed by its model's role and assigned by the hub, with the same digest."""
    if target is None:
        raise ArtifactUntrusted(f"no role signs {assignment.target_path}")
    signed = target.hashes.get("sha256", "")
    if signed != assignment.sha256 or target.length != assignment.size_bytes:
        raise ArtifactUntrusted(f"{assignment.target_path}: signed is {signed[:16]}, assigned {assignment.sha256[:16]}")
    return target
