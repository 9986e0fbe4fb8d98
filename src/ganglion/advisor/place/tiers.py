"""Reads a tier: where it lies, what it has, and what was measured on the way to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ganglion.advisor import latencies
from ganglion.advisor.fields import Section
from ganglion.advisor.given import Given, normal
from ganglion.advisor.latencies import Latency
from ganglion.advisor.place.amounts import amounts_of
from ganglion.advisor.place.fields import FIELDS
from ganglion.advisor.ranges import Tree

TIER_KINDS = ("device", "site", "region", "global")
"""From the data outwards."""
_KINDS = {
    **{name: name for name in TIER_KINDS},
    **dict.fromkeys(("node", "on_device", "sensor", "camera", "vehicle", "machine", "endpoint", "far_edge"), "device"),
    **dict.fromkeys(
        ("edge", "on_prem", "on_premises", "local", "shop", "plant", "factory", "gateway", "edge_server", "near_edge",
         "micro_data_centre", "micro_data_center", "edge_micro_data_centre", "edge_micro_data_center", "roadside",
         "branch"),
        "site",
    ),
    **dict.fromkeys(("regional", "near_region", "metro", "cdn", "country", "edge_region", "telco"), "region"),
    **dict.fromkeys(("cloud", "hyperscale", "hyperscaler", "public_cloud", "central", "remote", "cloud_path"),
    "global"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Tier:
    """A place where steps may run."""

    name: str
    kind: str
    zones: frozenset[str]
    amounts: Mapping[str, Given]
    path: Latency | None = None
    """Measured from the request to the answer, everything included."""
    round_trip: Latency | None = None
    services: Mapping[str, Latency] = field(default_factory=dict)
    """Latency by step; the empty name stands for every step."""
    has: frozenset[str] | None = None
    stages: Mapping[str, Latency | None] = field(default_factory=dict)
    """The parts of the path to the tier and back, where they were measured one by one."""

    @property
    def rank(self) -> int:
        """How far it is from the data."""
        return TIER_KINDS.index(self.kind)

    def number(self, name: str) -> float | None:
        """Return a number in the unit of its field, or None."""
        return float(self.amounts[name].value) if name in self.amounts else None


def read_tier(section: Section, share: float) -> Tier:
    """Return a tier; what is wrong with it is noted in the reading of `section`."""
    words = section.text("tier")
    name = section.text("name", "id") or words or "tier"
    said = normal(section.text("kind", "type", "level", "placement")) or (normal(words) if words != name else "")
    kind = _KINDS.get(said or normal(name), "") or _KINDS.get(normal(name).split("_")[0], "")
    if said and said not in _KINDS:
        section.reading.problems.append(f"{section.path}kind: {said!r} is none of {', '.join(TIER_KINDS)}")
    elif not kind:
        section.reading.problems.append(f"{section.path}kind: say whether {name!r} is a device, site, region or global")
    amounts = amounts_of(section, FIELDS["tier"])
    stages = _stages(section, share)
    path = latencies.read(section, share, "path_latency", "latency", "path", "measured_latency", "end_to_end",
                          "end_to_end_latency", "total_latency", "response_time", "measured",
                          "path_latencies")  # fmt: skip
    trip = latencies.read(section, share, "round_trip", "rtt", "link_rtt", "link_round_trip", "link_latency",
    "network_latency",
                          "network_rtt", "network_round_trip", "link_round_trip_time", "round_trip_time")  # fmt: skip
    services = _services(section, share)
    features = ("has", "hardware", "features", "hardware_has", "capabilities")
    # An empty list is an answer: it has nothing of the kind.
    is_said = any(isinstance(section.peek(each), list) for each in features)
    listed = section.words(*features)
    has = listed if listed or is_said else None
    zones = section.words("zones", "zone", "country", "jurisdiction", "location", "residency", "in_zones")
    section.text("note", "description", "notes")
    section.finish()
    return Tier(
        name,
        kind or "global",
        frozenset(map(normal, zones)),
        amounts,
        path,
        trip,
        services,
        None if has is None else frozenset(map(normal, has)),
        stages,
    )


def _stages(section: Section, share: float) -> dict[str, Latency | None]:
    """Return the parts of a path: a list `[{name: uplink, p99: 30 ms}]`, or a mapping `{uplink: {p99: 30 ms}}`."""
    entries: dict[str, Tree] = {}
    for name in _STAGES:
        leaf = section.raw(name)
        if isinstance(leaf, list):
            entries |= dict(_named(each, index) for index, each in enumerate(leaf))
        elif leaf is not None:
            section.reading.problems.append(f"{section.path}{name}: expected a list or a mapping of parts")
    entries |= _by_step(section.group(*_STAGES))
    for name in _PATHS:
        parts = _by_step(section.below(name))
        if parts and not any(not key or latencies.is_named(key) for key in parts):
            entries |= _by_step(section.group(name))
    found: dict[str, Latency | None] = {}
    for name, leaf in entries.items():
        inner = Section({"stage": leaf}, section.reading, f"{section.path}stages.{name}.")
        found[name] = latencies.read(inner, share, "stage")
    return found


_PATHS = ("path_latency", "latency")
_STAGES = ("stages", "path_stages", "path_latency_stages", "latency_stages", "path_parts")


def _named(each: Tree, index: int) -> tuple[str, Tree]:
    if not isinstance(each, dict):
        return f"{index + 1}", each
    about = {normal(name): leaf for name, leaf in each.items()}
    name = next((str(about.pop(key)) for key in ("name", "stage", "step") if key in about), f"{index + 1}")
    inner = next((about[key] for key in ("latency", "service_time", "time", "duration") if key in about), about)
    return name, inner


def _services(section: Section, share: float) -> dict[str, Latency]:
    """Return the latency of each step on a tier; under the empty name, one for every step."""
    found: dict[str, Latency] = {}
    for name in _SERVICE_NAMES:
        leaf = section.raw(name)
        if leaf is not None and (one := latencies.of_leaf(section, leaf, share, name)) is not None:
            found[""] = one
        for step, entries in _by_step(section.group(name)).items():
            inner = Section({"service": entries}, section.reading, section.path)
            if (one := latencies.read(inner, share, "service")) is not None:
                found[step] = one
    return found


_SERVICE_NAMES = (
    "service_time", "service_times", "service", "compute_time", "inference_time", "infer_time", "processing_time",
)  # fmt: skip


def _by_step(entries: Mapping[str, Tree]) -> dict[str, Tree]:
    """Sort `p99`, `infer` and `infer_p99` by the step that they speak of."""
    found: dict[str, Tree] = {}
    for key, leaf in entries.items():
        head, _, tail = key.rpartition("_")
        if not (latencies.share_of(tail) or tail in {"mean", "median", "avg"}):
            found[key] = leaf
            continue
        quantiles = found.setdefault(head, {})
        if isinstance(quantiles, dict):
            quantiles[tail] = leaf
    return found
