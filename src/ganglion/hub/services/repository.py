"""The hub's TUF repository on disk: started once, added to, and signed again before it expires."""

import re
import threading
from collections.abc import Sequence

import structlog
from tuf.api.metadata import Root

from ganglion.core.errors import DataCorrupt, InvalidRequest, NotFound
from ganglion.core.ids import parse_digest
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.metadata_files import MetadataFiles, SigningKeys
from ganglion.trust import edition, repository, target_path
from ganglion.trust.edition import TIMESTAMP_FILE, MetadataFile
from ganglion.trust.repository import Package
from ganglion.trust.signing import RepositorySettings, Signing

_SERVED = re.compile(
    r"timestamp\.json|[1-9][0-9]{0,9}\.(root|targets|snapshot|model-[A-Za-z0-9][A-Za-z0-9._-]{0,63})\.json"
)
log = structlog.get_logger(__name__)


class Repository:
    """Signs what nodes may install.

    This is *development trust*: the hub holds every signing key, the offline ones included, so whoever
    takes over the hub can release a model. What TUF still gives is protection on the way to the node
    (other bytes, old versions, mixed versions, frozen news) and one key per model.
    """

    def __init__(
        self,
        *,
        files: MetadataFiles,
        keys: SigningKeys,
        clock: Clock,
        settings: RepositorySettings | None = None,
    ) -> None:
        self._files = files
        self._keys = keys
        self._clock = clock
        self._settings = settings or RepositorySettings()
        # Publishing reads the newest version and writes the next: one at a time.
        self._writing = threading.Lock()
        self._root_version = 0

    @property
    def warning(self) -> str:
        """What an operator should know about how this hub keeps its keys."""
        return (
            "development trust: this hub holds all signing keys, so whoever controls it can release models; "
            "keep its data directory private"
        )

    def initialise(self) -> None:
        """Make the repository on first start; on every start, check the keys and sign again what is due.

        Raises: DataCorrupt, KeyMismatch, DiskUnusable.
        """
        with self._writing:
            signing = self._signing()
            if self._files.read(TIMESTAMP_FILE) is None:
                self._check_is_new()
                self._write(repository.create(signing))
                log.info("repository.created")
            repository.check_keys(edition.load(self._files.read), signing)
        self.refresh_timestamp()

    def publish(self, path: str, sha256: str, size_bytes: int, model: str) -> None:
        """Sign a package for its model; doing it again changes nothing.

        Raises: InvalidName, InvalidRequest, Conflict: other bytes have this path. KeyMismatch, DiskUnusable.
        """
        parsed = target_path.parse(path)
        if parsed.model != model:
            raise InvalidRequest(f"{path} does not belong to the model {model}")
        package = Package(path=parsed, sha256=parse_digest(sha256), size_bytes=size_bytes)
        with self._writing:
            self._write(repository.publish(edition.load(self._files.read), package, self._signing()))

    def refresh_timestamp(self) -> None:
        """Sign the timestamp again when it is a day old, and everything else in time. Call daily, or more often.

        Raises: DataCorrupt, KeyMismatch, DiskUnusable.
        """
        with self._writing:
            files = repository.renew(edition.load(self._files.read), self._signing())
            self._write(files)
        if files:
            log.info("repository.renewed", files=[file.name for file in files])

    def recover(self) -> None:
        """Let nodes that have seen newer versions than this repository holds accept it again.

        Raises: DataCorrupt, KeyMismatch, DiskUnusable.
        """
        with self._writing:
            self._write(repository.recover(edition.load(self._files.read), self._signing()))
        log.warning("repository.recovered", root_version=self.root_version())

    def metadata(self, name: str) -> bytes:
        """Return a metadata file by the name that clients ask for. Raises: NotFound."""
        data = self._files.read(name) if _SERVED.fullmatch(name) else None
        if data is None:
            raise NotFound(f"there is no metadata file {name[:80]!r}")
        return data

    def root(self) -> bytes:
        """Return the newest root of trust. Raises: NotFound: the repository is not initialised."""
        return self.metadata(edition.file_name(Root.type, self.root_version()))

    def root_version(self) -> int:
        """Return the version of the newest root; 0 before the repository is initialised."""
        self._root_version = edition.newest_root_version(self._files.read, known=self._root_version)
        return self._root_version

    def _check_is_new(self) -> None:
        """A lost timestamp must not restart the versions: every node would refuse them."""
        if self._files.read(edition.file_name("snapshot", 2)) is not None:
            raise DataCorrupt(f"the metadata file {TIMESTAMP_FILE} is missing: restore the TUF metadata from a backup")

    def _write(self, files: Sequence[MetadataFile]) -> None:
        for file in files:
            self._files.write(file.name, file.data)

    def _signing(self) -> Signing:
        return Signing(private_key=self._keys.private_bytes, now_s=utc_s(self._clock), settings=self._settings)
