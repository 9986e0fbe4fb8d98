"""Is this node well? A few checks over measured facts, each with a verdict, the figure and what to do. No I/O.

What is not known is not judged: a machine without a thermometer is not warm. The limits are those at which a person
has time to act (warn) and at which something is lost or refused already (bad).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from ganglion.wire.diagnosis import HealthCheck, Verdict

_HOUR_S: Final = 3600.0
_DAY_S: Final = 86_400.0


class HealthLimits(msgspec.Struct, frozen=True, kw_only=True):
    """From where on a figure is not well any more."""

    disk_free_bytes_warn: int = 2_000_000_000
    """Free bytes on the disk of the data directory, below which it warns, and …"""
    disk_free_bytes_bad: int = 200_000_000
    """… below which it is bad."""
    memory_free_bytes_warn: int = 200_000_000
    """Memory that programs could still take, below which it warns, and …"""
    memory_free_bytes_bad: int = 50_000_000
    """… below which it is bad."""
    temperature_c_warn: float = 80.0
    """Heat of the hottest sensor from which on it warns, and …"""
    temperature_c_bad: float = 95.0
    """… from which on it is bad: most processors slow themselves down here."""
    outbox_share_warn: float = 0.5
    """Used share of the outbox's bytes from which on it warns, and …"""
    outbox_share_bad: float = 0.95
    """… from which on it is bad: records are shed."""
    silent_s_warn: float = 15 * 60.0
    """Silence of the hub from which on it warns, and …"""
    silent_s_bad: float = _DAY_S
    """… from which on it is bad."""
    clock_error_s_warn: float = 30.0
    """Difference to the hub's clock from which on it warns, and …"""
    clock_error_s_bad: float = _HOUR_S
    """… from which on it is bad."""
    metadata_left_s_warn: float = _DAY_S
    """Time that signed metadata still holds, below which it warns; expired, it is bad."""
    error_rate_warn: float = 0.02
    """Share of failed requests of a model from which on it warns, and …"""
    error_rate_bad: float = 0.2
    """… from which on it is bad."""
    restarts_warn: int = 3
    """Starts of agent and serving within an hour, beyond the first, from which on it warns, and …"""
    restarts_bad: int = 10
    """… from which on it is bad."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model as serving tells of it."""

    committed: str
    active: str
    """The version that answers; empty: none does."""
    requests: int = 0
    errors: int = 0
    trouble: str = ""
    """Why its update or its version is not as it should be; empty: it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """What is known of a node at one moment; None: not known here."""

    disk_free_bytes: float | None = None
    memory_free_bytes: float | None = None
    temperature_c: float | None = None
    outbox_bytes: int | None = None
    outbox_bytes_max: int | None = None
    oldest_waiting_s: float | None = None
    shed: Mapping[str, int] = field(default_factory=dict)
    silent_s: float | None = None
    """Since the hub was last heard of."""
    clock_error_s: float | None = None
    metadata_left_s: float | None = None
    """How long the signed metadata still holds; negative: it has expired."""
    serving: bool | None = None
    """Whether the serving process answers."""
    models: Mapping[str, ModelFacts] = field(default_factory=dict)
    restarts: int | None = None
    refused: str = ""
    """Why the newest desired state was not believed."""
    shell: str = ""
    """Who has a shell open on this machine, why, and until when; empty: nobody."""


_Judge: TypeAlias = Callable[[HealthFacts, HealthLimits], Iterable[HealthCheck]]


def checks(facts: HealthFacts, limits: HealthLimits) -> list[HealthCheck]:
    """Return every check that can be made, in a fixed order."""
    return [check for judge in _JUDGES for check in judge(facts, limits)]


def worst(found: Iterable[HealthCheck]) -> Verdict:
    """Return the verdict over all checks; without any, nothing is known to be wrong."""
    order = list(Verdict)
    return max((check.verdict for check in found), key=order.index, default=Verdict.OK)


def _disk(facts: HealthFacts, limits: HealthLimits) -> Iterable[HealthCheck]:
    if facts.disk_free_bytes is not None:
        verdict = _low(facts.disk_free_bytes, limits.disk_free_bytes_warn, limits.disk_free_bytes_bad)
        remedy = "Free space on the disk of the data directory; until then records are shed and updates refused."
        yield _check("disk", verdict, f"{_bytes(facts.disk_free_bytes)} free", remedy)


def _memory(facts: HealthFacts, limits: HealthLimits) -> Iterable[HealthCheck]:
    if facts.memory_free_bytes is not None:
        verdict = _low(facts.memory_free_bytes, limits.memory_free_bytes_warn, limits.memory_free_bytes_bad)
        remedy = "End other programs, or assign fewer or smaller models; a version that does not fit is refused."
        yield _check("memory", verdict, f"{_bytes(facts.memory_free_bytes)} free", remedy)


def _thermal(facts: HealthFacts, limits: HealthLimits) -> Iterable[HealthCheck]:
    if facts.temperature_c is not None:
        verdict = _high(facts.temperature_c, limits.temperature_c_warn, limits.temperature_c_bad)
        remedy = "Clean and cool the machine: a hot processor slows down, and every answer with it."
        yield _check("thermal", verdict, f"{facts.temperature_c:.0f} °C", remedy)


def _outbox(facts: HealthFacts, limits: HealthLimits) -> Iterable[HealthCheck]:
    if facts.outbox_bytes is None or not facts.outbox_bytes_max:
        return
    share = facts.outbox_bytes / facts.outbox_bytes_max
    oldest = f", the oldest record {_time(facts.oldest_waiting_s)} old" if facts.oldest_waiting_s else ""
    shed = ", ".join(f"{count} {name}" for name, count in sorted(facts.shed.items()) if count)
    fact = f"{share:.0%} of its bytes used{oldest}{f'; shed so far: {shed}' if shed else ''}"
    remedy = "Restore the link, widen the budget of traffic, or give the outbox more disk; when it is full, records go."
    yield _check("outbox", _high(share, limits.outbox_share_warn, limits.outbox_share_bad), fact, remedy)


def _link(facts: HealthFacts, limits: HealthLimits) -> Iterable[HealthCheck]:
    if facts.silent_s is not None:
        verdict = _high(facts.silent_s, limits.silent_s_warn, limits.silent_s_bad)
        remedy = "Run `ganglion node doctor` on the machine: it tries name, port, certificate and credentials in turn."
        yield _check("link", verdict, f"the hub was heard of {_time(facts.silent_s)} ago", remedy)
    if facts.refused:
        remedy = "What the hub asks for is not believed or not allowed: read the reason, and the hub's audit."
        yield HealthCheck("desired state", Verdict.BAD, facts.refused, remedy)


def _clock(facts: HealthFacts, limits: HealthLimits) -> Iterable[HealthCheck]:
    if facts.clock_error_s is not None:
        error_s = facts.clock_error_s
        verdict = _high(abs(error_s), limits.clock_error_s_warn, limits.clock_error_s_bad)
        side = "ahead of" if error_s > 0 else "behind"
        remedy = "Set up time synchronisation: with a wrong clock, updates wait and windows open at the wrong time."
        yield _check("clock", verdict, f"{_time(abs(error_s))} {side} the hub's", remedy)


def _trust(facts: HealthFacts, limits: HealthLimits) -> Iterable[HealthCheck]:
    if facts.metadata_left_s is None:
        return
    left_s = facts.metadata_left_s
    verdict = Verdict.BAD if left_s <= 0 else _low(left_s, limits.metadata_left_s_warn, 0.0)
    fact = f"signed metadata expired {_time(-left_s)} ago" if left_s <= 0 else f"signed metadata holds {_time(left_s)}"
    remedy = "Let the node reach its hub, and look at the hub's `ganglion trust status`; what is committed serves on."
    yield _check("trust", verdict, fact, remedy)


def _serving(facts: HealthFacts, limits: HealthLimits) -> Iterable[HealthCheck]:
    if facts.serving is False:
        remedy = "Read `ganglion node logs`: the supervisor starts it again, and the log says why it ended."
        yield HealthCheck("serving", Verdict.BAD, "the serving process does not answer", remedy)
    if facts.restarts is not None:
        verdict = _high(facts.restarts, limits.restarts_warn, limits.restarts_bad)
        remedy = "Read `ganglion node logs --level error`: something ends the processes again and again."
        yield _check("restarts", verdict, f"{facts.restarts} within an hour", remedy)


def _shell(facts: HealthFacts, _limits: HealthLimits) -> Iterable[HealthCheck]:
    if facts.shell:
        remedy = "Nothing, if you know of it; `ganglion node shell close` on the machine ends it."
        yield HealthCheck("shell", Verdict.WARN, facts.shell, remedy)


def _models(facts: HealthFacts, limits: HealthLimits) -> Iterable[HealthCheck]:
    for name, model in sorted(facts.models.items()):
        yield _model(name, model, limits)


def _model(name: str, model: ModelFacts, limits: HealthLimits) -> HealthCheck:
    what = f"model {name}"
    if not model.active:
        fact = f"no version answers{f': {model.trouble}' if model.trouble else ''}"
        remedy = "Look at the reason; assign a version that this node can run, or take the assignment away."
        return HealthCheck(what, Verdict.BAD if model.committed else Verdict.WARN, fact, remedy)
    rate = model.errors / model.requests if model.requests else 0.0
    fact = f"version {model.active} answers, {model.errors} of {model.requests} requests failed"
    verdict = _high(rate, limits.error_rate_warn, limits.error_rate_bad) if model.requests else Verdict.OK
    if model.active == model.committed and model.trouble and verdict is Verdict.OK:
        return HealthCheck(what, Verdict.WARN, f"{fact}; {model.trouble}", "Look at the reason of the last update.")
    return _check(what, verdict, fact, "Read `ganglion node logs`, and compare with the version before.")


_JUDGES: Final[tuple[_Judge, ...]] = (
    _disk,
    _memory,
    _thermal,
    _outbox,
    _link,
    _clock,
    _trust,
    _serving,
    _shell,
    _models,
)


def _check(name: str, verdict: Verdict, fact: str, remedy: str) -> HealthCheck:
    return HealthCheck(name, verdict, fact, "" if verdict is Verdict.OK else remedy)


def _high(value: float, warn: float, bad: float) -> Verdict:
    return Verdict.BAD if value >= bad else Verdict.WARN if value >= warn else Verdict.OK


def _low(value: float, warn: float, bad: float) -> Verdict:
    return Verdict.BAD if value < bad else Verdict.WARN if value < warn else Verdict.OK


def _time(seconds: float) -> str:
    for unit_s, name in ((_DAY_S, "days"), (_HOUR_S, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds:.0f} s"


def _bytes(number: float) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number:.0f} bytes"
