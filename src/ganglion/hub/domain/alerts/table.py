"""How an alert stands to each of its subjects: a table, and what one look changes. No I/O, no clock.

Time counts only while somebody looks: `elapsed_s` is the time between two looks of one running hub, so that neither
a clock that jumps nor a hub that was away makes anything last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from ganglion.core.transitions import Transitions

SUBJECTS_MAX = 200
"""Subjects of one alert that are followed; of others is told how many there are."""


class AlertPhase(StrEnum):
    """Where an alert stands with one subject. A subject that nothing is known of is OK."""

    OK = "ok"
    PENDING = "pending"
    """It is true, but not for long enough."""
    FIRING = "firing"
    CLEARING = "clearing"
    """It is over, but not for long enough: what flaps is told once."""


class AlertEvent(StrEnum):
    """What moves it."""

    FOUND = "found"
    GONE = "gone"
    LASTED = "lasted"
    """It was found for as long as it must be."""
    RESTED = "rested"
    """It was gone for as long as it must be."""


_P, _E = AlertPhase, AlertEvent

TRANSITIONS: Transitions[AlertPhase, AlertEvent] = Transitions(
    {
        (_P.OK, _E.FOUND): _P.PENDING,
        (_P.PENDING, _E.GONE): _P.OK,
        (_P.PENDING, _E.LASTED): _P.FIRING,
        (_P.FIRING, _E.GONE): _P.CLEARING,
        (_P.CLEARING, _E.FOUND): _P.FIRING,
        (_P.CLEARING, _E.RESTED): _P.OK,
    },
    final=frozenset(),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A subject of which the condition is true now."""

    subject: str
    value: float
    text: str


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """A subject that is not OK."""

    phase: AlertPhase
    lasted_s: float = 0.0
    """How long it has been pending, or clearing."""
    since_s: float
    """When it was first found, in seconds since 1970."""
    fired_at_s: float | None = None
    is_told: bool = False
    value: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What decides beside the findings."""

    for_s: float
    resolve_after_s: float
    is_silenced: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What a look came to."""

    subjects: Mapping[str, Followed]
    fired: Sequence[str]
    """Subjects that began to fire at this look."""
    told: Sequence[str]
    """Subjects that fire and of which people are to be told now, for the first time."""
    ended: Mapping[str, Followed]
    """Subjects that fired and are over, as they were."""


def step(
    followed: Mapping[str, Followed], found: Mapping[str, Finding], terms: Terms, *, elapsed_s: float, now_s: float
) -> Step:
    """Return how the subjects stand after a look that found these."""
    subjects, fired, ended = dict[str, Followed](), list[str](), dict[str, Followed]()
    for subject in sorted({*followed, *found}):
        before = followed.get(subject)
        after = _moved(before, found.get(subject), terms, elapsed_s=elapsed_s, now_s=now_s)
        if after is not None:
            subjects[subject] = after
        if after is not None and after.fired_at_s is not None and (before is None or before.fired_at_s is None):
            fired.append(subject)
        if after is None and before is not None and before.fired_at_s is not None:
            ended[subject] = before
    due = {name for name, each in subjects.items() if each.phase is _P.FIRING and not each.is_told}
    told = [] if terms.is_silenced else sorted(due)
    subjects |= {name: msgspec.structs.replace(subjects[name], is_told=True) for name in told}
    return Step(subjects, fired, told, ended)


def _moved(
    before: Followed | None, finding: Finding | None, terms: Terms, *, elapsed_s: float, now_s: float
) -> Followed | None:
    """Return how one subject stands now; None: OK."""
    here = before or Followed(phase=_P.OK, since_s=now_s)
    event = _E.FOUND if finding else _E.GONE
    if TRANSITIONS.allows(here.phase, event):
        here = msgspec.structs.replace(here, phase=TRANSITIONS.next(here.phase, event), lasted_s=0.0)
    elif here.phase in {_P.PENDING, _P.CLEARING}:
        here = msgspec.structs.replace(here, lasted_s=here.lasted_s + max(0.0, elapsed_s))
    if here.phase is _P.PENDING and here.lasted_s >= terms.for_s:
        here = msgspec.structs.replace(
            here, phase=TRANSITIONS.next(here.phase, _E.LASTED), lasted_s=0.0, fired_at_s=now_s
        )
    if here.phase is _P.CLEARING and here.lasted_s >= terms.resolve_after_s:
        here = msgspec.structs.replace(here, phase=TRANSITIONS.next(here.phase, _E.RESTED))
    if here.phase is _P.OK:
        return None
    is_new = finding is not None and (before is None or before.phase is not here.phase)
    return msgspec.structs.replace(here, value=finding.value, text=finding.text) if finding and is_new else here
