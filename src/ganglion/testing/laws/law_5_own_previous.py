"""Law 5: no stage without its gate's yes, and after an abort everybody has what it had."""

from collections.abc import Collection
from typing import ClassVar

from ganglion.testing.laws.law import Law


class OwnPrevious(Law):
    """Notes what each machine served when it was given a version, and compares after an abort."""

    number: ClassVar[int] = 5
    sentence: ClassVar[str] = (
        "No stage of a rollout starts before its gate said yes; after an abort every node that took the version"
        " returns to its own previous version of that model, late returners included."
    )

    def __init__(self) -> None:
        super().__init__()
        self._had: dict[str, dict[str, set[str]]] = {}

    def given(self, rollout_id: str, machine: str, *, had: Collection[str]) -> None:
        """A machine hears of a rollout's version for the first time.

        `had` is what it serves and what the hub had wanted of it before: a node that was away may be behind.
        """
        self._had.setdefault(rollout_id, {}).setdefault(machine, {*had})

    def touched(self, at_s: float, rollout_id: str, early: Collection[str]) -> None:
        """Nodes of stages that have not begun were given the version."""
        self.looks += 1
        if early:
            self.broke(at_s, f"rollout {rollout_id[:8]} gave its version early to {', '.join(sorted(early)[:3])}")

    def left(self, at_s: float, rollout_id: str, stage: int, *, verdict: str, by_person: bool) -> None:
        """A stage was left for the next one."""
        self.looks += 1
        if verdict != "go_on" and not by_person:
            said = verdict or "nothing"
            self.broke(at_s, f"rollout {rollout_id[:8]} left stage {stage + 1}, and its gate said {said}")

    def returned(self, at_s: float, rollout_id: str, machine: str, *, serves: str, meant: str, refused: str) -> None:
        """After an aborted rollout, and when all is quiet, the machine serves this version.

        `meant` is what the hub wrote down as the node's own before it gave it the new version. A node that `refused`
        the way back, and said so, does what law 2 asks of it.
        """
        had = self._had.get(rollout_id, {}).get(machine)
        if had is None:
            return
        self.looks += 1
        if serves not in {*had, meant} and refused not in {*had, meant}:
            before, now = " or ".join(sorted(had)), serves or "nothing"
            self.broke(at_s, f"{machine} had {before} before an aborted rollout, and serves {now}")

    def hub_restored(self) -> None:
        """The hub remembers another past: what it gave to whom is not known to it any more."""
        self._had.clear()
