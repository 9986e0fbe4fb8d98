"""What alerts can watch: a closed set of conditions, each with its unit, its default limit and its rules. No I/O."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.core.ids import parse_name
from ganglion.hub.domain.fleet import selectors
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.wire.alert_resources import AlertCondition

NODE, SITE, FLEET = "node", "site", "fleet"
GROUP = "group:"
DESCRIPTION_MAX = 500
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86_400.0
_FOR_S_MAX = 30 * _DAY_S
_LIMIT_MAX = 1e15
_AT_LEAST = re.compile(r"([0-9]{1,9})|([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
_CHECK = re.compile(r"[a-z][a-z ]{0,39}")
_C = AlertCondition


class Source(StrEnum):
    """Where the facts of a condition come from."""

    NODES = "nodes"
    """What each node last reported."""
    EVENTS = "events"
    """Events of nodes, counted."""
    COUNTS = "counts"
    """What models did on nodes, minute by minute."""
    ROLLOUTS = "rollouts"
    HUB = "hub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for one condition."""

    source: Source
    says: str
    """What is true of a subject, with `{value}` and `{limit}` in its unit."""
    of_one: str = ""
    """The same of one node, where its value is worth saying."""
    limit: float = 0.0
    unit: str = ""
    """s, bytes, ms, share; empty: a count."""
    is_below: bool = False
    """True below the limit; others are true above it."""
    per: str = ""
    """The default; empty: it has subjects of its own."""
    within_s: float = 0.0
    """How far back it looks; 0: it tells what is now."""
    within_s_max: float = 0.0


RULES: Mapping[AlertCondition, Rule] = {
    _C.NODE_SILENT: Rule(
        source=Source.NODES,
        per=FLEET,
        limit=600.0,
        unit="s",
        says="not heard of for longer than {limit}",
        of_one="not heard of for {value}",
    ),
    _C.NODE_QUARANTINED: Rule(source=Source.NODES, per=FLEET, says="in quarantine"),
    _C.NODE_UNWELL: Rule(source=Source.NODES, per=FLEET, limit=1.0, says="unwell"),
    _C.DISK_LOW: Rule(
        source=Source.NODES,
        per=FLEET,
        limit=1e9,
        unit="bytes",
        is_below=True,
        says="less than {limit} free on the disk",
        of_one="{value} free on the disk",
    ),
    _C.RECORDS_WAITING: Rule(
        source=Source.NODES,
        per=FLEET,
        limit=100_000.0,
        says="more than {limit} records wait",
        of_one="{value} records wait",
    ),
    _C.RECORDS_SHED: Rule(
        source=Source.NODES,
        per=FLEET,
        says="gave up more than {limit} records in the last ten minutes",
        of_one="gave up {value} records in the last ten minutes",
    ),
    _C.VERSION_DRIFT: Rule(source=Source.NODES, per=FLEET, says="serve another version than they should"),
    _C.UPDATES_FAILED: Rule(
        source=Source.EVENTS, per=FLEET, within_s=_HOUR_S, within_s_max=_DAY_S, says="{value} updates went back"
    ),
    _C.CRASHES: Rule(
        source=Source.EVENTS,
        per=FLEET,
        within_s=_HOUR_S,
        within_s_max=_DAY_S,
        says="{value} versions were given up after crashes",
    ),
    _C.ERROR_RATE: Rule(
        source=Source.COUNTS,
        per=FLEET,
        limit=0.05,
        unit="share",
        within_s=600.0,
        within_s_max=_HOUR_S,
        says="{value} of the requests failed",
    ),
    _C.LATENCY_P99: Rule(
        source=Source.COUNTS,
        per=FLEET,
        limit=1000.0,
        unit="ms",
        within_s=600.0,
        within_s_max=_HOUR_S,
        says="p99 of the latency is {value}",
    ),
    _C.INPUT_SHIFT: Rule(
        source=Source.COUNTS,
        per=SITE,
        within_s=_HOUR_S,
        within_s_max=6 * _HOUR_S,
        says="{value} figures of the inputs have moved",
    ),
    _C.ROLLOUT_ABORTED: Rule(
        source=Source.ROLLOUTS, within_s=_HOUR_S, within_s_max=7 * _DAY_S, says="{rollout} was aborted: {reason}"
    ),
    _C.ROLLOUT_WAITING: Rule(
        source=Source.ROLLOUTS, limit=_HOUR_S, unit="s", says="{rollout} is {state} for longer than {limit}"
    ),
    _C.HUB_DISK_LOW: Rule(
        source=Source.HUB, limit=2e9, unit="bytes", is_below=True, says="less than {limit} free on the hub's disk"
    ),
    _C.METADATA_EXPIRING: Rule(
        source=Source.HUB, limit=7 * _DAY_S, unit="s", is_below=True, says="expires in less than {limit}"
    ),
    _C.CERTIFICATE_EXPIRING: Rule(
        source=Source.HUB,
        limit=14 * _DAY_S,
        unit="s",
        is_below=True,
        says="the certificate that the hub shows expires in less than {limit}",
    ),
    _C.TOKEN_EXPIRING: Rule(
        source=Source.HUB, limit=7 * _DAY_S, unit="s", is_below=True, says="its token expires in less than {limit}"
    ),
}
_OF_MODELS = frozenset({_C.VERSION_DRIFT, _C.UPDATES_FAILED, _C.CRASHES})


def rule_of(spec: AlertSpec) -> Rule:
    """Return the rule of a spec's condition."""
    return RULES[spec.condition]


def limit_of(spec: AlertSpec) -> float:
    """Return the limit that holds."""
    return rule_of(spec).limit if spec.limit is None else spec.limit


def is_true(spec: AlertSpec, value: float) -> bool:
    """Tell whether a value is beyond the limit."""
    return value < limit_of(spec) if rule_of(spec).is_below else value > limit_of(spec)


def checked(spec: AlertSpec) -> AlertSpec:
    """Return a spec that can be watched, with every default filled in. Raises: InvalidRequest, InvalidName."""
    rule = rule_of(spec)
    _check_place(spec, rule)
    if len(spec.description) > DESCRIPTION_MAX or not spec.description.isprintable():
        raise InvalidRequest(f"description: one line of at most {DESCRIPTION_MAX} characters")
    for name, low, value, high in (
        ("limit", 0.0, limit_of(spec), _LIMIT_MAX),
        ("for_s", 0.0, spec.for_s, _FOR_S_MAX),
        ("resolve_after_s", 0.0, spec.resolve_after_s, _FOR_S_MAX),
    ):
        if not (math.isfinite(value) and low <= value <= high):
            raise InvalidRequest(f"{name}: between {low:g} and {high:g}")
    if spec.model:
        if rule.source is not Source.COUNTS and spec.condition not in _OF_MODELS and rule.source is not Source.ROLLOUTS:
            raise InvalidRequest(f"model: {spec.condition.value} is not about models")
        parse_name(spec.model, what="model")
    if spec.check and (spec.condition is not _C.NODE_UNWELL or not _CHECK.fullmatch(spec.check)):
        raise InvalidRequest("check: the name of a health check, for node_unwell alone")
    if spec.condition is _C.NODE_UNWELL and limit_of(spec) not in {0.0, 1.0}:
        raise InvalidRequest("limit: 0 takes warnings in, 1 only what is bad")
    filled = msgspec.structs.replace(
        spec,
        limit=limit_of(spec),
        per=spec.per or rule.per,
        within_s=_within_s(spec, rule),
        at_least=_checked_at_least(spec, rule),
    )
    # A default that was written out is the default: it must not look like a difference.
    given = {each.name: (getattr(filled, each.name), each.default) for each in msgspec.structs.fields(AlertSpec)}
    return msgspec.structs.replace(
        filled, **{name: default for name, (value, default) in given.items() if value == default}
    )


def at_least_of(spec: AlertSpec) -> tuple[int, float]:
    """Return how many nodes make it true, as a number and as a share; both must be reached."""
    if spec.at_least.endswith("%"):
        return 1, float(spec.at_least[:-1]) / 100.0
    return int(spec.at_least), 0.0


def _check_place(spec: AlertSpec, rule: Rule) -> None:
    """Raises: InvalidRequest, InvalidName."""
    if not rule.per and (spec.to or spec.select is not None or spec.per):
        raise InvalidRequest(f"{spec.condition.value} is not about nodes: it takes neither to, select nor per")
    if spec.to:
        if not spec.to.startswith(GROUP) or spec.select is not None:
            raise InvalidRequest("to: write group:NAME, and no select beside it")
        parse_name(spec.to.removeprefix(GROUP), what="group")
    if spec.select is not None:
        selectors.parse(spec.select)


def _within_s(spec: AlertSpec, rule: Rule) -> float:
    if not rule.within_s_max:
        if spec.within_s:
            raise InvalidRequest(f"within_s: {spec.condition.value} tells what is now")
        return 0.0
    within_s = spec.within_s or rule.within_s
    if not _MINUTE_S <= within_s <= rule.within_s_max:
        raise InvalidRequest(f"within_s: between {_MINUTE_S:g} and {rule.within_s_max:g}")
    return within_s


def _checked_at_least(spec: AlertSpec, rule: Rule) -> str:
    found = _AT_LEAST.fullmatch(spec.at_least.strip())
    number, share = (found.group(1), found.group(2)) if found else (None, None)
    if (number is not None and int(number) < 1) or (number is None and not (share and 0.0 < float(share) <= 100.0)):  # noqa: PLR2004 - percent
        raise InvalidRequest("at_least: a number of nodes from 1 on, or a share such as 10%")
    text = (number and str(int(number))) or f"{float(share or 0):g}%"
    is_counted = rule.source is Source.NODES and (spec.per or rule.per) != NODE
    if text != "1" and not is_counted:
        raise InvalidRequest("at_least counts nodes of a site or of the fleet: it has no meaning here")
    return text


def written(value: float, unit: str) -> str:
    """Return a value as people read it."""
    match unit:
        case "s":
            return _time(value)
        case "bytes":
            return f"{value / 1e9:.2f} GB"
        case "share":
            return f"{value:.1%}"
        case "ms":
            return f"{value:.3g} ms"
        case _:
            return f"{value:.10g}"


def _time(seconds: float) -> str:
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.3g} {unit}"
    return f"{seconds:.3g} s"
