"""A fleet in words: the lines of a plan, and the figures of how it is run, alike in the commands and the demo."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganglion.wire.apply_resources import PlanLine
    from ganglion.wire.figures_resources import FleetFigures, ShareOf, Spread

_SIGNS = {"create": "+", "change": "~", "remove": "-", "start": ">", "keep": "=", "wait": "."}


@dataclass(frozen=True, slots=True)
class FigureLine:
    """One figure as one line of a table."""

    figure: str
    value: str
    of: str


def is_to_do(line: "PlanLine") -> bool:
    """Say whether applying would do something for this resource."""
    return bool(line.changes) or line.action not in {"keep", "wait"}


def plan_texts(line: "PlanLine") -> list[str]:
    """Return a line of a plan with its sign, and below it each field that changes."""
    head = f"{_SIGNS[line.action]} {line.kind} {line.name}" + (f": {line.note}" if line.note else "")
    return [head, *(f"    {each.path}: {each.was or '(none)'} -> {each.will_be or '(none)'}" for each in line.changes)]


def figure_lines(told: "FleetFigures") -> Iterator[FigureLine]:
    """Return the figures of a fleet, one a line."""
    yield _time("deployment time, median", told.deployment_time_s, "rollouts completed")
    yield _share("updates that succeeded", told.update_success, "updates")
    yield _time("recovery of failed updates, mean", told.failed_update_recovery_s, "rollouts taken back", is_mean=True)
    yield _time("time to detect, mean", told.time_to_detect_s, "rollouts aborted", is_mean=True)
    yield _time("time to resolve, mean", told.time_to_resolve_s, "rollouts taken back", is_mean=True)
    yield _time("last heard of, median", told.sync_lag_s, "nodes")
    yield _share("uptime", told.uptime, "looks at nodes")
    for spread in told.versions:
        main = f"{spread.main_share:.1%} have {spread.main_version}"
        yield FigureLine(f"versions of {spread.model}", main, f"{spread.distinct} versions")


def _time(name: str, spread: "Spread", of: str, *, is_mean: bool = False) -> FigureLine:
    value = spread.mean_s if is_mean else spread.median_s
    return FigureLine(name, "-" if value is None else f"{value:.1f} s", f"{spread.count} {of}")


def _share(name: str, share: "ShareOf", of: str) -> FigureLine:
    return FigureLine(name, "-" if share.share is None else f"{share.share:.2%}", f"{share.total} {of}")
