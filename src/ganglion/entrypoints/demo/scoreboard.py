"""What the demo promised and what it saw: figures for the report, and the verdict that becomes the exit code."""

import itertools
from dataclasses import dataclass, field

from ganglion.entrypoints.fleet.words import FigureLine
from ganglion.testing.ledger import Ledger
from ganglion.testing.traffic import Exchange
from ganglion.wire.experiment_resources import ExperimentView
from ganglion.wire.rollout_resources import RolloutPlan, RolloutView


@dataclass(frozen=True, slots=True)
class Promise:
    """One sentence that must hold, and the figures that show whether it does."""

    text: str
    held: bool
    figures: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A time in which something was broken on purpose. Times are on the monotonic clock."""

    name: str
    node: str
    """Empty when it concerns every node."""
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class FaultFigures:
    """Requests that began during a fault, on the nodes that it concerns."""

    name: str
    answered: int
    failed: int
    longest_gap_s: float


@dataclass(frozen=True, slots=True)
class RolloutTold:
    """A rollout at its end, and its dry run, if there was one."""

    plan: RolloutPlan | None
    view: RolloutView
    refusal: str = ""
    """What the account that started it was told when it approved its own rollout; empty: it was not, or did not try."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter as it was told."""

    number: int
    title: str
    began_s: float
    ended_s: float
    lines: tuple[str, ...]


@dataclass(slots=True)
class Scoreboard:
    """Filled as the demo goes."""

    began_s: float
    promises: list[Promise] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    chapters: list[Chapter] = field(default_factory=list)
    exchanges: dict[str, list[Exchange]] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    """Held-out accuracy by release."""
    judged_rows: int = 0
    """Held-out images on which both were judged."""
    files: dict[str, str] = field(default_factory=dict)
    """The fleet as files, by name."""
    rollouts: list[RolloutTold] = field(default_factory=list)
    experiment: ExperimentView | None = None
    """As it stood when it was concluded."""
    fleet_figures: list[FigureLine] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    """Further lines of the summary, ready to print."""

    @property
    def holds(self) -> bool:
        """Say whether every promise held."""
        return bool(self.promises) and all(promise.held for promise in self.promises)

    def promise(self, text: str, *, held: bool, figures: str) -> Promise:
        """Note a promise and what was seen."""
        promise = Promise(text, held, figures)
        self.promises.append(promise)
        return promise

    def during(self, fault: Fault) -> FaultFigures:
        """Count the requests of a fault."""
        concerned = [fault.node] if fault.node else list(self.exchanges)
        chosen = [[e for e in self.exchanges[name] if fault.from_s <= e.at_s < fault.until_s] for name in concerned]
        flat = [exchange for one in chosen for exchange in one]
        answered = sum(exchange.is_answered for exchange in flat)
        return FaultFigures(
            name=fault.name,
            answered=answered,
            failed=len(flat) - answered,
            longest_gap_s=max((_longest_gap(one, fault) for one in chosen), default=0.0),
        )


def _longest_gap(exchanges: list[Exchange], fault: Fault) -> float:
    """Return the longest time without an answer between the fault's begin and end."""
    times = [fault.from_s, *(e.at_s + e.latency_ms / 1e3 for e in exchanges if e.is_answered), fault.until_s]
    return max(later - earlier for earlier, later in itertools.pairwise(times))
