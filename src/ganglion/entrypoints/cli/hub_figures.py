"""`ganglion hub figures`: how the fleet is run."""

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.core.errors import DiskUnusable
from ganglion.entrypoints.cli.context import Session
from ganglion.entrypoints.cli.output import OutputFormat, note
from ganglion.entrypoints.fleet.words import figure_lines

if TYPE_CHECKING:
    from ganglion.wire.figures_resources import DayFigures


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
        session.show(told, lines=list(figure_lines(told)))
        if session.output is OutputFormat.TABLE and not told.uptime.total:
            note("The hub has not looked at its nodes yet; it does once an hour.")


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
