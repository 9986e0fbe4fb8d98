"""Law 7: a power cut leaves the old state or the new one."""

from typing import ClassVar

from ganglion.testing.laws.law import Law


class OldOrNew(Law):
    """Knows what lay on the disk before and after the last write; looks at what a start finds there."""

    number: ClassVar[int] = 7
    sentence: ClassVar[str] = "Power loss at any write leaves the old state or the new one."

    def found(self, at_s: float, node: str, *, state_of: int, records_of: int) -> None:
        """A start finds a state written by one write, and records written by another: both must be the same."""
        self.looks += 1
        if state_of != records_of:
            self.broke(at_s, f"{node} starts with the state of write {state_of} and the records of write {records_of}")

    def told(self, at_s: float, node: str, *, told_of: int, found: int) -> None:
        """The hub was told of a write; a start of the node finds this one as the newest."""
        self.looks += 1
        if found < told_of:
            self.broke(at_s, f"{node} told the hub of write {told_of}, and starts with write {found}")
