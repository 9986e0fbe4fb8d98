"""What the hub wants of each node: assignments, and the versions that new nodes start with.

Every change gives the node a new revision in the transaction of the change; `announce` wakes whoever
waits for it, and is called after the commit, for a waiter that looks earlier would see the old state.
"""

import dataclasses
from collections.abc import Callable, Sequence

import msgspec
import structlog

from ganglion.core.errors import NotFound
from ganglion.core.ids import Digest
from ganglion.hub.domain.nodes import lifecycle, node_settings
from ganglion.hub.services.incarnation import known_incarnation
from ganglion.hub.services.nodes import file_documents, settings_documents
from ganglion.hub.services.releases.release_choice import choose_release
from ganglion.ports.hub_store import AssignmentRow, ControlStore, ControlTransaction, NodeRow, ReleaseRow
from ganglion.trust.assignment import AssignmentStatement, SignedAssignment
from ganglion.trust.files import FilesStatement, SignedFiles
from ganglion.trust.orders import OrderSigner, OrderStatement
from ganglion.wire import codec, paths
from ganglion.wire.desired import Assignment, DeploymentPolicy, DesiredState, NodeCommand

log = structlog.get_logger()

_DEFAULTS = "fleet_defaults"
_ASSIGNMENT_KEYS = "assignment_keys"
_ENVELOPE = "envelope_version"


class FleetDefault(msgspec.Struct, frozen=True):
    """The version that the newest completed rollout of a model left in the fleet."""

    version: str
    rollout_id: str
    policy: DeploymentPolicy


class Desired:
    """Reads and changes desired states."""

    def __init__(
        self,
        *,
        control: ControlStore,
        repository_root_version: Callable[[], int],
        changed: Callable[[Sequence[str]], None],
        sign: Callable[[AssignmentStatement], SignedAssignment | None] | None = None,
        sign_order: OrderSigner | None = None,
        sign_files: Callable[[FilesStatement], SignedFiles | None] | None = None,
        envelope_version: Callable[[], int] = lambda: 0,
        now_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._control = control
        self._root_version = repository_root_version
        self._changed = changed
        self._sign = sign or _unsigned
        self._sign_order, self._envelope_version = sign_order or _unsigned_order, envelope_version
        self._sign_files = sign_files
        self._now_s = now_s

    def revision_of(self, node_id: str) -> tuple[str, int]:
        """Return incarnation and revision of a node's desired state, without signing any of it. Raises: NotFound."""
        with self._control.read() as tx:
            node = tx.node(node_id)
            if node is None:
                raise NotFound(f"no node has the id {node_id}")
            return known_incarnation(tx), node.desired_revision

    def state_of(self, node_id: str) -> DesiredState:
        """Return the whole desired state of a node. Raises: NotFound."""
        root_version = self._root_version()
        with self._control.read() as tx:
            node = tx.node(node_id)
            if node is None:
                raise NotFound(f"no node has the id {node_id}")
            rows = sorted(tx.assignments(node_id=node_id), key=lambda row: row.model)
            chosen = settings_documents.explained(tx, node)
            state = DesiredState(
                incarnation=known_incarnation(tx),
                revision=node.desired_revision,
                assignments=tuple(_assignment(tx, row) for row in rows),
                collection=node_settings.collection_of(chosen),
                agent=node_settings.agent_of(chosen),
                commands=settings_documents.pending(tx, node, now_s=self._now_s()),
                root_version_min=root_version,
                files=file_documents.wanted(tx, node),
                rekey_of="" if node.rekey_asked_at_s is None else node.public_key,
            )
        signed = tuple(self._signed(one, node_id, state) for one in state.assignments)
        commands = tuple(self._signed_command(one, node_id) for one in state.commands)
        signed_files = self._sign_files(file_documents.statement(state, node_id)) if self._sign_files else None
        state = file_documents.with_statement(state, signed_files)
        return msgspec.structs.replace(
            state, assignments=signed, commands=commands, envelope_version=self._envelope_version()
        )

    def assign(self, tx: ControlTransaction, row: AssignmentRow) -> bool:
        """Let a node serve this version of the model. False when it was wanted already."""
        if row in tx.assignments(node_id=row.node_id, model=row.model):
            return False
        tx.put_assignment(row)
        _bump(tx, row.node_id)
        return True

    def withdraw(self, tx: ControlTransaction, node_id: str, model: str) -> bool:
        """Let a node serve no version of the model. False when none was wanted."""
        if not tx.assignments(node_id=node_id, model=model):
            return False
        tx.remove_assignment(node_id, model)
        _bump(tx, node_id)
        return True

    def assign_all(self, tx: ControlTransaction, rows: Sequence[AssignmentRow]) -> list[str]:
        """Let each of these nodes serve a version; return those for which that is news."""
        return _bumped(tx, tx.put_assignments(rows))

    def withdraw_all(self, tx: ControlTransaction, node_ids: Sequence[str], model: str) -> list[str]:
        """Let these nodes serve no version of the model; return those for which that is news."""
        had = tx.assigned_versions(model) if node_ids else {}
        touched = [node_id for node_id in node_ids if node_id in had]
        tx.remove_assignments(touched, model)
        return _bumped(tx, touched)

    def announce(self, node_ids: Sequence[str]) -> None:
        """Wake the long polls of these nodes. Call it after the transaction."""
        if node_ids:
            self._changed(node_ids)

    def set_default(self, tx: ControlTransaction, model: str, default: FleetDefault) -> None:
        """Let nodes that join from now on start with this version."""
        defaults = {**_defaults(tx), model: default}
        tx.set_meta(_DEFAULTS, msgspec.json.encode(defaults).decode())

    def sign_again(self, keys: Sequence[str]) -> None:
        """Make every desired state news if nodes take assignments from other keys now than when this was last asked.

        What an earlier key signed is worth nothing to a node that knows the newer root.
        """
        known = ",".join(keys)
        with self._control.write() as tx:
            if tx.meta(_ASSIGNMENT_KEYS) == known:
                return
            tx.set_meta(_ASSIGNMENT_KEYS, known)
            node_ids = sorted({row.node_id for row in tx.assignments()})
            # One for all: revisions are compared within a node.
            tx.set_revision(node_ids, tx.next_revision())
        self.announce(node_ids)

    def tell_limits(self) -> None:
        """Make every desired state news if there is another envelope than when this was last asked."""
        version = str(self._envelope_version())
        with self._control.write() as tx:
            if (tx.meta(_ENVELOPE) or "0") == version:
                return
            tx.set_meta(_ENVELOPE, version)
            node_ids = [node.node_id for node in tx.nodes()]
            tx.set_revision(node_ids, tx.next_revision())
        self.announce(node_ids)

    def adopt(self, tx: ControlTransaction, node_id: str) -> bool:
        """Give a node the fleet's version of every model that it was given none of; say whether there was any."""
        node = tx.node(node_id)
        return bool([model for model in sorted(_defaults(tx)) if node and self._adopt_model(tx, node, model)])

    def adopt_everywhere(self, tx: ControlTransaction, model: str) -> list[str]:
        """Give the fleet's version to every active node that has none of the model, and return those nodes."""
        if model not in _defaults(tx):
            return []
        has = tx.assigned_versions(model)
        lacking = [each.node_id for each in tx.node_sights() if lifecycle.takes_part(each) and each.node_id not in has]
        return [node.node_id for node in tx.nodes_of(lacking) if self._adopt_model(tx, node, model)]

    def _signed(self, wish: Assignment, node_id: str, state: DesiredState) -> Assignment:
        """Return the assignment with the hub's signature, if the hub has a key that nodes know."""
        statement = AssignmentStatement(
            node_id=node_id,
            incarnation=state.incarnation,
            revision=state.revision,
            target_path=wish.target_path,
            sha256=wish.sha256,
            size_bytes=wish.size_bytes,
            rollout_id=wish.rollout_id,
            policy=msgspec.Raw(codec.encode_json(wish.policy)),
        )
        signed = self._sign(statement)
        if signed is None:
            return wish
        return msgspec.structs.replace(
            wish, statement=signed.payload, statement_key=signed.key_id, statement_signature=signed.signature
        )

    def _signed_command(self, command: NodeCommand, node_id: str) -> NodeCommand:
        """Return the command with the hub's signature, if the hub has a key that nodes know."""
        statement = OrderStatement(
            node_id=node_id,
            id=command.id,
            name=command.name,
            arguments=command.arguments,
            count=command.count,
            expires_at_s=command.expires_at_s,
            person=command.person,
            role=command.role,
        )
        signed = self._sign_order(statement)
        if signed is None:
            return command
        return msgspec.structs.replace(
            command, statement=signed.payload, statement_key=signed.key_id, statement_signature=signed.signature
        )

    def _adopt_model(self, tx: ControlTransaction, node: NodeRow, model: str) -> bool:
        default = _defaults(tx).get(model)
        if default is None or tx.assignments(node_id=node.node_id, model=model):
            return False
        release = choose_release(tx.releases(model, default.version), node)
        if release is None:
            log.warning("node.variant_missing", node=node.name, model=model, version=default.version)
            return False
        return self.assign(tx, assignment_row(node, release, rollout_id=default.rollout_id, policy=default.policy))


def _unsigned(_statement: AssignmentStatement) -> None:
    """Sign nothing: for a hub whose nodes know no key for it."""


def _unsigned_order(_statement: OrderStatement) -> None:
    """As above."""


def assignment_row(node: NodeRow, release: ReleaseRow, *, rollout_id: str, policy: DeploymentPolicy) -> AssignmentRow:
    """Return the row that gives `release` to `node`."""
    return row_for(node.node_id, release, rollout_id=rollout_id, policy=policy)


def row_for(node_id: str, release: ReleaseRow, *, rollout_id: str, policy: DeploymentPolicy) -> AssignmentRow:
    """Return the row that gives `release` to the node with this id."""
    return AssignmentRow(
        node_id=node_id,
        model=release.model,
        version=release.version,
        variant=release.variant,
        rollout_id=rollout_id,
        policy=codec.encode_json(policy),
    )


def _assignment(tx: ControlTransaction, row: AssignmentRow) -> Assignment:
    release = next((one for one in tx.releases(row.model, row.version) if one.variant == row.variant), None)
    assert release is not None, "what is assigned was released, and releases stay"
    return Assignment(
        model=row.model,
        version=row.version,
        variant=row.variant,
        target_path=paths.target_path(row.model, row.version, row.variant),
        size_bytes=release.size_bytes,
        sha256=Digest(release.sha256),
        arch=release.arch,
        runtime=release.runtime,
        rollout_id=row.rollout_id,
        policy=codec.decode_json(row.policy, DeploymentPolicy),
    )


def _bump(tx: ControlTransaction, node_id: str) -> None:
    node = tx.node(node_id)
    assert node is not None, "assignments belong to nodes"
    tx.put_node(dataclasses.replace(node, desired_revision=tx.next_revision()))


def _bumped(tx: ControlTransaction, node_ids: list[str]) -> list[str]:
    """Return these nodes, with one new revision for all: revisions are compared within a node."""
    if node_ids:
        tx.set_revision(node_ids, tx.next_revision())
    return node_ids


def _defaults(tx: ControlTransaction) -> dict[str, FleetDefault]:
    return codec.decode_json((tx.meta(_DEFAULTS) or "{}").encode(), dict[str, FleetDefault])
