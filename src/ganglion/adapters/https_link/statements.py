"""Read what is signed beside the bytes: the hub's statement for this node, and the model role's conditions."""

import msgspec
from tuf.api.metadata import Root, TargetFile

from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.ports.hub_link import Vouched
from ganglion.trust import assignment as signed_assignments
from ganglion.trust.assignment import ExpectedAssignment, SignedAssignment
from ganglion.wire.desired import Assignment, DeploymentPolicy


def check(assignment: Assignment, root: Root, *, node_id: str) -> None:
    """Check the statement, where this root names keys for it. Raises: ArtifactUntrusted, AssignmentOutdated."""
    if not signed_assignments.is_demanded(root):
        return
    expected = ExpectedAssignment(
        node_id=node_id,
        target_path=assignment.target_path,
        sha256=assignment.sha256,
        size_bytes=assignment.size_bytes,
        rollout_id=assignment.rollout_id,
    )
    signed = SignedAssignment(
        payload=assignment.statement, key_id=assignment.statement_key, signature=assignment.statement_signature
    )
    statement = signed_assignments.verify(root, signed, expected)
    try:
        policy = msgspec.json.decode(statement.policy, type=DeploymentPolicy)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactUntrusted(f"the signed policy of {assignment.target_path} cannot be read: {error}") from error
    if policy != assignment.policy:
        raise ArtifactUntrusted(f"the signed assignment of {assignment.target_path} has another policy")


def vouched(target: TargetFile) -> Vouched:
    """Return the conditions that the model's role signs beside a package. Raises: ArtifactUntrusted: malformed."""
    try:
        return msgspec.convert(target.custom or {}, Vouched)
    except msgspec.ValidationError as error:
        raise ArtifactUntrusted(f"what is signed of {target.path} cannot be read: {error}") from error
