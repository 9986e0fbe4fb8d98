"""Law 4: the outbox stays within its cap, and gives up the lowest class first."""

from collections.abc import Mapping
from typing import ClassVar

from ganglion.testing.laws.law import Law
from ganglion.wire.records import RecordClass


class BoundedSpool(Law):
    """Looks at the outbox after it grew, and at every shedding."""

    number: ClassVar[int] = 4
    sentence: ClassVar[str] = "A spool never exceeds its byte cap; the highest classes are shed last."

    def holds(self, at_s: float, node: str, *, held_bytes: int, cap_bytes: int) -> None:
        """The outbox holds so much after it made room."""
        self.looks += 1
        if held_bytes > cap_bytes:
            self.broke(at_s, f"the outbox of {node} holds {held_bytes:,} bytes of at most {cap_bytes:,}")

    def gave_up(self, at_s: float, node: str, record_class: RecordClass, left: Mapping[RecordClass, int]) -> None:
        """The node gave up records of a class; `left` counts the bytes of each class that it could still give up."""
        self.looks += 1
        lower = [each for each in RecordClass if each > record_class and left.get(each, 0) > 0]
        if lower:
            names = ", ".join(each.name.lower() for each in lower)
            self.broke(at_s, f"{node} gave up records of class {record_class.name.lower()} and kept {names}")
