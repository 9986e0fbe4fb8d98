"""The path of an answer: the stages between the data and the decision, as far as they were measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ganglion.advisor.figures import Origin, weakest
from ganglion.advisor.latencies import Latency
from ganglion.advisor.place.tiers import Tier
from ganglion.advisor.place.workload import PlaceCase, Step


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a path, as far as it is known."""

    name: str
    known_ms: float | None
    at_least_ms: float
    fact: str
    origin: Origin = Origin.USER


def path(case: PlaceCase, pairs: Sequence[tuple[Step, Tier]]) -> list[Stage]:
    """Return the stages from the data and back. A measurement of a whole path goes before the sum of its parts."""
    share, first = case.workload.share, pairs[0][1]
    if first.path is not None and all(tier is first for _, tier in pairs):
        return [_stage(f"the path to {first.name}", first.path, share, f"{first.name}.path_latency")]
    if first.stages and all(tier is first for _, tier in pairs):
        return [
            _stage(f"{name} on the path to {first.name}", each, share, f"{first.name}.stages.{name}")
            for name, each in first.stages.items()
        ]
    if _is_unmeasured(pairs):
        return [Stage(f"the path to {first.name}", None, 0.0, f"{first.name}.path_latency")]
    stages: list[Stage] = []
    for step, tier in pairs:
        if _is_whole(tier, pairs):
            if not any(stage.fact == f"{tier.name}.path_latency" for stage in stages):
                stages.append(_stage(f"the path to {tier.name}", tier.path, share, f"{tier.name}.path_latency"))
            continue
        # One figure for every step of a tier is that of the whole chain there: it counts once.
        whole = tier.services.get("")
        own = tier.services.get(key_of(step.name)) or step.latency
        if own is None and whole is not None:
            if not any(stage.fact == f"{tier.name}.service_time" for stage in stages):
                stages.append(_stage(f"the service time of {tier.name}", whole, share, f"{tier.name}.service_time"))
            continue
        stages.append(
            _stage(f"{step.name} on {tier.name}", own, share, f"{tier.name}.service_time.{key_of(step.name)}")
        )
    return [*stages, *_hops(case, pairs)]


def _is_unmeasured(pairs: Sequence[tuple[Step, Tier]]) -> bool:
    """Tell whether nobody measured any part of a path on one tier: then one question about the whole is enough."""
    first = pairs[0][1]
    parts = [first.round_trip, *first.services.values(), *(step.latency for step, _ in pairs)]
    return all(tier is first for _, tier in pairs) and not any(parts)


def _hops(case: PlaceCase, pairs: Sequence[tuple[Step, Tier]]) -> Iterator[Stage]:
    """Yield the ways between tiers: half a round trip each, and the time that the bytes take."""
    share, here = case.workload.share, None
    size = case.workload.number("input_size")
    for step, tier in [*pairs, (None, None)]:
        far = _farther(here, tier)
        if far is not None and not _is_whole(far, pairs):
            trip = far.round_trip
            half = Latency({of: ms / 2 for of, ms in trip.quantiles.items()}, origin=trip.origin) if trip else None
            yield _stage(f"the way to or from {far.name}", half, share, f"{far.name}.round_trip")
            sent = case.workload.number("output_size") if tier is None else size
            transfer = _transfer_ms(sent, far)
            if transfer is not None:
                yield Stage(f"the transfer to or from {far.name}", transfer, transfer, "", weakest(link_origins(far)))
        here = tier
        size = step.output_size if step is not None and step.output_size is not None else size


def _is_whole(tier: Tier, pairs: Sequence[tuple[Step, Tier]]) -> bool:
    """Tell whether the path to a tier was measured as one, with every step on it that is not bound elsewhere."""
    in_parts = tier.round_trip is not None or tier.services
    return tier.path is not None and not in_parts and all(step.at for step, other in pairs if other is not tier)


def _farther(one: Tier | None, other: Tier | None) -> Tier | None:
    """Return the tier whose link is used between two places; None stands for the data, which is on the device."""
    if one is other:
        return None
    far = max((tier for tier in (one, other) if tier is not None), key=lambda tier: tier.rank)
    return far if far.kind != "device" or far.round_trip is not None else None


def _transfer_ms(size: float | None, tier: Tier) -> float | None:
    bandwidth = tier.number("bandwidth")
    if not size or not bandwidth:
        return None
    return size / (bandwidth * (1 - (tier.number("loss") or 0.0))) * 1000


def link_origins(tier: Tier) -> list[Origin]:
    """Return who says how fast the link to a tier is."""
    return [tier.amounts[name].origin for name in ("bandwidth", "loss") if name in tier.amounts]


def _stage(name: str, latency: Latency | None, share: float, fact: str) -> Stage:
    if latency is None:
        return Stage(name, None, 0.0, fact)
    return Stage(name, latency.at(share), latency.at_least(share), fact, latency.origin)


def key_of(name: str) -> str:
    """Return the name of a step as it is compared."""
    return "".join(c if c.isalnum() else "_" for c in name.strip().lower())
