"""Makes a failing run short: leaves faults out, then machines, as long as the same law still breaks."""

from dataclasses import dataclass

import msgspec

from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.faults import Fault
from ganglion.testing.world.outcome import Outcome
from ganglion.testing.world.scenario import Scenario
from ganglion.testing.world.world import simulate

RUNS_MAX = 150


@dataclass(frozen=True, slots=True)
class Schedule:
    """A run that breaks a law, and as little of it as was found to be needed."""

    scenario: Scenario
    seed: int
    faults: tuple[Fault, ...]
    law: int
    words: str
    runs: int
    """How many runs it took to find it."""

    def as_test(self) -> str:
        """Return a test to paste."""
        tree = _non_defaults(self.scenario)
        lines = [f"        Fault(FaultKind.{fault.kind.name}, {_arguments(fault)})," for fault in self.faults]
        plan = ["    faults = (", *lines, "    )"] if lines else ["    faults = ()"]
        return "\n".join(
            [
                f"def test_seed_{self.seed}_keeps_law_{self.law}() -> None:",
                f"    # {self.words[:100]}",
                f"    scenario = read_scenario({tree!r})",
                *plan,
                "",
                f"    outcome = simulate(scenario, seed={self.seed}, faults=faults)",
                "",
                "    assert not outcome.broken",
                "",
            ]
        )


def shrink(
    scenario: Scenario,
    *,
    seed: int,
    faults: tuple[Fault, ...],
    law: int,
    bugs: frozenset[Bug] = frozenset(),
    runs_max: int = RUNS_MAX,
) -> Schedule:
    """Return a short schedule that breaks `law` as this one does. It takes at most `runs_max` runs."""
    search = _Search(scenario, seed, law, bugs, runs_max)
    faults = search.without_most_nodes(faults)
    faults = search.without_most_faults(faults)
    return Schedule(search.scenario, seed, faults, law, search.words, search.runs)


class _Search:
    def __init__(self, scenario: Scenario, seed: int, law: int, bugs: frozenset[Bug], runs_max: int) -> None:
        self.scenario, self._seed, self._law, self._bugs, self._runs_max = scenario, seed, law, bugs, runs_max
        self.runs = 0
        self.words = ""

    def without_most_nodes(self, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
        nodes = self.scenario.devices.nodes
        for fewer in (2, 3, 5, 10, 20, 50):
            if fewer >= nodes:
                break
            sites = min(self.scenario.devices.sites, fewer)
            devices = msgspec.structs.replace(self.scenario.devices, nodes=fewer, sites=sites)
            smaller = msgspec.structs.replace(self.scenario, devices=devices)
            kept = tuple(fault for fault in faults if fault.target < fewer)
            if self._breaks(smaller, kept):
                self.scenario = smaller
                return kept
        return faults

    def without_most_faults(self, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
        """Leave out halves, then quarters, then single faults."""
        size = max(1, len(faults) // 2)
        while True:
            place = 0
            while place < len(faults) and self.runs < self._runs_max:
                fewer = faults[:place] + faults[place + size :]
                if self._breaks(self.scenario, fewer):
                    faults = fewer
                else:
                    place += size
            if size == 1 or self.runs >= self._runs_max:
                break
            size = max(1, size // 2)
        if not self.words:
            self._breaks(self.scenario, faults)
        return faults

    def _breaks(self, scenario: Scenario, faults: tuple[Fault, ...]) -> bool:
        self.runs += 1
        words = words_of(simulate(scenario, seed=self._seed, faults=faults, bugs=self._bugs), self._law)
        self.words = words or self.words
        return bool(words)


def words_of(outcome: Outcome, law: int) -> str:
    """Return how a law was broken, or "" if it held."""
    return next((verdict.broken[0] for verdict in outcome.verdicts if verdict.law == law and verdict.broken), "")


def first_broken(outcome: Outcome) -> int:
    """Return the number of a broken law; 0: none is."""
    return next((verdict.law for verdict in outcome.verdicts if verdict.broken), 0)


def _arguments(fault: Fault) -> str:
    shown: tuple[tuple[str, float, float], ...] = (
        ("for_s", fault.for_s, 0.0), ("target", fault.target, 0), ("size", fault.size, 0.5),
    )  # fmt: skip
    named = [f"{name}={value!r}" for name, value, default in shown if value != default]
    return ", ".join([f"at_s={fault.at_s!r}", *named])


def _non_defaults(scenario: Scenario) -> dict[str, object]:
    tree: dict[str, object] = msgspec.to_builtins(scenario)
    plain: dict[str, object] = msgspec.to_builtins(Scenario())
    return _different(tree, plain)


def _different(tree: dict[str, object], plain: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in tree.items():
        other = plain.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            inner = _different(value, other)
            if inner:
                found[name] = inner
        elif value != other:
            found[name] = value
    return found
