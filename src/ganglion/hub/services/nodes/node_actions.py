"""The same decision about many nodes: chosen by a selector or by name, told beforehand, done in one transaction."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from ganglion.core.errors import Conflict, GanglionError, InvalidRequest, NotFound, TooLarge
from ganglion.core.ids import parse_name
from ganglion.hub.domain.fleet import selectors
from ganglion.hub.domain.nodes.lifecycle import Standing
from ganglion.hub.services.identity import node_acts
from ganglion.hub.services.identity.node_acts import Act, By, Decided
from ganglion.hub.services.nodes.node_settings import NodeSettings
from ganglion.hub.services.organisation import groups
from ganglion.hub.services.organisation.groups import Sight
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, NodeQuery, NodeRow, NodeTerm
from ganglion.wire.fleet_resources import NodeActionLine, NodeActionReply, NodeActionRequest
from ganglion.wire.node_resources import CommandRequest

NODES_MAX = 10_000
"""Nodes that one action concerns."""
ASKED_MAX = 1000
"""Nodes that are asked something at once."""
_P, _A, _Q, _R = (
    standing.value for standing in (Standing.PENDING, Standing.ACTIVE, Standing.QUARANTINED, Standing.RETIRED)
)
WHOM: Mapping[str, tuple[str, ...]] = {
    "label": (_P, _A, _Q),
    "retire": (_P, _A, _Q),
    "revoke": (_P, _A, _Q, _R),
    "admit": (_Q,),
    "rekey": (_P, _A, _Q),
    "ask": (_P, _A),
}
"""Nodes that a selector can mean, for each action: the others cannot do it, or are it already."""


class NodeActions:
    """Acts on many nodes. Safe to use from many threads."""

    def __init__(
        self,
        *,
        control: ControlStore,
        node_settings: NodeSettings,
        clock: Clock,
        changed: Callable[[Sequence[str]], None],
    ) -> None:
        """`changed` wakes the waiting questions of nodes."""
        self._control, self._node_settings, self._clock, self._changed = control, node_settings, clock, changed

    def act(self, request: NodeActionRequest, *, actor: str, sees: Sight | None, role: str = "") -> NodeActionReply:
        """Do it to every node that `sees` lets pass, or only tell what would be done. `role` is the actor's.

        A node that cannot do it is told with the reason, and does not keep the others waiting.

        Raises: InvalidRequest, InvalidName, NotFound: a name, TooLarge: too many nodes,
        Conflict: another number of nodes would change than was expected, Forbidden: an action is not for this role.
        """
        _check(request)
        if request.action == "ask":
            return self._ask(request, actor=actor, role=role, sees=sees)
        if request.dry_run:
            with self._control.read() as tx:
                return _reply(request, [line for line, _ in self._judged(tx, request, sees)])
        by = By(self._clock, actor, request.reason)
        with self._control.write() as tx:
            judged = self._judged(tx, request, sees)
            reply = _reply(request, [line for line, _ in judged])
            _check_expected(request, reply)
            decisions = [decided for _, decided in judged if decided is not None]
            for decided in decisions:
                node_acts.carry_out(tx, decided, by)
        self._changed([decided.row.node_id for decided in decisions])
        return reply

    def _judged(
        self, tx: ControlTransaction, request: NodeActionRequest, sees: Sight | None
    ) -> list[tuple[NodeActionLine, Decided | None]]:
        act, now_s = _act_of(request), utc_s(self._clock)
        return [_judged(row, act, now_s) for row in _chosen(tx, request, sees)]

    def _ask(self, request: NodeActionRequest, *, actor: str, role: str, sees: Sight | None) -> NodeActionReply:
        """Hand out commands: each is kept for itself, since a node may have too many already."""
        wish = CommandRequest(
            name=request.command,
            count=request.count,
            expires_in_s=request.expires_in_s,
            arguments=request.arguments,
        )
        self._node_settings.check_command(wish, role=role)
        with self._control.read() as tx:
            rows = _chosen(tx, request, sees)
        if len(rows) > ASKED_MAX:
            raise TooLarge(f"{len(rows)} nodes are meant, and at most {ASKED_MAX} are asked at once")
        told = _reply(request, [NodeActionLine(row.name, row.site, "changed", request.command) for row in rows])
        if request.dry_run:
            return told
        _check_expected(request, told)
        by = By(self._clock, actor, request.reason)
        return _reply(request, [self._asked(row, wish, by, role=role) for row in rows])

    def _asked(self, row: NodeRow, wish: CommandRequest, by: By, *, role: str) -> NodeActionLine:
        try:
            self._node_settings.command(row.name, wish, actor=by.actor, role=role, reason=by.reason)
        except Conflict as error:
            return NodeActionLine(row.name, row.site, "refused", error.message)
        return NodeActionLine(row.name, row.site, "changed", wish.name)


def _check(request: NodeActionRequest) -> None:
    if request.action not in WHOM:
        raise InvalidRequest(f"action is one of {', '.join(WHOM)}")
    if request.select is None and not request.nodes:
        raise InvalidRequest("say which nodes: with a selector, or by name")
    if (request.action == "label") != bool(request.labels):
        raise InvalidRequest("labels are given for the action label, and for no other")
    if (request.action == "ask") != bool(request.command):
        raise InvalidRequest("a command is given for the action ask, and for no other")
    if request.arguments and request.action != "ask":
        raise InvalidRequest("arguments are given for the action ask, and for no other")
    if len(request.nodes) > NODES_MAX:
        raise TooLarge(f"{len(request.nodes)} names at once, at most {NODES_MAX} are possible")
    selectors.changed_labels({}, request.labels)


def _act_of(request: NodeActionRequest) -> Act:
    if request.action == "label":
        return node_acts.label(request.labels)
    plain: Mapping[str, Act] = {
        "retire": node_acts.retire,
        "revoke": node_acts.revoke,
        "admit": node_acts.admit,
        "rekey": node_acts.ask_rekey,
    }
    return plain[request.action]


def _chosen(tx: ControlTransaction, request: NodeActionRequest, sees: Sight | None) -> list[NodeRow]:
    """Return whom the request means, by name. Raises: NotFound, InvalidRequest, TooLarge."""
    found: dict[str, NodeRow] = {}
    within = sees(tx) if sees else ()
    if request.select is not None:
        terms, standings = groups.terms_of(selectors.parse(request.select)), WHOM[request.action]
        query = NodeQuery(terms=terms, within=within, standings=standings, limit=NODES_MAX + 1)
        found = {row.name: row for row in tx.find_nodes(query)}
    for name in request.nodes:
        row = tx.node_by_name(parse_name(name, what="node"))
        if row is None:
            raise NotFound(f"no node is named {name!r}")
        found[name] = row
    if len(found) > NODES_MAX:
        raise TooLarge(f"more than {NODES_MAX} nodes are meant: select fewer at a time")
    named = NodeQuery(terms=(NodeTerm("name", tuple(found)),), within=within)
    return [found[name] for name in (tx.find_names(named) if within and found else sorted(found))]


def _judged(row: NodeRow, act: Act, now_s: float) -> tuple[NodeActionLine, Decided | None]:
    try:
        decided = act(row, now_s)
    except GanglionError as error:
        return NodeActionLine(row.name, row.site, "refused", error.message), None
    return NodeActionLine(row.name, row.site, "changed" if decided else "unchanged"), decided


def _reply(request: NodeActionRequest, lines: Sequence[NodeActionLine]) -> NodeActionReply:
    counts = Counter(line.outcome for line in lines)
    return NodeActionReply(
        action=request.action,
        dry_run=request.dry_run,
        changed=counts["changed"],
        unchanged=counts["unchanged"],
        refused=counts["refused"],
        nodes=list(lines),
    )


def _check_expected(request: NodeActionRequest, reply: NodeActionReply) -> None:
    if request.expected is not None and reply.changed != request.expected:
        raise Conflict(f"{reply.changed} nodes would change, and {request.expected} were expected: look again")
