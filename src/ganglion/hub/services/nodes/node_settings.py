"""Settings and commands that people give to nodes; both reach a node with its desired state."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.core.ids import parse_name
from ganglion.hub.domain.nodes import node_settings, orders
from ganglion.hub.domain.nodes.node_settings import Documents
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.nodes import settings_documents
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.nodes.fleet import report_of, told_settings
from ganglion.hub.services.nodes.settings_documents import Given
from ganglion.hub.services.organisation import groups
from ganglion.hub.services.organisation.places import is_time_zone
from ganglion.ports.clock import Chance, Clock, new_id, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, NodeQuery, NodeRow, NodeTerm
from ganglion.trust.envelope import Envelope
from ganglion.wire.desired import NodeCommand
from ganglion.wire.node_resources import (
    CommandRequest,
    CommandView,
    NodeSettingsView,
    SettingLine,
    SettingsChange,
    SettingsDocument,
)

_SITES_MAX = 1000
_PRIORITY_MAX = 1000
_COMMANDS_MAX = 16
_KEPT_S = 86_400.0
"""How long a command that has ended can still be looked at."""


def _no_envelope() -> None:
    """Nobody has signed limits."""


class NodeSettings:
    """Changes and explains settings, and hands commands to nodes."""

    def __init__(
        self,
        *,
        control: ControlStore,
        desired: Desired,
        clock: Clock,
        chance: Chance,
        envelope: Callable[[], Envelope | None] = _no_envelope,
    ) -> None:
        """`envelope` returns the newest limits that the hub knows of."""
        self._control, self._desired, self._clock, self._chance = control, desired, clock, chance
        self._envelope = envelope

    def change_fleet(self, change: SettingsChange, *, actor: str) -> SettingsDocument:
        """Change what holds for every node that nothing narrower speaks of. Raises: InvalidRequest."""
        return self._change("fleet", "", change, actor)

    def change_site(self, site: str, change: SettingsChange, *, actor: str) -> SettingsDocument:
        """Change what holds for the nodes of a site. Raises: InvalidRequest, InvalidName."""
        return self._change("site", parse_name(site, what="site"), change, actor)

    def change_group(self, name: str, change: SettingsChange, *, actor: str) -> SettingsDocument:
        """Change what holds for the nodes of a group. Raises: InvalidRequest, NotFound: there is no such group."""
        return self._change("group", name, change, actor)

    def change_node(self, name: str, change: SettingsChange, *, actor: str) -> SettingsDocument:
        """Change what holds for one node. Raises: InvalidRequest, NotFound."""
        return self._change("node", name, change, actor)

    def explain(self, name: str) -> NodeSettingsView:
        """Return every setting of a node and who chose it. Raises: NotFound."""
        with self._control.read() as tx:
            node = _node(tx, name)
            chosen = settings_documents.explained(tx, node)
        lines = [
            SettingLine(key, each.value, each.source, [f"{source}: {value}" for source, value in each.overridden])
            for key, each in sorted(chosen.items())
        ]
        return NodeSettingsView(
            node=node.name,
            site=node.site,
            revision=node.desired_revision,
            settings=lines,
            told=told_settings(report_of(node)),
        )

    def command(
        self, name: str, request: CommandRequest, *, actor: str, role: str = "", reason: str = ""
    ) -> CommandView:
        """Ask a node to do something once, before the request expires. `role` is the actor's.

        Raises: NotFound, InvalidRequest, Conflict, Forbidden.
        """
        self.check_command(request, role=role)
        return self.hand_out(name, request, new_id(self._chance), actor=actor, role=role, reason=reason)

    def check_command(self, request: CommandRequest, *, role: str) -> None:
        """Find out early what every node would refuse. Raises: InvalidRequest, Forbidden: not for this role."""
        orders.check(request, self._envelope(), role=role)

    def hand_out(
        self, name: str, request: CommandRequest, command_id: str, *, actor: str, role: str, reason: str = ""
    ) -> CommandView:
        """Give a node a command that was checked. Raises: NotFound, Conflict: too many wait."""
        now_s = utc_s(self._clock)
        command = NodeCommand(
            id=command_id,
            name=request.name,
            expires_at_s=now_s + request.expires_in_s,
            count=request.count,
            arguments=tuple(request.arguments),
            person=actor,
            role=role,
        )
        with self._control.write() as tx:
            node = _node(tx, name)
            kept = [each for each in settings_documents.commands(tx) if now_s < each.command.expires_at_s + _KEPT_S]
            if sum(each.node_id == node.node_id for each in kept) >= _COMMANDS_MAX:
                kept = _without_oldest_ended(kept, node.node_id, now_s=now_s)
            given = Given(node.node_id, command, actor)
            settings_documents.put_commands(tx, [*kept, given])
            renew(tx, "node", node.node_id)
            facts = {"command": command.name, "count": str(command.count), "order": command.id}
            if command.arguments:
                facts["arguments"] = " ".join(command.arguments)
            deed = Deed(actor=actor, action="node.commanded", subject=node.name, reason=reason, facts=facts)
            audit.note(tx, self._clock, deed)
        self._desired.announce([node.node_id])
        return _command_view(given, node, now_s)

    def commands(self, name: str) -> list[CommandView]:
        """Return what a node was asked to do lately, newest first. Raises: NotFound."""
        now_s = utc_s(self._clock)
        with self._control.read() as tx:
            node = _node(tx, name)
            given = [each for each in settings_documents.commands(tx) if each.node_id == node.node_id]
        return [_command_view(each, node, now_s) for each in reversed(given)]

    def _change(self, scope: str, name: str, change: SettingsChange, actor: str) -> SettingsDocument:
        put = {key: node_settings.parsed(key, text) for key, text in change.set.items()}
        _check_zone(change.set.get("agent.time_zone", ""))
        if change.priority is not None and (scope != "group" or abs(change.priority) > _PRIORITY_MAX):
            raise InvalidRequest(f"priority is for a group, and between -{_PRIORITY_MAX} and {_PRIORITY_MAX}")
        known = frozenset(node_settings.settable())
        unknown = next((key for key in change.unset if key not in known), None)
        if unknown is not None:
            raise InvalidRequest(f"there is no setting {unknown[:80]!r}; there are {', '.join(sorted(known))}")
        if len(change.unset) > len(known):
            raise InvalidRequest(
                f"{len(change.unset)} settings to leave to the wider scope, and there are {len(known)}"
            )
        with self._control.write() as tx:
            if scope == "group":
                groups.group(tx, name)
            before = settings_documents.documents(tx)
            layer, touched = change_layer(tx, scope, name, put=put, drop=change.unset, priority=change.priority)
            if settings_documents.documents(tx) != before:
                deed = Deed(
                    actor=actor, action="node.settings", subject=f"{scope} {name}".strip(), facts=_facts(change)
                )
                audit.note(tx, self._clock, deed)
        self._desired.announce(touched)
        return SettingsDocument(
            scope=scope, name=name, settings={key: bytes(raw).decode() for key, raw in sorted(layer.items())}
        )


def _facts(change: SettingsChange) -> dict[str, str]:
    priority = {} if change.priority is None else {"priority": str(change.priority)}
    return {**change.set, **dict.fromkeys(change.unset, "(unset)"), **priority}


def change_layer(
    tx: ControlTransaction,
    scope: str,
    name: str,
    *,
    put: Mapping[str, msgspec.Raw],
    drop: Sequence[str],
    priority: int | None = None,
) -> tuple[node_settings.Layer, list[str]]:
    """Set and unset values of a scope; return what is set there now, and the nodes that the change reaches.

    `priority` is that of a group among others; None leaves it as it is.
    Raises: NotFound: no such node. Conflict: too many scopes have settings of their own.
    """
    documents = settings_documents.documents(tx)
    key = _node(tx, name).node_id if scope == "node" else name
    layer = node_settings.changed(_layer(documents, scope, key), put=put, drop=list(drop))
    after = _with_layer(documents, scope, key, layer)
    if priority is not None:
        after = msgspec.structs.replace(after, priorities={**after.priorities, key: priority})
    settings_documents.put_documents(tx, after)
    return layer, renew(tx, scope, key) if after != documents else []


def layer_of(tx: ControlTransaction, scope: str, name: str) -> node_settings.Layer:
    """Return what is set for the fleet, a group, a site or a node. Raises: NotFound: no such node."""
    key = _node(tx, name).node_id if scope == "node" else name
    return _layer(settings_documents.documents(tx), scope, key)


def _without_oldest_ended(kept: list[Given], node_id: str, *, now_s: float) -> list[Given]:
    ended = next((each for each in kept if each.node_id == node_id and each.command.expires_at_s <= now_s), None)
    if ended is None:
        raise Conflict(f"{_COMMANDS_MAX} commands wait for this node already")
    return [each for each in kept if each is not ended]


def _command_view(given: Given, node: NodeRow, now_s: float) -> CommandView:
    expired = now_s >= given.command.expires_at_s
    return CommandView(
        id=given.command.id,
        node=node.name,
        name=given.command.name,
        count=given.command.count,
        expires_at_s=given.command.expires_at_s,
        given_by=given.given_by,
        state=given.answer or ("expired" if expired else "waiting"),
        arguments=list(given.command.arguments),
    )


def _node(tx: ControlTransaction, name: str) -> NodeRow:
    node = tx.node_by_name(name)
    if node is None:
        raise NotFound(f"no node is named {name[:80]!r}")
    return node


def _layer(documents: Documents, scope: str, key: str) -> node_settings.Layer:
    match scope:
        case "fleet":
            return documents.fleet
        case "group":
            return documents.groups.get(key, {})
        case "site":
            return documents.sites.get(key, {})
        case _:
            return documents.nodes.get(key, {})


def _with_layer(documents: Documents, scope: str, key: str, layer: node_settings.Layer) -> Documents:
    if scope == "fleet":
        return msgspec.structs.replace(documents, fleet=layer)
    field = f"{scope}s"
    layers = {**getattr(documents, field), key: layer}
    if not layer:
        del layers[key]
    if scope != "node" and len(layers) > _SITES_MAX:
        raise Conflict(f"{_SITES_MAX} {field} have settings of their own already")
    return msgspec.structs.replace(documents, **{field: layers})


def renew(tx: ControlTransaction, scope: str, key: str) -> list[str]:
    """Give every node that a change of a scope reaches a newer revision, and return their ids."""
    if scope == "node":
        node_ids = [key]
    elif scope == "group":
        node_ids = [node.node_id for node in _members(tx, key)]
    elif scope == "site":
        node_ids = [node.node_id for node in tx.find_nodes(NodeQuery(terms=(NodeTerm("site", (key,)),)))]
    else:
        node_ids = [node.node_id for node in tx.nodes()]
    # One for all: revisions are compared within a node.
    tx.set_revision(node_ids, tx.next_revision())
    return node_ids


def _members(tx: ControlTransaction, group: str) -> list[NodeRow]:
    """Return whom a group means; nobody, when it was forgotten before its settings."""
    return groups.members(tx, group) if tx.document(groups.KIND, group) else []


def _check_zone(name: str) -> None:
    if name and not is_time_zone(name):
        raise InvalidRequest(f"agent.time_zone: there is no time zone {name[:80]!r}; one is Europe/Lisbon")
