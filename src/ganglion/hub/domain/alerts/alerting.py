"""From facts to what is true of whom: one function or tally for each source of facts. No I/O, no clock.

Facts of nodes come one by one, so that a large fleet is never in memory at once. What is not known is not true: a node
that never told how full its disk is has no full disk, and a version with a handful of requests has no error rate.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.alerts.conditions import FLEET, NODE, at_least_of, is_true, limit_of, rule_of, written
from ganglion.hub.domain.alerts.table import SUBJECTS_MAX, Finding
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.wire.alert_resources import AlertCondition

HUB = "hub"
REQUESTS_MIN = 100
"""Fewer requests of a version say nothing of its errors or its latency."""
_NAMED_MAX = 5
_TEXT_MAX = 300
_BAD = "bad"
_C = AlertCondition


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFact:
    """What the hub knows of one node at one look."""

    name: str
    site: str
    silent_s: float = 0.0
    """Since it was last heard of; since it was enrolled when it never was."""
    is_quarantined: bool = False
    unwell: Mapping[str, str] = field(default_factory=dict)
    """What is not well, by check: the verdict, a colon, the fact."""
    disk_free_bytes: float | None = None
    waiting: int = 0
    shed: int = 0
    """Records that it gave up in the last ten minutes."""
    drifting: Sequence[str] = ()
    """Models of which it serves another version than it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFact:
    """What one version did on some nodes."""

    subject: str
    behaviour: Behaviour
    shifted: int = 0
    """Figures of its inputs that have moved beyond chance."""


@dataclass(frozen=True, slots=True)
class Watch:
    """An alert as it is looked at."""

    spec: AlertSpec
    followed: frozenset[str] = frozenset()
    """Subjects that it has already: they keep their places."""


class Places:
    """Subjects that were found: those that are followed already, and as many more as there is room for."""

    def __init__(self, followed: frozenset[str]) -> None:
        self._followed, self._room = followed, max(0, SUBJECTS_MAX - len(followed))
        self.found: dict[str, Finding] = {}
        self.left_out = 0

    def add(self, finding: Finding) -> None:
        """Take one in, or count it."""
        if finding.subject not in self._followed:
            if not self._room:
                self.left_out += 1
                return
            self._room -= 1
        self.found[finding.subject] = finding


@dataclass(slots=True)
class _Crowd:
    """The nodes of a site, or of the fleet."""

    nodes: int = 0
    true: int = 0
    first: list[str] = field(default_factory=list)


class NodeTally:
    """Counts the nodes of which a condition is true. Nodes are added by name."""

    def __init__(self, watch: Watch) -> None:
        self._spec, self._places = watch.spec, Places(watch.followed)
        self._crowds: dict[str, _Crowd] = {}

    def add(self, fact: NodeFact) -> None:
        """Count a node that is meant."""
        spec, value = self._spec, node_value(self._spec, fact)
        holds = value is not None and is_true(spec, value)
        if spec.per == NODE:
            if holds and value is not None:
                self._places.add(Finding(fact.name, value, _node_text(spec, fact, value)))
            return
        crowd = self._crowds.setdefault(FLEET if spec.per == FLEET else fact.site, _Crowd())
        crowd.nodes += 1
        if holds:
            crowd.true += 1
            crowd.first += [fact.name] if len(crowd.first) < _NAMED_MAX else []

    def places(self) -> Places:
        """Return what was found, after the last node."""
        number, share = at_least_of(self._spec)
        for subject, crowd in sorted(self._crowds.items()):
            if crowd.true >= number and crowd.true >= share * crowd.nodes and crowd.true:
                self._places.add(Finding(subject, float(crowd.true), _crowd_text(self._spec, crowd)))
        return self._places


def node_value(spec: AlertSpec, fact: NodeFact) -> float | None:
    """Return the value of a condition about nodes for one of them; None: it is not known, or has no meaning."""
    if fact.is_quarantined and spec.condition is not _C.NODE_QUARANTINED:
        return None
    return _VALUES[spec.condition](spec, fact)


def events(watch: Watch, counts: Iterable[tuple[NodeFact, int]]) -> Places:
    """Return of whom so many events were told; each node with its number of them."""
    totals: dict[str, int] = {}
    for fact, count in counts:
        subject = {NODE: fact.name, FLEET: FLEET}.get(watch.spec.per, fact.site)
        totals[subject] = totals.get(subject, 0) + count
    return _beyond(watch, ((subject, float(count)) for subject, count in sorted(totals.items())))


def counts(watch: Watch, facts: Iterable[CountFact]) -> Places:
    """Return which versions, or which of their nodes and sites, do what they should not."""
    spec = watch.spec
    values = ((fact.subject, _count_value(spec, fact)) for fact in facts)
    return _beyond(watch, ((subject, value) for subject, value in values if value is not None))


def numbers(watch: Watch, values: Iterable[tuple[str, float]], words: Mapping[str, Mapping[str, str]]) -> Places:
    """Return of which subjects a plain number is beyond the limit; `words` of each stand in what is said."""
    return _beyond(watch, values, words)


def _beyond(
    watch: Watch, values: Iterable[tuple[str, float]], words: Mapping[str, Mapping[str, str]] | None = None
) -> Places:
    places = Places(watch.followed)
    for subject, value in values:
        if is_true(watch.spec, value):
            places.add(Finding(subject, value, said(watch.spec, value, (words or {}).get(subject, {}))))
    return places


def said(spec: AlertSpec, value: float, words: Mapping[str, str] | None = None) -> str:
    """Return what is true of a subject, with the figures."""
    rule = rule_of(spec)
    figures = {"value": written(value, rule.unit), "limit": written(limit_of(spec), rule.unit)}
    return rule.says.format(**figures, **(words or {}))[:_TEXT_MAX]


def _count_value(spec: AlertSpec, fact: CountFact) -> float | None:
    behaviour = fact.behaviour
    if spec.condition is _C.INPUT_SHIFT:
        return float(fact.shifted)
    if behaviour.requests < REQUESTS_MIN:
        return None
    if spec.condition is _C.ERROR_RATE:
        return behaviour.error_rate
    if not behaviour.latency_us.count:
        return None
    return behaviour.latency_us.quantile(0.99) / 1000.0


def _verdict(text: str) -> float:
    return 2.0 if text.partition(":")[0] == _BAD else 1.0


def _unwell(spec: AlertSpec, fact: NodeFact) -> float:
    return max((_verdict(text) for name, text in fact.unwell.items() if spec.check in {"", name}), default=0.0)


def _drifting(spec: AlertSpec, fact: NodeFact) -> list[str]:
    return [model for model in fact.drifting if spec.model in {"", model}]


_VALUES: Mapping[AlertCondition, Callable[[AlertSpec, NodeFact], float | None]] = {
    _C.NODE_QUARANTINED: lambda _, fact: float(fact.is_quarantined),
    _C.NODE_SILENT: lambda _, fact: fact.silent_s,
    _C.NODE_UNWELL: _unwell,
    _C.DISK_LOW: lambda _, fact: fact.disk_free_bytes,
    _C.RECORDS_WAITING: lambda _, fact: float(fact.waiting),
    _C.RECORDS_SHED: lambda _, fact: float(fact.shed),
    _C.VERSION_DRIFT: lambda spec, fact: float(len(_drifting(spec, fact))),
}


def _node_text(spec: AlertSpec, fact: NodeFact, value: float) -> str:
    rule = rule_of(spec)
    if spec.condition is _C.NODE_UNWELL:
        told = [f"{name}: {text}" for name, text in sorted(fact.unwell.items()) if spec.check in {"", name}]
        return "; ".join(told)[:_TEXT_MAX]
    if spec.condition is _C.VERSION_DRIFT:
        return f"serves another version than it should: {', '.join(_drifting(spec, fact))}"[:_TEXT_MAX]
    return rule.of_one.format(value=written(value, rule.unit)) if rule.of_one else said(spec, value)


def _crowd_text(spec: AlertSpec, crowd: _Crowd) -> str:
    more = f" and {crowd.true - len(crowd.first)} more" if crowd.true > len(crowd.first) else ""
    share = f"{crowd.true / crowd.nodes:.1%}"
    return f"{crowd.true} of {crowd.nodes} nodes ({share}) {said(spec, 0.0)}: {', '.join(crowd.first)}{more}"
