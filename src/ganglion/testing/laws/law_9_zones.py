"""Law 9: nothing crosses a border that policy closes, and every crossing is written down."""

from typing import ClassVar

from ganglion.testing.laws.law import Law


class ClosedBorders(Law):
    """A revoked node has left its zone: nothing of it may come in, and nothing may go out to it."""

    number: ClassVar[int] = 9
    sentence: ClassVar[str] = (
        "Nothing crosses a trust zone that policy does not allow, and every crossing is in the audit chain."
    )

    def __init__(self) -> None:
        super().__init__()
        self._revoked: set[str] = set()

    def revoked(self, node: str) -> None:
        """From now on the node is not one of the fleet."""
        self._revoked.add(node)

    def admitted(self, node: str) -> None:
        """The hub remembers a day on which the node was one of the fleet."""
        self._revoked.discard(node)

    def crossed(self, at_s: float, node: str, what: str) -> None:
        """The hub took something from a node, or gave it something."""
        self.looks += 1
        if node in self._revoked:
            self.broke(at_s, f"{what} of {node}, which was revoked, was accepted")
