"""Law 8: when the trouble ends, everybody who can be reached does what is wanted."""

from typing import ClassVar

from ganglion.testing.laws.law import Law


class Converges(Law):
    """Asked at the end, a bounded time after the last fault."""

    number: ClassVar[int] = 8
    sentence: ClassVar[str] = "When the faults stop, every reachable node reports its desired version within a bound."

    def rests(self, at_s: float, node: str, *, wants: str, reports: str, refused: str) -> None:
        """The hub wants one version, the node reports another. One that it refused, and said so, need not be it."""
        self.looks += 1
        if reports not in (wants, "") and refused == wants:
            return
        if wants != reports:
            self.broke(at_s, f"the hub wants {wants or 'nothing'} of {node}, which reports {reports or 'nothing'}")
