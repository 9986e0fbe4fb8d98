"""Law 11: an experiment over nodes leaves no traces, and nobody is in two of its arms."""

from collections.abc import Collection, Mapping
from typing import ClassVar

from ganglion.testing.laws.law import Law


class OwnArm(Law):
    """Notes what each machine was wished to serve, and by whom, and compares when experiments are over."""

    number: ClassVar[int] = 11
    sentence: ClassVar[str] = (
        "No node is in two arms; after the end of an experiment every node has back what it had, late returners"
        " included, unless something gave it another version since."
    )

    def __init__(self) -> None:
        super().__init__()
        self._challengers: dict[str, frozenset[str]] = {}
        self._wanted: dict[str, Mapping[str, str]] = {}
        self._over: set[str] = set()
        self._newest: dict[str, str] = {}
        self._had: dict[tuple[str, str], set[str]] = {}
        self._tried: dict[tuple[str, str], set[str]] = {}

    def started(
        self,
        at_s: float,
        experiment_id: str,
        *,
        arms: Mapping[str, Collection[str]],
        challengers: Collection[str],
        wanted: Mapping[str, str],
    ) -> None:
        """An experiment runs. `arms` are nodes by version, `wanted` is what the hub wanted of each node before it."""
        self.looks += 1
        self._challengers[experiment_id] = frozenset(challengers)
        self._wanted[experiment_id] = dict(wanted)
        places: dict[str, str] = {}
        for version, nodes in arms.items():
            for node in nodes:
                other = places.setdefault(node, version)
                if other != version:
                    self.broke(at_s, f"{node} is in the arms {other} and {version} of {experiment_id[:8]}")

    def ended(self, experiment_id: str) -> None:
        """An experiment is over, in whatever way."""
        self._over.add(experiment_id)

    def heard(self, at_s: float, by: str, machine: str, *, version: str, had: Collection[str]) -> None:
        """A machine hears what it is to serve, and by whose will: that of an experiment, of something else, or "".

        `had` is what it serves and what was wanted of it before.
        """
        self._newest[machine] = by
        if not by:
            return
        self._had.setdefault((by, machine), {*had})
        tried = self._tried.setdefault((by, machine), set())
        tried.add(version)
        arms = tried & self._challengers.get(by, frozenset())
        if len(arms) > 1:
            self.broke(at_s, f"{machine} was given {' and '.join(sorted(arms))} by the experiment {by[:8]}")

    def rests(self, at_s: float, machine: str, node: str, *, serves: str, refused: str) -> None:
        """When all is quiet, a machine that can be reached serves this version.

        A node that `refused` the way back, and said so, does what law 2 asks of it.
        """
        by = self._newest.get(machine, "")
        if by not in self._over:
            return
        self.looks += 1
        meant = {*self._had[by, machine], self._wanted.get(by, {}).get(node, "")}
        if serves not in meant and refused not in meant:
            before, now = " or ".join(sorted(meant - {""})), serves or "nothing"
            self.broke(at_s, f"{machine} had {before} before an experiment that is over, and serves {now}")

    def hub_restored(self) -> None:
        """The hub remembers another past: what it gave to whom is not known to it any more."""
        for known in (self._challengers, self._wanted, self._over, self._newest, self._had, self._tried):
            known.clear()
