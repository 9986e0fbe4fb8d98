"""What Prometheus reads: counts of requests kept here, and the fleet's state read when it is asked for."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ganglion.wire.node_resources import HubStatus


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """The figures of one moment."""

    nodes: Mapping[str, int] = field(default_factory=Tally)
    """Nodes by state."""
    rollouts: Mapping[str, int] = field(default_factory=Tally)
    """Rollouts by state."""
    releases: int = 0
    records_stored: int = 0
    long_polls: int = 0
    trust_expiry: Mapping[str, float] = field(default_factory=dict)
    """When each role's signed metadata expires, in seconds since 1970."""
    trust_due: Mapping[str, bool] = field(default_factory=dict)
    """Whether a role should have been signed again."""


class HubMetrics:
    """One registry per hub, so that two in one process do not share counts."""

    def __init__(
        self,
        counts: Callable[[], FleetCounts],
        status: Callable[[], HubStatus],
        figures: Callable[[], Mapping[str, float]] = dict,
        alerts: Callable[[], Iterable[tuple[str, str, int]]] = tuple,
    ) -> None:
        """`figures` are single numbers of how the fleet is run, by a name with its unit.

        `alerts` are name, severity, and of how many subjects each of them fires.
        """
        # They double the text, and say what the first scrape of a series says anyhow.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library left its types out
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "ganglion_http_requests",
            "Answered HTTP requests.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._batches = Counter("ganglion_ingest_batches", "Batches of records stored.", registry=self._registry)
        self._registry.register(_FleetCollector(counts))
        self._registry.register(_StatusCollector(status))
        self._registry.register(_FiguresCollector(figures))
        self._registry.register(_AlertsCollector(alerts))

    def count_request(self, method: str, route: str, status: int) -> None:
        """Count one request; status 0 is a connection that was cut before the answer."""
        known = method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
        self._requests.labels(known, route, str(status)).inc()

    def count_batch(self) -> None:
        """Count one stored batch."""
        self._batches.inc()

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)


class _FleetCollector(Collector):
    def __init__(self, counts: Callable[[], FleetCounts]) -> None:
        self._counts = counts

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: registering must not read the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        counts = self._counts()
        yield _by_state("ganglion_nodes", "Enrolled nodes by state.", counts.nodes)
        yield _by_state("ganglion_rollouts", "Rollouts by state.", counts.rollouts)
        yield GaugeMetricFamily("ganglion_releases", "Released packages.", value=counts.releases)
        yield GaugeMetricFamily("ganglion_long_polls", "Nodes that wait for a change.", value=counts.long_polls)
        yield _by_role("ganglion_trust_expiry_timestamp_seconds", "When signed metadata expires.", counts.trust_expiry)
        yield _by_role("ganglion_trust_due", "1: this role should have been signed again.", counts.trust_due)
        yield CounterMetricFamily(
            "ganglion_records_stored", "Records of nodes stored once each.", value=counts.records_stored
        )


class _StatusCollector(Collector):
    def __init__(self, status: Callable[[], HubStatus]) -> None:
        self._status = status

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: registering must not ask the disk."""
        return ()

    def collect(self) -> Iterable[Metric]:
        status = self._status()
        for name, text, value in (
            ("telemetry_bytes", "What the hub keeps of all that nodes sent.", status.telemetry_bytes),
            ("disk_free_bytes", "Room on the hub's disk.", status.disk_free_bytes),
            ("batches_in_progress", "Batches being stored.", status.batches_in_progress),
            ("batches_turned_away", "Nodes told to come again that have not.", status.batches_turned_away),
        ):
            yield GaugeMetricFamily(f"ganglion_{name}", text, value=value)
        removed = CounterMetricFamily("ganglion_telemetry_removed", "Rows removed for age or bytes.", labels=("kind",))
        for kind, count in status.removed.items():
            removed.add_metric((kind,), count)
        yield removed


class _FiguresCollector(Collector):
    def __init__(self, figures: Callable[[], Mapping[str, float]]) -> None:
        self._figures = figures

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: registering must not read the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        for name, value in self._figures().items():
            yield GaugeMetricFamily(f"ganglion_fleet_{name}", "See docs/reference/figures.md.", value=value)


class _AlertsCollector(Collector):
    def __init__(self, alerts: Callable[[], Iterable[tuple[str, str, int]]]) -> None:
        self._alerts = alerts

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: registering must not read the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily("ganglion_alerts", "Subjects of which an alert fires.", labels=("alert", "severity"))
        for name, severity, count in self._alerts():
            family.add_metric((name, severity), count)
        yield family


def _by_role(name: str, text: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=("role",))
    for role, value in values.items():
        family.add_metric((role,), float(value))
    return family


def _by_state(name: str, text: str, counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=("state",))
    for state, count in counts.items():
        family.add_metric((state,), count)
    return family
