"""What is stored of nodes' settings and commands, read within a transaction.

All documents are one row: they are small, and a change of the fleet's must be seen by all at once.
"""

from collections.abc import Mapping, Sequence

import msgspec

from ganglion.hub.domain.nodes import node_settings
from ganglion.hub.domain.nodes.node_settings import Chosen, Documents, Whose
from ganglion.hub.services.organisation import groups
from ganglion.ports.hub_store import ControlTransaction, NodeRow
from ganglion.wire.desired import NodeCommand

_DOCUMENTS = "node_settings"
_COMMANDS = "node_commands"
_SITE = "site"
_ANSWER_MAX = 200


class _Place(msgspec.Struct, frozen=True):
    """What of a declared site says how its nodes behave."""

    time_zone: str = ""


class Given(msgspec.Struct, frozen=True):
    """A command, and whom it was given to."""

    node_id: str
    command: NodeCommand
    given_by: str
    answer: str = ""
    """What the node said of it."""


def documents(tx: ControlTransaction) -> Documents:
    """Return what people set."""
    return msgspec.json.decode(tx.meta(_DOCUMENTS) or "{}", type=Documents)


def put_documents(tx: ControlTransaction, changed: Documents) -> None:
    """Replace what people set."""
    tx.set_meta(_DOCUMENTS, msgspec.json.encode(changed).decode())


def commands(tx: ControlTransaction) -> list[Given]:
    """Return the commands of all nodes, oldest first."""
    return msgspec.json.decode(tx.meta(_COMMANDS) or "[]", type=list[Given])


def put_commands(tx: ControlTransaction, given: Sequence[Given]) -> None:
    """Replace the commands of all nodes."""
    tx.set_meta(_COMMANDS, msgspec.json.encode(list(given)).decode())


def explained(tx: ControlTransaction, node: NodeRow) -> dict[str, Chosen]:
    """Return every setting of a node with its source."""
    found = documents(tx)
    site = tx.document(_SITE, node.site)
    whose = Whose(
        node_id=node.node_id,
        name=node.name,
        site=node.site,
        groups=tuple(groups.groups_of(tx, node, found.groups)),
        site_zone=msgspec.json.decode(site.document, type=_Place).time_zone if site else "",
    )
    return node_settings.explained(found, whose)


def pending(tx: ControlTransaction, node: NodeRow, *, now_s: float) -> tuple[NodeCommand, ...]:
    """Return what the node shall still do: not expired, and not answered."""
    waiting = (each.command for each in commands(tx) if each.node_id == node.node_id and not each.answer)
    return tuple(each for each in waiting if now_s < each.expires_at_s)


def note_answers(tx: ControlTransaction, node_id: str, answers: Mapping[str, str]) -> None:
    """Keep what a node reported of its commands: it forgets when it starts again."""
    given = commands(tx) if answers else []
    noted = [_answered(each, answers) if each.node_id == node_id else each for each in given]
    if noted != given:
        put_commands(tx, noted)


def _answered(given: Given, answers: Mapping[str, str]) -> Given:
    answer = answers.get(given.command.id, "")[:_ANSWER_MAX]
    return msgspec.structs.replace(given, answer=answer) if answer and not given.answer else given
