"""The events that tell of what a node was asked to do. Each is a link of the node's audit chain too."""

import hashlib
from typing import Final

from ganglion.node.domain import redaction
from ganglion.ports.action_runner import ActionOutcome
from ganglion.wire.desired import NodeCommand
from ganglion.wire.records import EventRecord

BEGUN: Final = "action.begun"
ENDED: Final = "action.ended"
REFUSED: Final = "action.refused"
CHAINED: Final[tuple[str, ...]] = (
    *("order", "action", "arguments", "person", "role", "exit", "output_sha256", "untold"),
    *("closed_by", "recording_sha256"),
)
"""Facts that the audit chain keeps. The output itself is not among them."""
_TEXT_MAX: Final = 400


def begun(command: NodeCommand) -> EventRecord:
    """Return the event that an order is being carried out."""
    return EventRecord(name=BEGUN, reason=_asked(command), facts=_facts(command))


def refused(command: NodeCommand, why: str) -> EventRecord:
    """Return the event that an order was not carried out."""
    return EventRecord(name=REFUSED, reason=f"{_asked(command)}: {why}"[:1000], facts=_facts(command))


def ended(command: NodeCommand, answer: str) -> EventRecord:
    """Return the event of an order without output."""
    return EventRecord(name=ENDED, reason=f"{_asked(command)}: {answer}"[:1000], facts=_facts(command))


def told(command: NodeCommand, output: str) -> EventRecord:
    """Return the event of an order that found something out."""
    digest = hashlib.sha256(output.encode()).hexdigest()
    facts = {**_facts(command), "output": output, "output_sha256": digest}
    return EventRecord(name=ENDED, reason=f"{_asked(command)}: done", facts=facts)


def ran(command: NodeCommand, outcome: ActionOutcome) -> EventRecord:
    """Return the event of a program that has ended, with its output, from which secrets are taken out."""
    output = redaction.redacted(redaction.printable(outcome.output))
    facts = {
        **_facts(command),
        "exit": str(outcome.code),
        "output": output,
        # Of what is sent: a digest of what was hidden would let short secrets be guessed.
        "output_sha256": hashlib.sha256(output.encode()).hexdigest(),
    }
    if outcome.ended_by:
        facts["ended_by"] = outcome.ended_by
    return EventRecord(name=ENDED, reason=f"{_asked(command)}: {answer_of(outcome)}", facts=facts)


def answer_of(outcome: ActionOutcome) -> str:
    """Return what is reported of a program."""
    if outcome.ended_by:
        return f"ended at its limit of {outcome.ended_by}"
    return "done" if outcome.code == 0 else f"failed with exit code {outcome.code}"


def _asked(command: NodeCommand) -> str:
    person = f"{command.person} ({command.role})" if command.person else "the hub"
    return f"{command.name[:64]} asked by {person}"[:_TEXT_MAX]


def _facts(command: NodeCommand) -> dict[str, str]:
    said = {
        "order": command.id,
        "action": command.name,
        "arguments": " ".join(command.arguments),
        "person": command.person,
        "role": command.role,
    }
    return {name: value[:_TEXT_MAX] for name, value in said.items() if value}
