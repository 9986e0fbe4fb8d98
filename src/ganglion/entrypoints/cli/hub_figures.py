"""`ganglion hub figures`: how the fleet is run."""

import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.core.errors import DiskUnusable
from ganglion.entrypoints.cli.context import Session
from ganglion.entrypoints.cli.output import OutputFormat, note

if TYPE_CHECKING:
    from ganglion.wire.figures_resources import DayFigures, FleetFigures, ShareOf, Spread


@dataclass(frozen=True, slots=True)
class FigureLine:
    """One figure as one line of a table."""

    figure: str
    value: str
    of: str


@dataclass(frozen=True, slots=True)
class DayLine:
    """One kept day as one line of a table, or of a CSV file."""

    day: str
    looks: int
    deployment_time_median_s: float | None
    update_success_share: float | None
    failed_update_recovery_mean_s: float | None
    time_to_detect_mean_s: float | None
    time_to_resolve_mean_s: float | None
    sync_lag_median_s: float | None
    uptime_share: float | None
    versions_distinct_max: int


def figures(
    session: Session,
    days: Annotated[int, typer.Option("--days", min=1, max=400, help="Over how many days.")] = 30,
    by_day: Annotated[bool, typer.Option("--by-day", help="What was kept with each day.")] = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write the days to this CSV file.")] = None,
) -> None:
    """Show how well the fleet is run.

    Deployment time, success of updates, detection, recovery, uptime, versions.

    Example: ganglion hub figures --days 7
    """
    if csv_file is not None:
        kept = session.client.figures_by_day(days)
        _write(csv_file, kept)
        note(f"{len(kept)} days are in {csv_file}")
    elif by_day:
        kept = session.client.figures_by_day(days)
        session.show(kept, lines=[_day(each) for each in kept], empty="No day is kept yet: the hub looks once an hour.")
    else:
        told = session.client.figures(days)
        session.show(told, lines=list(_lines(told)))
        if session.output is OutputFormat.TABLE and not told.uptime.total:
            note("The hub has not looked at its nodes yet; it does once an hour.")


def _lines(told: "FleetFigures") -> Iterator[FigureLine]:
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


def _day(each: "DayFigures") -> DayLine:
    told = each.figures
    return DayLine(
        day=each.day,
        looks=each.looks,
        deployment_time_median_s=told.deployment_time_s.median_s,
        update_success_share=told.update_success.share,
        failed_update_recovery_mean_s=told.failed_update_recovery_s.mean_s,
        time_to_detect_mean_s=told.time_to_detect_s.mean_s,
        time_to_resolve_mean_s=told.time_to_resolve_s.mean_s,
        sync_lag_median_s=told.sync_lag_s.median_s,
        uptime_share=told.uptime.share,
        versions_distinct_max=max((spread.distinct for spread in told.versions), default=0),
    )


def _write(file: Path, kept: "list[DayFigures]") -> None:
    try:
        with file.open("w", encoding="utf-8", newline="") as opened:
            rows = csv.DictWriter(opened, [column.name for column in fields(DayLine)])
            rows.writeheader()
            rows.writerows(asdict(_day(each)) for each in kept)
    except OSError as error:
        raise DiskUnusable(f"{file} cannot be written: {error.strerror}") from error
