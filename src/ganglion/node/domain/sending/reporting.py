"""When a node's present state is worth telling again. Pure."""

import msgspec

from ganglion.wire.desired import NodeReport


class ReportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How often a node reports. What matters is reported at once."""

    report_s: float = 60.0
    """Pause between two reports of a node whose counts change."""
    heartbeat_s: float = 1800.0
    """Pause between two reports of a node on which nothing changes; its open question tells that it is there."""


def is_due(settings: ReportSettings, last: NodeReport | None, now: NodeReport, *, age_s: float) -> bool:
    """Tell whether `now` is to be sent, `age_s` seconds after `last` was."""
    if last is None or age_s >= settings.heartbeat_s or _essence(last) != _essence(now):
        return True
    return age_s >= settings.report_s and _counts(last) != _counts(now)


def _essence(report: NodeReport) -> NodeReport:
    """Return the report without what changes all the time."""
    verdicts = {name: text.partition(":")[0] for name, text in report.unwell.items()}
    return msgspec.structs.replace(report, made=0, waiting=0, shed={}, sent_bytes={}, machine={}, unwell=verdicts)


def _counts(report: NodeReport) -> tuple[int, int, dict[str, int]]:
    return report.made, report.waiting, report.shed
