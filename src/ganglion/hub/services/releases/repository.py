"""The hub's TUF repository on disk: started once, added to, and signed again before it expires."""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
import structlog
from tuf.api.metadata import Metadata, Root, Targets

from ganglion.core.errors import DataCorrupt, InvalidRequest, NotFound
from ganglion.core.ids import parse_digest
from ganglion.hub.services.releases import online_keys
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.metadata_files import MetadataFiles, SigningKeys
from ganglion.trust import assignment, edition, envelope, orders, repository, target_path
from ganglion.trust import files as file_statements
from ganglion.trust.assignment import AssignmentStatement, SignedAssignment
from ganglion.trust.ceremony import installation, inventory, proposal
from ganglion.trust.ceremony.inventory import Role
from ganglion.trust.ceremony.proposal import Present
from ganglion.trust.edition import TIMESTAMP_FILE, Edition, MetadataFile
from ganglion.trust.envelope import Envelope
from ganglion.trust.files import FilesStatement, SignedFiles
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.trust.orders import OrderStatement, SignedOrder
from ganglion.trust.repository import Package
from ganglion.trust.signing import Signing, is_offline

_SERVED = re.compile(
    r"timestamp\.json|[1-9][0-9]{0,9}\.(root|targets|snapshot|envelope|model-[A-Za-z0-9][A-Za-z0-9._-]{0,63})\.json"
)
_PENDING = "pending-proposal.json"
"""A proposal that is being put in force: after a kill, the next start finishes it."""

log = structlog.get_logger(__name__)


class Repository:
    """Keeps what nodes may install, and signs what the hub has the keys for.

    A hub begins in *development mode*: it holds every signing key, so whoever takes it over can release a model.
    What TUF still gives then is protection on the way to the node (other bytes, old versions, mixed versions,
    frozen news) and one key per model. A ceremony (`install`) takes the release keys off the hub.
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
        self._named: tuple[int, bytes | None] = (0, None)
        """The key for assignments, as the root of this version names it."""
        self._limits: tuple[bytes | None, int, Envelope | None] = (b"", 0, None)
        """The envelope, as the edition of this timestamp has it."""

    @property
    def is_development(self) -> bool:
        """Whether this hub holds the keys that release models."""
        return not is_offline(self._edition().root.signed)

    @property
    def warning(self) -> str:
        """What an operator should know about how this hub keeps its keys; empty when there is nothing to say."""
        if not self.is_development:
            return ""
        return (
            "development trust: this hub holds all signing keys, so whoever controls it can release models; "
            "keep its data directory private, and see `ganglion trust --help` before you depend on it"
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
            self._finish_pending()
            self._write(repository.name_assignment_key(self._edition(), signing))
            repository.check_keys(self._edition(), signing)
        self.refresh_timestamp()

    def publish(
        self,
        path: str,
        sha256: str,
        size_bytes: int,
        model: str,
        *,
        memory_bytes_max: int | None = None,
        offline_s_max: int = 0,
    ) -> None:
        """Sign a package for its model, or take its publisher's word that came before; again changes nothing.

        Raises: InvalidName, InvalidRequest, Conflict: other bytes have this path. SignaturesMissing: the hub has no
        key for this. KeyMismatch, DiskUnusable.
        """
        parsed = target_path.parse(path)
        if parsed.model != model:
            raise InvalidRequest(f"{path} does not belong to the model {model}")
        package = Package(
            path=parsed,
            sha256=parse_digest(sha256),
            size_bytes=size_bytes,
            memory_bytes_max=memory_bytes_max,
            offline_s_max=offline_s_max,
        )
        with self._changing() as (now, signing):
            offered = self._offered(now, package)
            if offered is None:
                self._write(repository.publish(now, package, signing))
            else:
                self._write(installation.install_model(now, package.path.role, offered, signing))

    def offer_model(self, role: str, data: bytes) -> None:
        """Keep a model's next list of packages, signed by its publisher, until the package that it adds is here.

        Raises: ProposalRefused, SignaturesMissing, InvalidName, DiskUnusable.
        """
        target_path.model_of(role)
        with self._changing() as (now, signing):
            parsed = proposal.read(proposal.present_of(now), {role: data})
            installation.install_model(now, role, parsed.models[role], signing)
            self._files.write(_offer_name(role), data)

    def install(self, documents: Mapping[str, bytes]) -> None:
        """Put new trust metadata in force, as its key holders signed it; then forget keys that are now with people.

        Raises: ProposalRefused, SignaturesMissing: nothing was changed. DiskUnusable: the next start finishes it.
        """
        with self._changing() as (now, signing):
            parsed = proposal.read(proposal.present_of(now), documents)
            files = installation.install(now, parsed, signing)
            self._files.write(_PENDING, msgspec.json.encode({file.name: file.data.decode() for file in files}))
            self._finish(files)
        log.warning("trust.installed", documents=sorted(documents), root_version=self.root_version())

    def refresh_timestamp(self) -> None:
        """Sign the timestamp again when it is a day old, and everything else in time. Call daily, or more often.

        Raises: DataCorrupt, KeyMismatch, DiskUnusable.
        """
        with self._changing() as (now, signing):
            files = repository.renew(now, signing)
            self._write(files)
        if files:
            log.info("repository.renewed", files=[file.name for file in files])
        due = [role.name for role in self.roles() if role.is_due]
        if due:
            log.warning("trust.due", roles=due, text="their key holders must sign again: `ganglion trust renew`")

    def recover(self) -> bool:
        """Let nodes that have seen newer versions than this repository holds accept it again.

        False: the root's keys are not here; the hub has made new keys for its own roles, and a ceremony must name them.
        Raises: DataCorrupt, KeyMismatch, DiskUnusable.
        """
        if not self.is_development:
            self.make_online_keys()
            log.error("trust.recovery_due", text="nodes refuse this hub's metadata until `ganglion trust rotate`")
            return False
        with self._changing() as (now, signing):
            self._write(repository.recover(now, signing))
        log.warning("repository.recovered", root_version=self.root_version())
        return True

    def make_online_keys(self) -> None:
        """Make new keys for the roles that the hub signs by itself; they serve once a root names them. DiskUnusable."""
        online_keys.make(self._keys, self._edition().root.signed)

    def online_key_names(self) -> dict[str, str]:
        """Return by role the name of the key that the next root should name."""
        return online_keys.offered_names(self._keys, self._edition().root.signed)

    def public_key(self, name: str) -> bytes:
        """Return the raw public half of a key of the hub's own. Raises: DiskUnusable."""
        return bytes.fromhex(assignment.public_key_of(self._keys.private_bytes(name)))

    def sign_assignment(self, statement: AssignmentStatement) -> SignedAssignment | None:
        """Sign what one node should serve; None when the root names no key for it."""
        key = self._assignment_key()
        return assignment.sign(key, statement) if key else None

    def sign_order(self, statement: OrderStatement) -> SignedOrder | None:
        """Sign what a person asks one node to do; None when the root names no key for it."""
        key = self._assignment_key()
        return orders.sign(key, statement) if key else None

    def sign_files(self, statement: FilesStatement) -> SignedFiles | None:
        """Sign which reference files one node should have; None when the root names no key for it."""
        key = self._assignment_key()
        return file_statements.sign(key, statement) if key else None

    def envelope(self) -> tuple[int, Envelope | None]:
        """Return the version and the content of the newest envelope that was installed; 0 and None without one."""
        timestamp = self._files.read(TIMESTAMP_FILE)
        if timestamp != self._limits[0]:
            now = self._edition()
            found = now.model(envelope.ROLE).signed if envelope.ROLE in now.model_roles() else None
            self._limits = (timestamp, found.version if found else 0, _document_in(found))
        return self._limits[1], self._limits[2]

    def present(self) -> Present:
        """Return the metadata that a ceremony may change. Raises: DataCorrupt."""
        return proposal.present_of(self._edition())

    def assignment_keys(self) -> tuple[str, ...]:
        """Return the raw public keys that nodes take assignments from, hexadecimal."""
        return assignment.keys_of(self._edition().root.signed)

    def roles(self) -> list[Role]:
        """Return every role with its keys and its expiry. Raises: DataCorrupt."""
        return inventory.roles_of(self._edition(), self._signing())

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

    def _edition(self) -> Edition:
        return edition.load(self._files.read)

    def _offered(self, now: Edition, package: Package) -> Metadata[Targets] | None:
        """Return the publisher's list that adds exactly this package to the present one, if there is one."""
        role = package.path.role
        data = self._files.read(_offer_name(role))
        if not data or role not in now.model_roles() or repository.has_package(now.model(role).signed, package):
            return None
        offered = proposal.read(proposal.present_of(now), {role: data}).models[role]
        before = now.model(role).signed
        expected = {**before.targets, str(package.path): repository.target_file(package)}
        return offered if offered.signed.version == before.version + 1 and offered.signed.targets == expected else None

    def _assignment_key(self) -> bytes | None:
        version = self.root_version()
        if self._named[0] != version:
            self._named = (version, repository.assignment_key(self._edition().root.signed, self._keys.held_bytes))
        return self._named[1]

    @contextmanager
    def _changing(self) -> Iterator[tuple[Edition, Signing]]:
        """Let one caller at a time change the repository, after what a full disk or a kill left undone is done."""
        with self._writing:
            self._finish_pending()
            yield self._edition(), self._signing()

    def _finish_pending(self) -> None:
        data = self._files.read(_PENDING)
        if not data:
            return
        try:
            texts = msgspec.json.decode(data, type=dict[str, str])
        except msgspec.DecodeError as error:
            raise DataCorrupt(f"the file {_PENDING} beside the TUF metadata is damaged: restore a backup") from error
        self._finish([MetadataFile(name, text.encode()) for name, text in texts.items()])
        log.warning("trust.installation_finished", files=list(texts))

    def _finish(self, files: Sequence[MetadataFile]) -> None:
        self._write(files)
        self._forget_release_keys()
        self._files.write(_PENDING, b"")

    def _forget_release_keys(self) -> None:
        """A key that no role trusts any more, or that is with its holder now, has no business on the hub."""
        now, signing = self._edition(), self._signing()
        if is_offline(now.root.signed):
            for name in (Root.type, Targets.type):
                self._keys.remove(name)
        for role in now.model_roles():
            if not signing.can_sign(role, now.targets.signed):
                self._keys.remove(role)
        online_keys.forget_earlier(self._keys, now.root.signed)

    def _check_is_new(self) -> None:
        """A lost timestamp must not restart the versions: every node would refuse them."""
        if self._files.read(edition.file_name("snapshot", 2)) is not None:
            raise DataCorrupt(f"the metadata file {TIMESTAMP_FILE} is missing: restore the TUF metadata from a backup")

    def _write(self, files: Sequence[MetadataFile]) -> None:
        for file in files:
            self._files.write(file.name, file.data)

    def _signing(self) -> Signing:
        return Signing(
            private_key=self._keys.private_bytes,
            held_key=self._keys.held_bytes,
            now_s=utc_s(self._clock),
            settings=self._settings,
        )


def _document_in(signed: Targets | None) -> Envelope | None:
    try:
        return envelope.parse(envelope.document_in(signed)) if signed else None
    except InvalidRequest as error:
        # Another release installed it. Nodes judge for themselves, and everything else goes on.
        log.error("envelope.unreadable", reason=error.message)  # noqa: TRY400 - the reason is logged
        return None


def _offer_name(role: str) -> str:
    return f"offered-{role}.json"
