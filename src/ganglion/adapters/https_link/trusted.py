"""Which package bytes are signed: the TUF client, over the same authenticated session."""

from collections.abc import Iterator
from pathlib import Path

import urllib3
from tuf.api import exceptions as tuf_errors
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from ganglion.adapters.https_link.session import Session, reason_of
from ganglion.core.errors import (
    ArtifactUntrusted,
    DiskUnusable,
    GanglionError,
    HubUnreachable,
    MetadataStale,
    NotFound,
    Unavailable,
)
from ganglion.wire import paths
from ganglion.wire.messages import Assignment

_NOT_FOUND = 404


class _SessionFetcher(FetcherInterface):
    """Metadata files through the session; python-tuf judges them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            response = self._session.open("GET", url)
        except NotFound as error:
            raise tuf_errors.DownloadHTTPError(error.message, _NOT_FOUND) from error
        except GanglionError as error:
            raise tuf_errors.DownloadError(error.message) from error
        return self._chunks(response)

    def _chunks(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        try:
            yield from response.stream(self._session.settings.chunk_bytes)
        except urllib3.exceptions.HTTPError as error:
            raise tuf_errors.DownloadError(reason_of(error)) from error
        finally:
            response.release_conn()


class TrustedTargets:
    """Looks targets up in metadata that was verified from the root on."""

    def __init__(self, *, session: Session, directory: Path, bootstrap: bytes) -> None:
        self._session, self._directory, self._bootstrap = session, directory, bootstrap

    def find(self, assignment: Assignment, *, root_version_min: int) -> TargetFile:
        """Refresh, and return the signed target of an assignment.

        Raises: ArtifactUntrusted, MetadataStale, HubUnreachable, DiskUnusable.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            target = self._updater().get_targetinfo(assignment.target_path)
        except tuf_errors.ExpiredMetadataError as error:
            raise MetadataStale(str(error)) from error
        except tuf_errors.DownloadError as error:
            raise self._unreachable(error) from error
        except tuf_errors.RepositoryError as error:
            raise ArtifactUntrusted(f"signed metadata: {error}") from error
        except OSError as error:
            raise DiskUnusable(f"{self._directory}: {error.strerror}") from error
        self._check_root(root_version_min)
        return _matching(assignment, target)

    def _updater(self) -> Updater:
        return Updater(
            metadata_dir=str(self._directory),
            metadata_base_url=f"{paths.TUF_METADATA}/",
            fetcher=_SessionFetcher(self._session),
            config=UpdaterConfig(),
            bootstrap=self._bootstrap,
        )

    def _unreachable(self, error: tuf_errors.DownloadError) -> GanglionError:
        cause = error.__cause__
        if isinstance(cause, Unavailable):
            return cause
        return HubUnreachable(f"signed metadata: {error}")

    def _check_root(self, version_min: int) -> None:
        """A mirror that hides the newest root is caught by the version that the hub states."""
        root = Metadata[Root].from_file(str(self._directory / "root.json"))
        if root.signed.version < version_min:
            raise ArtifactUntrusted(
                f"the newest root found is version {root.signed.version}, the hub demands {version_min}"
            )


def _matching(assignment: Assignment, target: TargetFile | None) -> TargetFile:
    """A package must be signed by its model's role and assigned by the hub, with the same digest."""
    if target is None:
        raise ArtifactUntrusted(f"no role signs {assignment.target_path}")
    signed = target.hashes.get("sha256", "")
    if signed != assignment.sha256 or target.length != assignment.size_bytes:
        raise ArtifactUntrusted(f"{assignment.target_path}: signed is {signed[:16]}, assigned {assignment.sha256[:16]}")
    return target
