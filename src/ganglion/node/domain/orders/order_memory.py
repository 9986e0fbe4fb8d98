"""Which commands a node has heard of, across restarts: none is obeyed twice, whatever a hub sends again."""

from typing import Final

import msgspec

from ganglion.wire.desired import NodeCommand

KEPT_MAX: Final = 256
ANSWERS_MAX: Final = 32
BEGUN: Final = "begun"
INTERRUPTED: Final = "the agent ended while it ran"
_SLACK_S: Final = 600.0


class Known(msgspec.Struct, frozen=True):
    """A command that was heard of."""

    answer: str
    expires_at_s: float
    """0: nobody has signed it, or its time was wrong. What such a command says of its time binds no other."""


class OrderMemory(msgspec.Struct, frozen=True):
    """Commands by id, oldest first. What had to be forgotten is covered by a time before which nothing is obeyed."""

    known: dict[str, Known] = {}
    forgotten_until_s: float = 0.0

    def after(self, command: NodeCommand, answer: str, *, is_believed: bool) -> "OrderMemory":
        """Return the memory with this answer; the commands that expire first are forgotten when it is full.

        Of a command that is not believed the time counts for nothing: whoever answers in the hub's place, without its
        keys, could otherwise have the node take every later order for an old one.
        """
        known = {**self.known, command.id: Known(answer[:200], command.expires_at_s if is_believed else 0.0)}
        until_s = self.forgotten_until_s
        while len(known) > KEPT_MAX:
            others = (each for each in known if each != command.id)
            first = min(others, key=lambda each: known[each].expires_at_s)
            until_s = max(until_s, known.pop(first).expires_at_s)
        return OrderMemory(known, until_s)

    def after_restart(self) -> "OrderMemory":
        """Return the memory of a new process: what had begun may have been done in part, and is not done again."""
        return msgspec.structs.replace(
            self,
            known={
                name: msgspec.structs.replace(each, answer=INTERRUPTED) if each.answer == BEGUN else each
                for name, each in self.known.items()
            },
        )

    def is_new(self, command: NodeCommand) -> bool:
        """Tell whether this command was not heard of."""
        return command.id not in self.known

    def why_not_now(self, command: NodeCommand, *, now_s: float, life_s_max: float) -> str:
        """Return why a new command's time is wrong; empty when it is not."""
        if command.expires_at_s <= self.forgotten_until_s:
            return "it is as old as commands that this node has forgotten: it may be one of them"
        if command.expires_at_s <= now_s:
            return "it has expired"
        if command.expires_at_s > now_s + life_s_max + _SLACK_S:
            return f"it expires in more than {life_s_max:.0f} s"
        return ""

    @property
    def answers(self) -> dict[str, str]:
        """Return the newest answers by id, for the report. What has only begun has none."""
        ended = {name: each.answer for name, each in self.known.items() if each.answer != BEGUN}
        return {name: ended[name] for name in list(ended)[-ANSWERS_MAX:]}
