"""Do the hub's signed statements belong to the desired state that they came with?

Whether they are signed is found out with the verified root, when an update begins. Here an old statement, replayed in a
new state, is refused before anything is begun.
"""

import msgspec

from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.trust.assignment import AssignmentStatement
from ganglion.wire.desired import Assignment, DesiredState

_SHOWN_MAX = 200


def check_present(desired: DesiredState) -> None:
    """Compare what is signed with the state's own revision. Raises: ArtifactUntrusted: a statement is not of today."""
    for assignment in desired.assignments:
        if assignment.statement:
            said = _statement_of(assignment)
            if (said.incarnation, said.revision) != (desired.incarnation, desired.revision):
                raise ArtifactUntrusted(
                    f"the signed assignment of {_shown(assignment)} is of revision {said.revision}, "
                    f"the state is of {desired.revision}"
                )


def _statement_of(assignment: Assignment) -> AssignmentStatement:
    try:
        return msgspec.json.decode(assignment.statement, type=AssignmentStatement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactUntrusted(f"the signed assignment of {_shown(assignment)} cannot be read") from error


def _shown(assignment: Assignment) -> str:
    """Nothing of it was looked at yet: it may be as long as a whole state."""
    return repr(assignment.target_path[:_SHOWN_MAX])
