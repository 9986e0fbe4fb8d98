"""Reference files that nodes should have: declared for the fleet, a group, a site or a node, and kept by content."""

from pathlib import Path

from ganglion.core.errors import Conflict, NotFound, TooLarge
from ganglion.core.ids import Digest, parse_name
from ganglion.hub.domain.file_limits import FileLimits
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.nodes import file_documents
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.nodes.file_documents import DeclaredFile
from ganglion.hub.services.nodes.fleet import report_of
from ganglion.hub.services.nodes.node_settings import renew
from ganglion.hub.services.organisation import groups
from ganglion.ports.artifacts import ArtifactStore
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.wire.file_resources import FileView

LIMITS = FileLimits()


class ReferenceFiles:
    """Declares files and forgets them. Safe to use from many threads."""

    def __init__(
        self,
        *,
        control: ControlStore,
        artifacts: ArtifactStore,
        desired: Desired,
        clock: Clock,
        limits: FileLimits = LIMITS,
    ) -> None:
        self._control, self._artifacts, self._desired, self._clock = control, artifacts, desired, clock
        self._limits = limits

    def put(self, scope: str, target: str, name: str, content: Path, *, actor: str) -> FileView:
        """Let every node of a scope have this content under the name.

        Raises: InvalidName, NotFound: no such group or node. TooLarge, Conflict: there are too many. DiskUnusable.
        """
        parse_name(name, what="file")
        size_bytes = content.stat().st_size
        if size_bytes > self._limits.file_bytes_max:
            raise TooLarge(f"the file has {size_bytes:,} bytes, at most {self._limits.file_bytes_max:,} are kept")
        with self._control.read() as tx:
            _check_target(tx, scope, target)
        digest = self._artifacts.put_file(content)
        file = DeclaredFile(scope=scope, target=target, name=name, sha256=digest, size_bytes=size_bytes, put_by=actor)
        with self._control.write() as tx:
            self._check_room(tx, file)
            file_documents.keep(tx, file, now_s=utc_s(self._clock))
            facts = {"sha256": digest, "size_bytes": str(size_bytes)}
            audit.note(tx, self._clock, Deed(actor=actor, action="file.put", subject=file.key, facts=facts))
            touched = _renewed(tx, scope, target)
        self._desired.announce(touched)
        return _view(file)

    def remove(self, scope: str, target: str, name: str, *, actor: str) -> None:
        """Let the nodes of a scope have it no more. Raises: NotFound: it was not declared for them."""
        file = DeclaredFile(scope=scope, target=target, name=name, sha256="", size_bytes=0)
        with self._control.write() as tx:
            if not tx.remove_document(file_documents.KIND, file.key):
                whom = f"the {scope} {target}".strip()
                raise NotFound(f"no file {name[:80]!r} is declared for {whom[:100]}")
            audit.note(tx, self._clock, Deed(actor=actor, action="file.removed", subject=file.key))
            touched = _renewed(tx, scope, target)
        self._desired.announce(touched)

    def files(self) -> list[FileView]:
        """Return every file that was declared."""
        with self._control.read() as tx:
            return [_view(each) for each in file_documents.declared(tx)]

    def files_of(self, node_name: str) -> list[FileView]:
        """Return the files that a node should have, and what it says of them. Raises: NotFound."""
        with self._control.read() as tx:
            node = tx.node_by_name(node_name)
            if node is None:
                raise NotFound(f"no node is named {node_name[:80]!r}")
            found, report = file_documents.wanted(tx, node), report_of(node)
        told = report.files if report else {}
        return [
            FileView("node", node.name, each.name, each.sha256, each.size_bytes, state=told.get(each.name, "waiting"))
            for each in found
        ]

    def content(self, node_id: str, digest: Digest) -> Path:
        """Return where the content of a file lies that this node should have. Raises: NotFound: it should not."""
        with self._control.read() as tx:
            node = tx.node(node_id)
            found = file_documents.wanted(tx, node) if node else ()
        if digest not in {each.sha256 for each in found}:
            raise NotFound("no reference file of this node has that digest")
        return self._artifacts.path(digest)

    def _check_room(self, tx: ControlTransaction, file: DeclaredFile) -> None:
        others = [each for each in file_documents.declared(tx) if each.key != file.key]
        if len(others) >= self._limits.files_max:
            raise Conflict(f"{self._limits.files_max} files are declared, which is the limit")
        of_scope = sum((each.scope, each.target) == (file.scope, file.target) for each in others)
        if of_scope >= self._limits.place_files_max:
            raise Conflict(f"{self._limits.place_files_max} files are declared here already, which is the limit")
        total = sum({each.sha256: each.size_bytes for each in [*others, file]}.values())
        if total > self._limits.total_bytes_max:
            most = self._limits.total_bytes_max
            raise TooLarge(f"all files together have {total:,} bytes, at most {most:,} are kept")


def _check_target(tx: ControlTransaction, scope: str, target: str) -> None:
    """Raises: NotFound, InvalidName."""
    match scope:
        case "group":
            groups.group(tx, target)
        case "node":
            if tx.node_by_name(target) is None:
                raise NotFound(f"no node is named {target[:80]!r}")
        case "site":
            parse_name(target, what="site")
        case _:
            assert scope == "fleet", "the entrypoint knows four scopes"


def _renewed(tx: ControlTransaction, scope: str, target: str) -> list[str]:
    if scope != "node":
        return renew(tx, scope, target)
    node = tx.node_by_name(target)
    return renew(tx, scope, node.node_id) if node else []


def _view(file: DeclaredFile) -> FileView:
    return FileView(file.scope, file.target, file.name, file.sha256, file.size_bytes, put_by=file.put_by)
