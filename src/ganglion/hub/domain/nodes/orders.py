"""What a hub lets a person ask of a node. The node decides again, by limits that the hub cannot change."""

from ganglion.core.errors import InvalidRequest
from ganglion.core.identity_errors import Forbidden
from ganglion.trust import actions, shell
from ganglion.trust.envelope import Envelope, NamedAction
from ganglion.trust.limits import BUILT_IN_ACTIONS
from ganglion.trust.shell import ShellWish
from ganglion.wire.node_resources import CommandRequest

COUNT_MAX = 10_000
LIFE_S_MAX = 7 * 86_400.0
_PLAIN = tuple(name for name in BUILT_IN_ACTIONS if name != "collect")


def check(request: CommandRequest, envelope: Envelope | None, *, role: str) -> None:
    """Find out early what every node would refuse. Raises: InvalidRequest, Forbidden: not for this role."""
    if not 0 < request.expires_in_s <= LIFE_S_MAX:
        raise InvalidRequest(f"expires_in_s lies above 0 and is at most {LIFE_S_MAX:.0f}")
    if (request.name == "collect") != (request.count > 0) or request.count > COUNT_MAX:
        raise InvalidRequest(f"count is 1 to {COUNT_MAX} for collect, and left out for everything else")
    if request.name in BUILT_IN_ACTIONS:
        if request.arguments and request.name != "logs":
            raise InvalidRequest(f"{request.name} takes no arguments")
        return
    _check_named(request, envelope, role=role)


def check_shell(wish: ShellWish, envelope: Envelope | None, *, person: str, role: str) -> None:
    """Find out early what every node would refuse. Raises: InvalidRequest."""
    found: list[NamedAction | None] = [action for action in named(envelope) if action.name == shell.NAME]
    errors: list[InvalidRequest] = []
    for action in found or [None]:
        try:
            shell.check(action, wish, person=person, role=role)
        except InvalidRequest as error:
            errors.append(error)
        else:
            return
    raise errors[0]


def named(envelope: Envelope | None) -> list[NamedAction]:
    """Return every action that an envelope names, for all nodes or for some."""
    if envelope is None:
        return []
    parts = (envelope.limits, *(scope.limits for scope in envelope.scopes))
    return [action for limits in parts for action in limits.actions or ()]


def _check_named(request: CommandRequest, envelope: Envelope | None, *, role: str) -> None:
    if request.name == shell.NAME:
        raise InvalidRequest("a shell is no action: ask for it with `ganglion node shell`")
    offered = [action for action in named(envelope) if action.name == request.name]
    if not offered:
        known = sorted({action.name for action in named(envelope)})
        more = f", and by its envelope {', '.join(known)}" if known else "; no envelope names more"
        raise InvalidRequest(f"a node obeys {', '.join(BUILT_IN_ACTIONS)}{more}; {request.name[:40]!r} is none of them")
    allowed = [action for action in offered if role in {each.value for each in action.roles}]
    if not allowed:
        raise Forbidden(f"the envelope does not let the role {role} ask for {request.name}")
    # A site may have another command line of that name: one that fits is enough, the node knows which is its own.
    errors: list[InvalidRequest] = []
    for action in allowed:
        try:
            actions.command_of(action, request.arguments)
        except InvalidRequest as error:
            errors.append(error)
    if len(errors) == len(allowed):
        raise errors[0]
