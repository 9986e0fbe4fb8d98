"""What can go wrong, and a plan of it from one seed. A plan is a list: what does not matter can be left out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ganglion.core.errors import InvalidRequest
from ganglion.testing.chance import SeededChance
from ganglion.testing.world.scenario import Scenario

_HOUR, _DAY = 3600.0, 86_400.0


class FaultKind(StrEnum):
    """The kinds, in groups: link, process, disk, clock, machine, hub, operator."""

    PARTITION = "partition"
    HALF_OPEN = "half_open"
    LOSSY = "lossy"
    DUPLICATING = "duplicating"
    REORDERING = "reordering"
    DELAYED = "delayed"
    SLOW = "slow"
    SITE_DARK = "site_dark"
    AGENT_KILLED = "agent_killed"
    SERVING_KILLED = "serving_killed"
    POWER_CUT = "power_cut"
    POWER_CUT_AT_WRITE = "power_cut_at_write"
    DISK_FULL = "disk_full"
    DISK_ERRORS = "disk_errors"
    PACKAGE_DAMAGED = "package_damaged"
    DOWNLOAD_TORN = "download_torn"
    CLOCK_JUMPS = "clock_jumps"
    CLOCK_1970 = "clock_1970"
    CLOCK_DRIFTS = "clock_drifts"
    NODE_PUT_BACK = "node_put_back"
    NODE_CLONED = "node_cloned"
    HUB_DOWN = "hub_down"
    HUB_KILLED_AT_COMMIT = "hub_killed_at_commit"
    HUB_RESTORED = "hub_restored"
    HUB_DISK_FULL = "hub_disk_full"
    HUB_CLOCK_JUMPS = "hub_clock_jumps"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    PROMOTE = "promote"
    REVOKE = "revoke"
    RETIRE = "retire"
    RETRY = "retry"
    SKIP = "skip"
    IMAGE_CHANGED = "image_changed"
    EXPERIMENT = "experiment"
    EXPERIMENT_ENDED = "experiment_ended"


@dataclass(frozen=True, slots=True)
class Fault:
    """One of them. `target` is a node's or site's number; what `size` means depends on the kind, it lies in [0, 1)."""

    kind: FaultKind
    at_s: float
    for_s: float = 0.0
    target: int = 0
    size: float = 0.5


@dataclass(frozen=True, slots=True)
class Manner:
    """How often a kind happens in a day, per node or per fleet, and how long it lasts."""

    per_day: float
    shortest_s: float = 0.0
    longest_s: float = 0.0
    per_fleet: bool = False


_K = FaultKind
HEAVY: Mapping[FaultKind, Manner] = {
    _K.PARTITION: Manner(2.0, 300.0, 3 * _HOUR),
    _K.HALF_OPEN: Manner(0.5, 300.0, 2 * _HOUR),
    _K.LOSSY: Manner(1.0, _HOUR, 6 * _HOUR),
    _K.DUPLICATING: Manner(1.0, _HOUR, 6 * _HOUR),
    _K.REORDERING: Manner(1.0, _HOUR, 6 * _HOUR),
    _K.DELAYED: Manner(0.5, _HOUR, 6 * _HOUR),
    _K.SLOW: Manner(0.5, _HOUR, 6 * _HOUR),
    _K.SITE_DARK: Manner(0.5, 4 * _HOUR, 30 * _HOUR, per_fleet=True),
    _K.AGENT_KILLED: Manner(2.0, 1.0, 300.0),
    _K.SERVING_KILLED: Manner(2.0, 1.0, 20.0),
    _K.POWER_CUT: Manner(0.5, 10.0, 4 * _HOUR),
    _K.POWER_CUT_AT_WRITE: Manner(0.7, 10.0, _HOUR),
    _K.DISK_FULL: Manner(0.1, _HOUR, 6 * _HOUR),
    _K.DISK_ERRORS: Manner(0.2, 60.0, _HOUR),
    _K.PACKAGE_DAMAGED: Manner(0.1),
    _K.DOWNLOAD_TORN: Manner(0.3),
    _K.CLOCK_JUMPS: Manner(0.2),
    _K.CLOCK_1970: Manner(0.05),
    _K.CLOCK_DRIFTS: Manner(0.1),
    _K.NODE_PUT_BACK: Manner(0.02, _HOUR, 12 * _HOUR),
    _K.NODE_CLONED: Manner(0.01),
    _K.HUB_DOWN: Manner(2.0, 30.0, 2400.0, per_fleet=True),
    _K.HUB_KILLED_AT_COMMIT: Manner(8.0, 10.0, 120.0, per_fleet=True),
    _K.HUB_RESTORED: Manner(0.2, 60.0, _HOUR, per_fleet=True),
    _K.HUB_DISK_FULL: Manner(0.5, 300.0, _HOUR, per_fleet=True),
    _K.HUB_CLOCK_JUMPS: Manner(0.3, per_fleet=True),
    _K.PAUSE: Manner(1.0, per_fleet=True),
    _K.RESUME: Manner(2.0, per_fleet=True),
    _K.ABORT: Manner(0.4, per_fleet=True),
    _K.PROMOTE: Manner(0.4, per_fleet=True),
    _K.REVOKE: Manner(0.1, per_fleet=True),
    _K.RETIRE: Manner(0.05, per_fleet=True),
    _K.RETRY: Manner(0.5, per_fleet=True),
    _K.SKIP: Manner(0.3, per_fleet=True),
    _K.IMAGE_CHANGED: Manner(0.5, _HOUR, 8 * _HOUR, per_fleet=True),
    # While an experiment runs no rollout begins, so only those who ask for them have any.
    _K.EXPERIMENT: Manner(0.0, per_fleet=True),
    _K.EXPERIMENT_ENDED: Manner(0.0, per_fleet=True),
}
LEVELS: Mapping[str, float] = {"none": 0.0, "light": 0.1, "heavy": 1.0}
"""How much of the heavy rates each level has."""


def rates_of(spec: str) -> dict[FaultKind, float]:
    """Return how often each kind happens per day. `spec` reads "light", or "heavy,partition=4,site_dark=0".

    Raises: InvalidRequest: there is no such level or kind, or a rate is not one.
    """
    first, *rest = [part.strip() for part in spec.split(",")]
    level = LEVELS.get(first)
    if level is None:
        level, rest = 0.0, [first, *rest]
    rates = {kind: manner.per_day * level for kind, manner in HEAVY.items()}
    for part in rest:
        name, _, number = part.partition("=")
        kinds = [kind for kind in FaultKind if kind == name]
        try:
            rate = float(number)
        except ValueError:
            rate = -1.0
        if not kinds or not 0.0 <= rate <= 10_000.0:  # noqa: PLR2004 - one in nine seconds is enough for anybody
            known = ", ".join([*LEVELS, *FaultKind])
            raise InvalidRequest(f"{part[:40]!r} is no fault: write KIND=TIMES_PER_DAY, with one of {known}")
        rates[kinds[0]] = rate
    return rates


def plan(scenario: Scenario, rates: Mapping[FaultKind, float], seed: int) -> tuple[Fault, ...]:
    """Return the faults of a run, in the order of time. They end before the scenario's calm time begins."""
    chance = SeededChance(seed)
    faults: list[Fault] = []
    for kind, manner in HEAVY.items():
        machines = 1 if manner.per_fleet else scenario.devices.nodes
        times = int(rates[kind] * machines * scenario.hours / 24.0 + chance.share())
        faults += [_draw(chance, kind, manner, scenario) for _ in range(times)]
    return tuple(sorted(faults, key=lambda fault: (fault.at_s, fault.kind.value, fault.target)))


def _draw(chance: SeededChance, kind: FaultKind, manner: Manner, scenario: Scenario) -> Fault:
    end_s = scenario.hours * _HOUR
    at_s = chance.share() * end_s
    for_s = manner.shortest_s + chance.share() ** 2 * (manner.longest_s - manner.shortest_s)
    targets = scenario.devices.sites if kind is FaultKind.SITE_DARK else scenario.devices.nodes
    return Fault(
        kind,
        at_s=round(at_s, 1),
        for_s=round(min(for_s, end_s - at_s), 1),
        target=int(chance.share() * targets),
        size=round(chance.share(), 3),
    )


def by_kind(faults: Sequence[Fault]) -> dict[str, int]:
    """Return how many faults of each kind a plan has."""
    counted: dict[str, int] = {}
    for fault in faults:
        counted[fault.kind.value] = counted.get(fault.kind.value, 0) + 1
    return dict(sorted(counted.items()))
