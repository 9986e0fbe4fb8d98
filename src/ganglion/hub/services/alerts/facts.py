"""Gathers what alerts ask for, with one walk through the nodes for all of them, however many there are.

Nodes are read in pages. Counts of models are read for a bounded part of the nodes, chosen by a hash of their ids and
therefore the same at each look: what a version does to most is seen in a part as well.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import GanglionError
from ganglion.hub.domain.alerts import alerting
from ganglion.hub.domain.alerts.alerting import CountFact, NodeFact, NodeTally, Places, Watch
from ganglion.hub.domain.alerts.conditions import FLEET, GROUP, NODE, Source, rule_of
from ganglion.hub.domain.alerts.table import Finding
from ganglion.hub.domain.fleet import selectors
from ganglion.hub.domain.fleet.selectors import Selector
from ganglion.hub.domain.fleet.specs import AlertSpec
from ganglion.hub.domain.nodes.lifecycle import Standing
from ganglion.hub.services.alerts import hub_facts as alert_hub_facts
from ganglion.hub.services.alerts.hub_facts import HubItself
from ganglion.hub.services.alerts.shed import ShedMemory
from ganglion.hub.services.evidence.events import QUARANTINED, ROLLED_BACK
from ganglion.hub.services.organisation import groups
from ganglion.hub.services.records import input_shifts
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, NodeQuery, NodeRow
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.wire import codec
from ganglion.wire.alert_resources import AlertCondition
from ganglion.wire.desired import NodeReport

COUNTED_NODES_MAX = 500
_COUNTED_ROWS_MAX = 10_000
"""Minutes of nodes that are read for one alert at one look."""
_PAGE = 1000
_MINUTE_S = 60.0
_WALKED = (Standing.PENDING.value, Standing.ACTIVE.value, Standing.QUARANTINED.value)
_OF_NODES = frozenset({Source.NODES, Source.EVENTS, Source.COUNTS})
_EVENTS = {AlertCondition.UPDATES_FAILED: ROLLED_BACK, AlertCondition.CRASHES: QUARANTINED}


@dataclass(frozen=True, slots=True)
class Found:
    """What is true of whom, for one alert."""

    findings: Mapping[str, Finding] = field(default_factory=dict)
    left_out: int = 0
    trouble: str = ""
    """Why nothing can be said: the alert stays as it is."""


@dataclass(slots=True)
class _Counted:
    """A node and a version on it, chosen by `rank`."""

    rank: int
    node_id: str
    place: str
    model: str
    version: str


@dataclass(slots=True)
class _Look:
    """One alert during one walk through the nodes."""

    watch: Watch
    selector: Selector | None
    names: frozenset[str]
    is_everybody: bool
    tally: NodeTally | None = None
    events: Mapping[str, int] = field(default_factory=dict)
    told: list[tuple[NodeFact, int]] = field(default_factory=list)
    counted: list[_Counted] = field(default_factory=list)

    @property
    def spec(self) -> AlertSpec:
        return self.watch.spec

    def means(self, row: NodeRow, facts: Mapping[str, str]) -> bool:
        if self.is_everybody or row.name in self.names:
            return True
        return self.selector is not None and self.selector.selects(facts)


class AlertFacts:
    """Reads the stores. One thread at a time."""

    def __init__(
        self,
        *,
        control: ControlStore,
        telemetry: TelemetryStore,
        clock: Clock,
        last_seen_at_s: Callable[[NodeRow], float | None],
        itself: HubItself,
    ) -> None:
        self._control, self._telemetry, self._clock = control, telemetry, clock
        self._last_seen_at_s, self._itself = last_seen_at_s, itself
        self._shed = ShedMemory()

    def gather(self, watches: Mapping[str, Watch]) -> dict[str, Found]:
        """Return what is true now, by the name of the alert."""
        now_s, looks, found = utc_s(self._clock), dict[str, _Look](), dict[str, Found]()
        with self._control.read() as tx:
            for name, watch in watches.items():
                try:
                    looks[name] = self._prepared(tx, watch, now_s)
                except GanglionError as error:
                    found[name] = Found(trouble=error.message)
        of_nodes = [look for look in looks.values() if rule_of(look.spec).source in _OF_NODES]
        if of_nodes:
            self._walk(of_nodes, now_s)
        for name, look in looks.items():
            try:
                places = self._places(look, now_s)
            except GanglionError as error:
                found[name] = Found(trouble=error.message)
            else:
                found[name] = Found(places.found, places.left_out)
        return found

    def _prepared(self, tx: ControlTransaction, watch: Watch, now_s: float) -> _Look:
        """Raises: NotFound: its group is gone."""
        spec = watch.spec
        group = groups.group(tx, spec.to.removeprefix(GROUP)) if spec.to else None
        select = group.selector if group else spec.select
        look = _Look(
            watch=watch,
            selector=None if select is None else selectors.parse(select),
            names=frozenset(group.nodes) if group else frozenset(),
            is_everybody=group is None and select is None,
        )
        match rule_of(spec).source:
            case Source.NODES:
                look.tally = NodeTally(watch)
            case Source.EVENTS:
                since_ns = int((now_s - spec.within_s) * 1e9)
                with self._telemetry.read() as records:
                    look.events = records.events_by_node(
                        _EVENTS[spec.condition], since_ns=since_ns, model=spec.model or None
                    )
            case _:
                pass
        return look

    def _walk(self, looks: Sequence[_Look], now_s: float) -> None:
        """Show every node to every look that means it."""
        asks_facts = any(look.selector is not None for look in looks)
        asks_drift = any(look.spec.condition is AlertCondition.VERSION_DRIFT for look in looks)
        self._shed.begin(self._clock.monotonic_s())
        after = ""
        while True:
            with self._control.read() as tx:
                rows = tx.find_nodes(NodeQuery(standings=_WALKED, after=after, limit=_PAGE))
                wanted = _wanted(tx, [row.node_id for row in rows]) if asks_drift else {}
            for row in rows:
                report = codec.decode_json(row.report, NodeReport) if row.report else None
                fact = self._fact(row, report, wanted.get(row.node_id, {}), now_s)
                facts = groups.facts_of(row) if asks_facts else {}
                for look in looks:
                    if look.means(row, facts):
                        _show(look, row, report, fact)
            if len(rows) < _PAGE:
                self._shed.end()
                return
            after = rows[-1].name

    def _fact(self, row: NodeRow, report: NodeReport | None, wanted: Mapping[str, str], now_s: float) -> NodeFact:
        seen_at_s = self._last_seen_at_s(row)
        served = {each.model: each.version for each in report.models} if report else {}
        return NodeFact(
            name=row.name,
            site=row.site,
            silent_s=max(0.0, now_s - (row.enrolled_at_s if seen_at_s is None else seen_at_s)),
            is_quarantined=row.quarantined_at_s is not None,
            unwell=report.unwell if report else {},
            disk_free_bytes=report.machine.get("disk_free_bytes") if report else None,
            waiting=report.waiting if report else 0,
            shed=self._shed.lately(row.node_id, report.epoch, sum(report.shed.values())) if report else 0,
            drifting=[model for model, version in wanted.items() if served.get(model) != version],
        )

    def _places(self, look: _Look, now_s: float) -> Places:
        """Raises: DataCorrupt, DiskUnusable."""
        if look.tally is not None:
            return look.tally.places()
        match rule_of(look.spec).source:
            case Source.EVENTS:
                return alerting.events(look.watch, look.told)
            case Source.COUNTS:
                return alerting.counts(look.watch, self._counts(look, now_s))
            case Source.ROLLOUTS:
                with self._control.read() as tx:
                    return alert_hub_facts.rollouts(tx, look.watch, now_s)
            case _:
                with self._control.read() as tx:
                    return alerting.numbers(look.watch, alert_hub_facts.numbers(tx, look.spec, self._itself, now_s), {})

    def _counts(self, look: _Look, now_s: float) -> Iterator[CountFact]:
        """Yield what versions did, by the subject to which each node belongs."""
        minutes = int(look.spec.within_s // _MINUTE_S)
        chosen: dict[tuple[str, str], dict[str, str]] = {}
        for each in _chosen(look.counted, _COUNTED_ROWS_MAX // minutes):
            chosen.setdefault((each.model, each.version), {})[each.node_id] = each.place
        for (model, version), places in sorted(chosen.items()):
            with self._telemetry.read() as records:
                found = records.behaviour(
                    node_ids=sorted(places),
                    model=model,
                    version=version,
                    since_minute=int(now_s // _MINUTE_S) - minutes,
                )
            merged: dict[str, Behaviour] = {}
            for node_id, behaviour in sorted(found.items()):
                merged.setdefault(places[node_id], Behaviour()).merge(behaviour)
            reference = {}
            if look.spec.condition is AlertCondition.INPUT_SHIFT:
                with self._control.read() as tx:
                    reference = input_shifts.reference_of(tx, model, version)
            for place, behaviour in merged.items():
                subject = f"{place}/{model}:{version}" if place else f"{model}:{version}"
                shifted = len(input_shifts.shifted(reference, behaviour.inputs))
                yield CountFact(subject=subject, behaviour=behaviour, shifted=shifted)


def _show(look: _Look, row: NodeRow, report: NodeReport | None, fact: NodeFact) -> None:
    if look.tally is not None:
        look.tally.add(fact)
    elif row.node_id in look.events:
        look.told.append((fact, look.events[row.node_id]))
    elif rule_of(look.spec).source is Source.COUNTS and report is not None and not fact.is_quarantined:
        place = {NODE: row.name, FLEET: ""}.get(look.spec.per, row.site)
        rank = zlib.crc32(row.node_id.encode())
        for status in report.models:
            if status.version and look.spec.model in {"", status.model}:
                look.counted.append(_Counted(rank, row.node_id, place, status.model, status.version))
        if len(look.counted) > 4 * COUNTED_NODES_MAX:
            look.counted = _chosen(look.counted, COUNTED_NODES_MAX)


def _chosen(counted: Sequence[_Counted], most: int) -> list[_Counted]:
    ranked = sorted(counted, key=lambda each: (each.rank, each.node_id, each.model, each.version))
    return ranked[: min(most, COUNTED_NODES_MAX)]


def _wanted(tx: ControlTransaction, node_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return by node the version of each model that it should serve."""
    wanted: dict[str, dict[str, str]] = {}
    for row in tx.all_assignments_of(node_ids):
        wanted.setdefault(row.node_id, {})[row.model] = row.version
    return wanted
