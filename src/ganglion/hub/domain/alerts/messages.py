"""What people are told of an alert: one line, the body of a webhook, and when a message is sent again. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from ganglion.hub.domain.alerts.conditions import limit_of, rule_of
from ganglion.hub.domain.alerts.table import Followed
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.wire.alert_resources import AlertMessage, MessageSubject, Severity

FIRING, RESOLVED, TEST = "firing", "resolved", "test"
SUBJECTS_SENT_MAX = 20
_SAID_MAX = 3
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


def reaches(severity: Severity, least: Severity) -> bool:
    """Tell whether somebody who wants to hear of `least` and what is worse hears of this."""
    return _RANK[severity] >= _RANK[least]


def in_words(subjects: Mapping[str, Followed]) -> str:
    """Return what is true of these subjects, in one line."""
    named = [f"{name}: {each.text}" for name, each in sorted(subjects.items())[:_SAID_MAX]]
    return "; ".join([*named, *_more(len(subjects))])


def compose(
    message_id: str, event: str, name: str, spec: AlertSpec, *, subjects: Mapping[str, Followed], now_s: float
) -> AlertMessage:
    """Return a message of an alert."""
    said = {
        FIRING: f"{name} ({spec.severity.value}): {in_words(subjects)}",
        RESOLVED: f"{name} is over: {' '.join([', '.join(sorted(subjects)[:_SAID_MAX]), *_more(len(subjects))])}",
        TEST: f"{name}: a test, nothing has happened",
    }[event]
    return AlertMessage(
        id=message_id,
        event=event,
        alert=name,
        severity=spec.severity.value,
        condition=spec.condition.value,
        description=spec.description,
        at=moment(now_s),
        text=said,
        unit=rule_of(spec).unit,
        limit=limit_of(spec),
        subjects=[
            MessageSubject(subject=subject, value=each.value, text=each.text, since=moment(each.since_s))
            for subject, each in sorted(subjects.items())[:SUBJECTS_SENT_MAX]
        ],
        count=len(subjects),
    )


def _more(count: int) -> list[str]:
    return [f"and {count - _SAID_MAX} more"] if count > _SAID_MAX else []


def body(message: AlertMessage) -> str:
    """Return the body of a webhook."""
    return msgspec.json.encode(message).decode()


def moment(at_s: float) -> str:
    """Return a time as RFC 3339, UTC."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a message is tried."""

    first_s: float = 10.0
    """Pause after the first attempt; each further one is twice as long, up to …"""
    pause_s_max: float = 3600.0
    """… this."""
    give_up_after_s: float = 86_400.0


def pause_s(patience: Patience, attempts: int, share: float) -> float:
    """Return how long to wait after so many attempts; `share` in [0, 1) spreads those of many hubs."""
    full = min(patience.pause_s_max, patience.first_s * 2.0 ** min(attempts - 1, 30))
    return full * (0.5 + share / 2.0)


def due_s(patience: Patience, due_at_s: float, now_s: float) -> float:
    """Return how long until an attempt is due; a clock that was put back makes nobody wait for longer than once."""
    left_s = due_at_s - now_s
    return 0.0 if left_s > patience.pause_s_max else max(0.0, left_s)
