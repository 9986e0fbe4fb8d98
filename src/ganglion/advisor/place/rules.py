"""The rules of placement: law, then physics, then availability, then cost. Each passes, fails, or asks for a fact.

A rule never guesses: what was not measured is unknown, and a mean decides nothing.
"""

from collections.abc import Sequence
from typing import TypeAlias

from ganglion.advisor import latencies
from ganglion.advisor.figures import Figure, Origin, computed, weakest
from ganglion.advisor.place.answer import Check
from ganglion.advisor.place.path import key_of, link_origins, path
from ganglion.advisor.place.tiers import Tier
from ganglion.advisor.place.workload import PRECISION_BYTES, PlaceCase, Step, Workload

UTILISATION_MAX = 0.7
"""Beyond this share of busy workers queues grow without a bound that anybody would like."""
_NESTED = {"device": {"device"}, "site": {"device", "site"}, "region": {"device", "site", "region"}}
_NEAR = {"device", "site"}
_COUNTRY_LENGTH = 3
_DAYS_OF_NINES = 1e-12
_MONTH_HOURS = 720.0
_MONTH_S = 2_592_000.0
_BITS = 8

Assignment: TypeAlias = "tuple[Tier, ...]"
"""One tier for each answering step."""


def checks(case: PlaceCase, placed: Assignment) -> tuple[Check, ...]:
    """Return every rule's word on a placement, in the order of judgement."""
    workload = case.workload
    steps = [step for step in workload.steps if step.answers] or list(workload.steps)
    pairs = list(zip(steps, placed, strict=True))
    used = list(dict.fromkeys(placed))
    return tuple(
        check
        for check in (
            _residency(workload, pairs),
            _latency(case, pairs),
            *(_rate(case, pairs, tier) for tier in used),
            *(_link(case, pairs, tier) for tier in used),
            *(_memory(workload, pairs, tier) for tier in used),
            *(_limit(workload, tier) for tier in used),
            *(_hardware(workload, tier) for tier in used),
            _outage(workload, used),
            _path_up(workload, used),
        )
        if check is not None
    )


def passed(rule: str, reason: str, need: Figure | None = None, limit: Figure | None = None) -> Check:
    """Return a rule that holds."""
    return Check(rule=rule, outcome="pass", reason=reason, need=need, limit=limit, margin=_margin(need, limit))


def failed(rule: str, reason: str, need: Figure | None = None, limit: Figure | None = None) -> Check:
    """Return a rule that does not hold."""
    return Check(rule=rule, outcome="fail", reason=reason, need=need, limit=limit, margin=_margin(need, limit))


def unknown(rule: str, reason: str, fact: str) -> Check:
    """Return a rule that lacks a fact."""
    return Check(rule=rule, outcome="unknown", reason=reason, fact=fact)


def figure(value: float, unit: str, formula: str, title: str, origin: Origin = Origin.USER) -> Figure:
    """Return a figure of a check."""
    return computed(value, unit, formula, title=title, origin=origin)


def _margin(need: Figure | None, limit: Figure | None) -> Figure | None:
    if need is None or limit is None or need.value is None or limit.value is None:
        return None
    origin = weakest((need.origin, limit.origin))
    return figure(limit.value - need.value, need.unit, "margin", "Margin to the limit", origin)


# --- law ------------------------------------------------------------------------------------------


def is_inside(tier: Tier, zone: str) -> bool | None:
    """Tell whether a tier lies in a zone; None: nobody said where it lies."""
    if zone in _NESTED:
        return tier.kind in _NESTED[zone]
    if zone in {"on_prem", "on_premises", "premises", "local", "shop", "plant", "factory"}:
        return tier.kind in _NEAR
    if zone in tier.zones:
        return True
    return False if tier.zones else None


def _residency(workload: Workload, pairs: Sequence[tuple[Step, Tier]]) -> Check | None:
    rule = "law.residency"
    if not workload.zone:
        return None
    is_raw = True
    for step, tier in pairs:
        inside = is_inside(tier, workload.zone)
        if inside is None and is_raw:
            return unknown(rule, f"nobody said in which zone {tier.name} lies", f"{tier.name}.zones")
        if not inside and is_raw:
            zone = shown_zone(workload.zone)
            words = f"the {workload.data_class} data" if workload.data_class else "the data"
            more = _anonymiser_hint(workload, pairs)
            return failed(rule, f"{words} may not leave {zone}, and {tier.name} lies outside it{more}")
        # An anonymiser frees the data only when it runs inside, and that was checked in this very loop.
        if step.anonymises and workload.anonymised_may_leave:
            is_raw = False
    return passed(rule, f"the raw data stays in {shown_zone(workload.zone)}")


def shown_zone(zone: str) -> str:
    """Return a zone as people write it: countries in capitals."""
    return zone.upper() if len(zone) <= _COUNTRY_LENGTH else zone


def _anonymiser_hint(workload: Workload, pairs: Sequence[tuple[Step, Tier]]) -> str:
    if not workload.anonymised_may_leave:
        return ""
    if not any(step.anonymises for step, _ in pairs):
        return "; anonymised data might, but no step anonymises"
    return "; anonymised data may leave, but the anonymiser would have to run inside"


# --- physics: latency -----------------------------------------------------------------------------


def _latency(case: PlaceCase, pairs: Sequence[tuple[Step, Tier]]) -> Check | None:
    workload = case.workload
    budget = workload.number("latency_budget")
    if budget is None:
        return None
    rule, at = "physics.latency", latencies.name_of(workload.share)
    stages = path(case, pairs)
    limit = figure(budget, "ms", "input", "Latency budget", workload.amounts["latency_budget"].origin)
    known = sum(stage.known_ms if stage.known_ms is not None else stage.at_least_ms for stage in stages)
    lacking = [stage for stage in stages if stage.known_ms is None]
    origin = (
        weakest(stage.origin for stage in stages if stage.known_ms is not None or stage.at_least_ms)
        if known
        else Origin.USER
    )
    need = figure(known, "ms", "latency_path", f"Latency of the path at {at}", origin)
    if known > budget:
        least = "at least " if lacking else ""
        return failed(rule, f"the path takes {least}{need.text} at {at}, and the budget is {limit.text}", need, limit)
    if lacking:
        names = ", ".join(stage.name for stage in lacking)
        return unknown(rule, f"not measured at {at}: {names}", lacking[0].fact)
    return passed(rule, f"the path takes {need.text} at {at}, within {limit.text}", need, limit)


# --- physics: rate, link, memory, power -----------------------------------------------------------


def peak_rate(workload: Workload) -> float | None:
    """Return requests per second at the peak, or None when no rate was said."""
    peak, rate, burst = workload.number("peak_rate"), workload.number("rate"), workload.number("burst")
    if peak is not None:
        return peak
    return None if rate is None else rate * (burst or 1.0)


def _rate(case: PlaceCase, pairs: Sequence[tuple[Step, Tier]], tier: Tier) -> Check | None:
    workload, rule = case.workload, "physics.rate"
    rate = peak_rate(workload)
    if rate is None:
        return None
    busy_ms = _busy_ms(workload, [step for step, at in pairs if at is tier], tier)
    workers = tier.number("workers")
    if busy_ms is None or workers is None:
        if "workers" not in tier.amounts and not tier.services:
            # Nobody spoke of capacity at all; what a provider scales by itself is not ours to refuse.
            return None
        fact = "service_time" if busy_ms is None else "workers"
        return unknown(rule, f"the {fact.replace('_', ' ')} of {tier.name} is not known", f"{tier.name}.{fact}")
    use = rate * busy_ms / 1000 / workers
    need = figure(use, "share", "utilisation", f"Busy share of {tier.name} at the peak")
    limit = figure(UTILISATION_MAX, "share", "input", "Most busy share", Origin.RULE)
    words = f"{rate:g} requests/s keep {workers:g} workers of {tier.name} busy for {need.text}"
    if use > UTILISATION_MAX:
        return failed(rule, f"{words}, and more than {limit.text} makes queues", need, limit)
    return passed(rule, words, need, limit)


def _busy_ms(workload: Workload, steps: Sequence[Step], tier: Tier) -> float | None:
    """Return the time that a worker spends on a request: the mean where it was measured, else the declared quantile."""
    total, has_whole = 0.0, False
    for step in steps:
        latency = tier.services.get(key_of(step.name)) or step.latency
        if latency is None:
            latency, is_whole = tier.services.get(""), True
            if latency is not None and has_whole:
                continue
            has_whole = has_whole or is_whole
        if latency is None:
            return None
        spent = latency.mean_ms if latency.mean_ms is not None else latency.at(workload.share)
        spent = spent if spent is not None else max(latency.quantiles.values(), default=None)
        if spent is None:
            return None
        total += spent
    return total


def _link(case: PlaceCase, pairs: Sequence[tuple[Step, Tier]], tier: Tier) -> Check | None:
    workload, rate, bandwidth = case.workload, peak_rate(case.workload), tier.number("bandwidth")
    if tier.kind == "device" or rate is None or bandwidth is None:
        return None
    size = workload.number("input_size")
    for before, _ in pairs[: next(index for index, (_, at) in enumerate(pairs) if at is tier)]:
        size = before.output_size if before.output_size is not None else size
    if size is None:
        return unknown("physics.link", "the size of an input is not known", "workload.input_size")
    usable = bandwidth * (1 - (tier.number("loss") or 0.0))
    need = figure(rate * size * _BITS / 1e6, "Mbit/s", "link_use", f"Traffic to {tier.name} at the peak")
    limit = figure(
        usable * _BITS / 1e6,
        "Mbit/s",
        "link_use",
        f"Bandwidth to {tier.name} less losses",
        weakest(link_origins(tier)),
    )
    words = f"the peak sends {need.text} over a link to {tier.name} of {limit.text}"
    return (failed if rate * size > usable else passed)("physics.link", words, need, limit)


def model_bytes(workload: Workload) -> tuple[float | None, str]:
    """Return the memory of the model and the formula; None: it was not said, or not at which precision."""
    for name in ("model_memory", "model_size"):
        if name in workload.amounts:
            return workload.number(name), "input"
    parameters = workload.number("model_parameters")
    if parameters is None or not workload.precision:
        return None, "model_memory"
    return parameters * PRECISION_BYTES[workload.precision], "model_memory"


def _memory(workload: Workload, pairs: Sequence[tuple[Step, Tier]], tier: Tier) -> Check | None:
    rule = "physics.memory"
    names = {step.name for step, at in pairs if at is tier}
    extra = sum(step.memory or 0.0 for step, at in pairs if at is tier)
    answers = [step.name for step, _ in pairs]
    # The model belongs to the step that infers, or to the only one.
    holder = next((name for name in answers if "infer" in name.lower() or "model" in name.lower()), answers[-1])
    size, formula = model_bytes(workload) if holder in names else (0.0, "input")
    if size is None:
        if "model_parameters" in workload.amounts:
            return unknown(rule, "the precision of the model is not known", "workload.precision")
        size = 0.0
    if not size + extra:
        return None
    memory = tier.number("memory")
    if memory is None:
        if tier.kind in {"region", "global"}:
            return None
        return unknown(rule, f"the memory of {tier.name} is not known", f"{tier.name}.memory")
    at = f" at {workload.precision}" if workload.precision else ""
    need = figure(size + extra, "bytes", formula, f"Memory of the model{at}")
    limit = figure(memory, "bytes", "input", f"Memory of {tier.name}", tier.amounts["memory"].origin)
    words = f"the model needs {need.text}{at}, and {tier.name} has {limit.text}"
    return (failed if size + extra > memory else passed)(rule, words, need, limit)


def _limit(workload: Workload, tier: Tier) -> Check | None:
    needs, has = workload.number("power"), tier.number("power")
    if needs is None or (has is None and tier.kind in {"region", "global"}):
        return None
    if has is None:
        return unknown("physics.power", f"the power that {tier.name} may draw is not known", f"{tier.name}.power")
    need = figure(needs, "W", "input", "Power of the model", workload.amounts["power"].origin)
    limit = figure(has, "W", "input", f"Power of {tier.name}", tier.amounts["power"].origin)
    words = f"the model draws {need.text}, and {tier.name} may draw {limit.text}"
    return (failed if needs > has else passed)("physics.power", words, need, limit)


def _hardware(workload: Workload, tier: Tier) -> Check | None:
    if not workload.requires:
        return None
    if tier.has is None:
        return unknown("physics.hardware", f"nobody said what hardware {tier.name} has", f"{tier.name}.has")
    lacking = sorted(workload.requires - tier.has)
    if lacking:
        return failed("physics.hardware", f"{tier.name} has no {', '.join(lacking)}")
    return passed("physics.hardware", f"{tier.name} has {', '.join(sorted(workload.requires))}")


# --- availability ---------------------------------------------------------------------------------


def _outage(workload: Workload, used: Sequence[Tier]) -> Check | None:
    rule = "availability.outage"
    away = next((tier for tier in used if tier.kind not in _NEAR), None)
    if away is None:
        return passed(rule, "the answer needs no call beyond the site") if workload.outage_matters else None
    if workload.outage_matters:
        why = f" ({workload.consequence})" if workload.consequence else ""
        return failed(rule, f"an outage matters{why}, and an answer from {away.name} needs a call over the network")
    if workload.outage_matters is None and workload.consequence:
        return unknown(
            rule, f"it is not clear whether {workload.consequence!r} bears an outage", "workload.outage_matters"
        )
    return None


def link_availability(tier: Tier) -> float | None:
    """Return the share of the time in which the link to a tier works, or None when it is not known."""
    share, hours = tier.number("link_availability"), tier.number("link_outages")
    if share is not None:
        return share
    return None if hours is None else max(0.0, 1 - hours / _MONTH_HOURS)


def _path_up(workload: Workload, used: Sequence[Tier]) -> Check | None:
    rule, wanted = "availability.path", workload.number("availability")
    if wanted is None:
        return None
    product, missing = 1.0, ""
    for tier in used:
        product *= tier.number("availability") if tier.number("availability") is not None else 1.0  # type: ignore[operator] # it was looked at
        if tier.kind not in _NEAR or link_availability(tier) is not None:
            up = link_availability(tier)
            missing = missing or ("" if up is not None else f"{tier.name}.link_availability")
            product *= up if up is not None else 1.0
    limit = figure(product, "share", "path_availability", "Availability of the path")
    need = figure(wanted, "share", "input", "Availability that is needed", workload.amounts["availability"].origin)
    if product < wanted - _DAYS_OF_NINES:
        return failed(rule, f"the path works {limit.text} of the time at most, and {need.text} is needed", need, limit)
    if missing:
        return unknown(rule, f"not known: {missing.replace('_', ' ')}", missing)
    return passed(rule, f"the path works {limit.text} of the time, and {need.text} is needed", need, limit)


def cost_month(case: PlaceCase, placed: Assignment) -> Figure | None:
    """Return what a month of a placement costs, or None when a price or the rate is not known."""
    workload, total, origins = case.workload, 0.0, [Origin.MEASURED]
    for tier in dict.fromkeys(placed):
        prices = [name for name in ("price", "price_per_inference", "price_per_hour") if name in tier.amounts]
        rate, size = workload.number("rate"), workload.number("input_size")
        if not prices or ("price_per_inference" in prices and rate is None):
            return None
        origins += [tier.amounts[name].origin for name in prices]
        total += tier.number("price") or 0.0
        total += (tier.number("price_per_inference") or 0.0) * (rate or 0.0) * _MONTH_S
        total += (tier.number("price_per_hour") or 0.0) * _MONTH_HOURS
        if "link_price" in tier.amounts and rate is not None and size is not None:
            total += (tier.number("link_price") or 0.0) * rate * size * _MONTH_S / 1e9
    return figure(total, f"{case.currency}/month", "tier_cost_month", "Cost of a month", weakest(origins))
