"""Law 9: nothing crosses a border that policy closes, and every crossing is written down."""

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from ganglion.testing.laws.law import Law


class ClosedBorders(Law):
    """Who is of the fleet is the border: nothing of a node that is not may come in, and nothing may go out to it.

    It knows what nodes really are: which of them measure what nobody released, and which machine made a record.
    """

    number: ClassVar[int] = 9
    sentence: ClassVar[str] = (
        "Nothing crosses a trust zone that policy does not allow, and every crossing is in the audit chain."
    )

    def __init__(self) -> None:
        super().__init__()
        self._out: dict[str, str] = {}
        self._deeds: Counter[tuple[str, str]] = Counter()

    def put_out(self, node: str, why: str) -> None:
        """From now on the node is not one of the fleet: it was revoked, retired, or measures what nobody released."""
        self._out[node] = why

    def admitted(self, node: str) -> None:
        """The node is one of the fleet: a person said so, or the hub remembers a day on which it was."""
        self._out.pop(node, None)

    def crossed(self, at_s: float, node: str, what: str) -> None:
        """The hub took something from a node, or gave it something."""
        self.looks += 1
        if node in self._out:
            self.broke(at_s, f"{what} of {node}, which {self._out[node]}, was accepted")

    def kept(self, at_s: float, *, as_of: str, by: str) -> None:
        """The hub has stored records as those of one node; a machine of another may have made them."""
        self.looks += 1
        if as_of != by:
            self.broke(at_s, f"records of {by} are kept as those of {as_of}")

    # --- the audit chain --------------------------------------------------------------------------

    def done(self, action: str, node: str) -> None:
        """Somebody, or the hub, has let a node in or put it out."""
        self._deeds[action, node] += 1

    def backup(self) -> Counter[tuple[str, str]]:
        """Return what was done so far, as the hub's backup knows it."""
        return self._deeds.copy()

    def restored(self, backup: Counter[tuple[str, str]]) -> None:
        """The hub was put back to its backup: its chain ends where it ended then."""
        self._deeds = backup.copy()

    def written(self, at_s: float, links: Mapping[tuple[str, str], int], *, faults: int) -> None:
        """The audit chain has so many links for each deed, and so many faults."""
        self.looks += 1
        if faults:
            self.broke(at_s, f"the audit chain has {faults} faults")
        for (action, node), times in sorted(self._deeds.items()):
            if links.get((action, node), 0) != times:
                self.broke(at_s, f"{action} of {node}: {times} times, and {links.get((action, node), 0)} links")
