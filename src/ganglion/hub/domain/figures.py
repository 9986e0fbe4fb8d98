"""Figures of how a fleet is run, from its rollouts and from looks at its nodes. No I/O, no clock.

Only rollouts that ended count: one that runs has no deployment time yet. Where nothing happened there is no figure,
rather than a good one.
"""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ganglion.hub.domain.rollouts.document import Rollout, RolloutState
from ganglion.wire.figures_resources import FleetFigures, ShareOf, Spread, VersionSpread


@dataclass(frozen=True, slots=True)
class Seen:
    """One node in service at one look."""

    lag_s: float | None
    """Since when nothing was heard of it; None: never heard of."""
    waiting: int
    served: Mapping[str, str]
    """Version by model."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at the fleet found, small enough to keep."""

    in_service: int = 0
    reachable: int = 0
    lag: Spread = Spread()
    waiting: int = 0
    versions: dict[str, dict[str, int]] = {}


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """The looks of a day together, and its newest."""

    looks: int = 0
    in_service: int = 0
    """Summed over the looks, and so is …"""
    reachable: int = 0
    last: Look = Look()
    figures: FleetFigures | None = None


def look(nodes: Iterable[Seen], *, reachable_within_s: float) -> Look:
    """Return what a look found; a node is reachable when it was heard of within that time."""
    lags, waiting, served, count = list[float](), 0, dict[str, Counter[str]](), 0
    for node in nodes:
        count += 1
        waiting += node.waiting
        if node.lag_s is not None:
            lags.append(node.lag_s)
        for model, version in node.served.items():
            served.setdefault(model, Counter())[version] += 1
    return Look(
        in_service=count,
        reachable=sum(lag <= reachable_within_s for lag in lags),
        lag=spread(lags),
        waiting=waiting,
        versions={model: dict(sorted(counts.items())) for model, counts in sorted(served.items())},
    )


def with_look(day: Day, found: Look) -> Day:
    """Return a day with one more look."""
    return msgspec.structs.replace(
        day,
        looks=day.looks + 1,
        in_service=day.in_service + found.in_service,
        reachable=day.reachable + found.reachable,
        last=found,
    )


def figures(
    rollouts: Sequence[tuple[Rollout, float | None]], days: Sequence[Day], *, from_s: float, to_s: float
) -> FleetFigures:
    """Return the figures of a time: of rollouts that ended in it, each with its version's release, and of its days.

    The newest day stands last. Times in seconds since 1970.
    """
    ended = [(each, released) for each, released in rollouts if from_s <= _ended_at_s(each) < to_s]
    aborted = [each for each, _ in ended if each.state is RolloutState.ABORTED and each.aborted_at_s is not None]
    back = [each for each in aborted if each.reverted_at_s is not None]
    last = days[-1].last if days else Look()
    committed = sum(each.commits for each, _ in ended)
    failed = sum(each.failures for each, _ in ended)
    return FleetFigures(
        from_s=from_s,
        to_s=to_s,
        deployment_time_s=spread(
            each.last_committed_at_s - released
            for each, released in ended
            if each.state is RolloutState.COMPLETED and each.last_committed_at_s is not None and released is not None
        ),
        update_success=share(committed, committed + failed),
        failed_update_recovery_s=spread(_s(each.reverted_at_s) - _s(each.aborted_at_s) for each in back),
        time_to_detect_s=spread(_s(each.aborted_at_s) - _began_at_s(each) for each in aborted),
        time_to_resolve_s=spread(_s(each.reverted_at_s) - _began_at_s(each) for each in back),
        sync_lag_s=last.lag,
        records_waiting=last.waiting,
        uptime=share(sum(day.reachable for day in days), sum(day.in_service for day in days)),
        versions=[_versions(model, counts) for model, counts in last.versions.items()],
    )


def spread(times_s: Iterable[float]) -> Spread:
    """Return the count, mean, median and maximum; a clock that was put back makes no time negative."""
    found = [max(0.0, each) for each in times_s]
    if not found:
        return Spread()
    return Spread(count=len(found), mean_s=statistics.fmean(found), median_s=statistics.median(found), max_s=max(found))


def share(count: int, total: int) -> ShareOf:
    """Return how many of how many."""
    return ShareOf(count=count, total=total, share=count / total if total else None)


def _versions(model: str, counts: Mapping[str, int]) -> VersionSpread:
    main = max(counts, key=lambda version: (counts[version], version))
    return VersionSpread(
        model=model,
        nodes=dict(counts),
        distinct=len(counts),
        main_version=main,
        main_share=counts[main] / sum(counts.values()),
    )


def _ended_at_s(rollout: Rollout) -> float:
    """Return when a rollout ended; an open one has not."""
    if rollout.state is RolloutState.ABORTED and rollout.aborted_at_s is not None:
        return rollout.aborted_at_s
    ends = [entry.at_s for entry in rollout.history if entry.event == rollout.state.value]
    is_over = rollout.state in {RolloutState.COMPLETED, RolloutState.ABORTED}
    return ends[-1] if is_over and ends else float("inf")


def _began_at_s(rollout: Rollout) -> float:
    """Return when the first node was given the version."""
    started = [stage.started_at_s for stage in rollout.stages if stage.started_at_s is not None]
    return min(started, default=rollout.created_at_s)


def _s(at_s: float | None) -> float:
    assert at_s is not None, "only rollouts that have this time are asked"
    return at_s
