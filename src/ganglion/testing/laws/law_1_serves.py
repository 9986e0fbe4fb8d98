"""Law 1: a node that has committed a version always has one to serve."""

from collections.abc import Collection
from typing import ClassVar

from ganglion.testing.laws.law import Law


class AlwaysServes(Law):
    """Asked after every change of what answers on a node, and after every start."""

    number: ClassVar[int] = 1
    sentence: ClassVar[str] = (
        "Once a node has committed its first version it always has one that it can serve; it answers within its"
        " cold-start bound with no network and a wrong clock."
    )

    def answers(self, at_s: float, node: str, versions: Collection[str], *, has_committed: bool) -> None:
        """`versions` answer requests now. Two at once give two answers to one question."""
        self.looks += 1
        if has_committed and not versions:
            self.broke(at_s, f"{node} has committed a version, and none answers")
        if len(versions) > 1:
            self.broke(at_s, f"on {node} {' and '.join(sorted(versions))} answer at once")

    def started(self, at_s: float, node: str, *, took_s: float, bound_s: float) -> None:
        """The node answers again after a start."""
        self.looks += 1
        if took_s > bound_s:
            self.broke(at_s, f"{node} answered {took_s:.1f} s after its start; its bound is {bound_s:.1f} s")
