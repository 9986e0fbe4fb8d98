"""Which reference files are declared, and for whom, read within a transaction.

They follow the order of settings: of several files of one name a node has the one that was declared for the narrowest
of fleet, group, site and node.
"""

import msgspec

from ganglion.hub.services.nodes import settings_documents
from ganglion.hub.services.organisation import groups
from ganglion.ports.hub_store import ControlTransaction, DocumentRow, NodeRow
from ganglion.trust.files import FilesStatement, ListedFile, SignedFiles
from ganglion.wire import codec
from ganglion.wire.desired import DesiredState, ReferenceFile

KIND = "file"


class DeclaredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file by its content, and for whom it is."""

    scope: str
    """fleet, group, site or node."""
    target: str
    """Name of the group, site or node; empty for the fleet."""
    name: str
    sha256: str
    size_bytes: int
    put_by: str = ""

    @property
    def key(self) -> str:
        """Return what it is kept under."""
        return f"{self.scope}:{self.target}:{self.name}"


def declared(tx: ControlTransaction) -> list[DeclaredFile]:
    """Return every file that was declared."""
    return [codec.decode_json(row.document, DeclaredFile) for row in tx.documents(KIND)]


def keep(tx: ControlTransaction, file: DeclaredFile, *, now_s: float) -> None:
    """Declare a file, in the place of the one of the same name and scope."""
    tx.put_document(DocumentRow(KIND, file.key, codec.encode_json(file), now_s))


def wanted(tx: ControlTransaction, node: NodeRow) -> tuple[ReferenceFile, ...]:
    """Return the files that a node should have, by name."""
    files = declared(tx)
    if not files:
        return ()
    named = {each.target for each in files if each.scope == "group"}
    priorities = settings_documents.documents(tx).priorities
    order = {("fleet", ""): (0, 0, "")}
    order |= {("group", name): (1, priorities.get(name, 0), name) for name in groups.groups_of(tx, node, named)}
    order |= {("site", node.site): (2, 0, ""), ("node", node.name): (3, 0, "")}
    meant = [each for each in files if (each.scope, each.target) in order]
    found = {each.name: each for each in sorted(meant, key=lambda each: order[each.scope, each.target])}
    return tuple(ReferenceFile(each.name, each.sha256, each.size_bytes) for _, each in sorted(found.items()))


def depends_on_groups(tx: ControlTransaction) -> bool:
    """Say whether what nodes are told depends on who belongs to which group."""
    return bool(settings_documents.documents(tx).groups) or any(each.scope == "group" for each in declared(tx))


def statement(state: DesiredState, node_id: str) -> FilesStatement:
    """Return what is signed of the files of a desired state."""
    listed = tuple(ListedFile(name=each.name, sha256=each.sha256, size_bytes=each.size_bytes) for each in state.files)
    return FilesStatement(node_id=node_id, incarnation=state.incarnation, revision=state.revision, files=listed)


def with_statement(state: DesiredState, signed: SignedFiles | None) -> DesiredState:
    """Return the state with the hub's word on its files."""
    if signed is None:
        return state
    return msgspec.structs.replace(
        state, files_statement=signed.payload, files_key=signed.key_id, files_signature=signed.signature
    )
