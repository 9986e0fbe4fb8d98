"""`advise place`: where each step runs, how far each limit is, what would flip it, and what nobody measured."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from decimal import localcontext

import msgspec

from ganglion.advisor import latencies, thumb
from ganglion.advisor.figures import DIGITS, Figure, Question, computed
from ganglion.advisor.place import rules as place_rules
from ganglion.advisor.place.answer import Check, Fallback, PlaceAdvice, PlaceFlip, StepPlacement, TierVerdict
from ganglion.advisor.place.rules import Assignment
from ganglion.advisor.place.tiers import Tier
from ganglion.advisor.place.workload import PlaceCase, Step, read
from ganglion.advisor.ranges import Tree
from ganglion.advisor.thumb import ThumbRules

_CANDIDATES_MAX = 5000
_QUESTIONS = {
    "path_latency": "What is the latency of {tier} from request to answer, at {at}?",
    "service_time": "How long does {tier} work on a request, at {at}?",
    "round_trip": "What is the round trip to {tier}, at {at}?",
    "workers": "On how many requests does {tier} work at a time?",
    "memory": "How much memory does {tier} have for models?",
    "power": "How much power may a model draw on {tier}?",
    "zones": "In which zones does {tier} lie?",
    "has": "What hardware does {tier} have?",
    "link_availability": "What share of the time does the link to {tier} work?",
    "availability": "What share of the time does {tier} work?",
    "price": "What does {tier} cost in a month, or for each request?",
    "input_size": "How many bytes has one input?",
    "precision": "At which precision does the model run?",
    "outage_matters": "Does it matter when the answer does not come in an outage?",
    "latency_budget": "Within what time must the answer be there, and at which quantile?",
    "rate": "How many requests arrive in a second?",
}


def advise(tree: Mapping[str, Tree], rules: ThumbRules | None = None) -> PlaceAdvice:
    """Return the answer to a case. Raises: InvalidRequest, FactsContradict: see `workload.read`."""
    with localcontext(DIGITS):
        return judge(read(tree), rules)


def judge(case: PlaceCase, rules: ThumbRules | None = None) -> PlaceAdvice:
    """Return the answer to a case that was read."""
    steps = answering(case)
    plain = _on_each_tier(case, steps)
    verdicts = [one for _, one in plain]
    known = {tuple(map(id, placed)) for placed, _ in plain}
    mixed = _mixed(case) if len(steps) > 1 else []
    # What spans tiers is proposed where its parts were measured; nobody is asked to measure every combination.
    spanning = [each for each in mixed if each[1].verdict == "feasible" and tuple(map(id, each[0])) not in known]
    allowed = [*plain, *((tuple(placed), one) for placed, one in spanning)]
    feasible = [(placed, one) for placed, one in allowed if one.verdict == "feasible"]
    undecided = [one for _, one in allowed if one.verdict == "not_measured"]
    at = latencies.name_of(case.workload.share)
    spoken = thumb.spoken(rules, _rule_facts(case)) if rules else ()
    questions = _questions(case, verdicts, at)
    chosen, decided_by = _choose(feasible, undecided)
    status = "placed" if chosen else "not_measured" if undecided else "no_feasible_placement"
    shown = msgspec.structs.replace(chosen[1], tier=_names(chosen[0])) if chosen else None
    return PlaceAdvice(
        name=case.workload.name,
        status=status,
        answer=_answer(status, shown, verdicts, decided_by),
        decided_by=decided_by or _rule_that_ended(verdicts, status),
        quantile=at,
        placement=_placement(case, chosen[0] if chosen else ()),
        fallbacks=_fallbacks(case, chosen[0] if chosen else (), feasible),
        feasible=tuple(dict.fromkeys(one.tier for _, one in feasible)),
        tiers=tuple(verdicts),
        chosen=shown,
        flips=tuple(_flips(verdicts)),
        questions=questions,
        contradictions=_contradictions(case, verdicts),
        remarks=tuple(_remarks(case, verdicts)),
        assumptions=case.assumptions,
        rules_of_thumb=thumb.shown(spoken),
        placement_kinds=rules.placement if rules else (),
        schools_disagree=thumb.disagreements(spoken),
    )


def answering(case: PlaceCase) -> list[Step]:
    """Return the steps that an answer waits for."""
    return [step for step in case.workload.steps if step.answers] or list(case.workload.steps)


def verdict(case: PlaceCase, placed: Assignment) -> TierVerdict:
    """Return what comes of one placement of the answering steps."""
    checks = place_rules.checks(case, placed)
    cost = place_rules.cost_month(case, placed)
    first = next((check for check in checks if check.outcome == "fail"), None)
    open_ = next((check for check in checks if check.outcome == "unknown"), None)
    decisive = first or open_
    outcome = "infeasible" if first else "not_measured" if open_ else "feasible"
    if outcome == "feasible" and not any(check.rule == "physics.latency" for check in checks) and not checks:
        reason = "no rule stands against it: no limit was given"
    else:
        reason = decisive.reason if decisive else "every rule holds"
    return TierVerdict(
        tier=_names(placed),
        kind=" + ".join(dict.fromkeys(tier.kind for tier in placed)),
        verdict=outcome,
        first_failing_rule=first.rule if first else "",
        reason=reason,
        checks=checks,
        cost_month=cost,
    )


def _on_each_tier(case: PlaceCase, steps: Sequence[Step]) -> list[tuple[Assignment, TierVerdict]]:
    """Judge each tier with every step on it, apart from the steps that are bound to another."""
    placed = {tuple(_bound_tier(step, case) or tier for step in steps): tier for tier in reversed(case.tiers)}
    has_choice = any(not step.at for step in steps)
    found = [(tiers, verdict(case, tiers), tier) for tiers, tier in reversed(placed.items())]
    return [
        (tiers, msgspec.structs.replace(one, tier=tier.name, kind=tier.kind) if has_choice else one)
        for tiers, one, tier in found
    ]


def _bound_tier(step: Step, case: PlaceCase) -> Tier | None:
    return next((tier for tier in case.tiers if step.at and _may_run(step, tier)), None)


def _names(placed: Assignment) -> str:
    return " + ".join(dict.fromkeys(tier.name for tier in placed))


def _may_run(step: Step, tier: Tier) -> bool:
    name = "".join(c if c.isalnum() else "_" for c in tier.name.lower())
    return not step.at or step.at in {name, tier.kind}


def _mixed(case: PlaceCase) -> list[tuple[list[Tier], TierVerdict]]:
    """Judge placements that span tiers: data moves outwards from step to step, apart from steps that are bound."""
    steps = answering(case)
    spanning = (placed for placed in _outward(steps, case.tiers, 0) if len(set(map(id, placed))) > 1)
    return [(placed, verdict(case, tuple(placed))) for placed in itertools.islice(spanning, _CANDIDATES_MAX)]


def _outward(steps: Sequence[Step], tiers: Sequence[Tier], least: int) -> Iterator[list[Tier]]:
    if not steps:
        yield []
        return
    step, *rest = steps
    for index, tier in enumerate(tiers):
        if not _may_run(step, tier) or (not step.at and index < least):
            continue
        following = least if step.at else index
        for others in _outward(rest, tiers, following):
            yield [tier, *others]


def _choose(
    feasible: Sequence[tuple[Assignment, TierVerdict]], undecided: Sequence[TierVerdict]
) -> tuple[tuple[Assignment, TierVerdict] | None, str]:
    """Return the cheapest placement, and by what it was chosen. Without all prices the nearest one, and it says so."""
    if not feasible:
        return None, ""
    if len(feasible) == 1 and not undecided:
        return feasible[0], "only_feasible"
    priced = [(one[1].cost_month.value, index) for index, one in enumerate(feasible) if one[1].cost_month is not None]
    if len(priced) == len(feasible):
        return feasible[min((value or 0.0, index) for value, index in priced)[1]], "cost"
    uniform = [one for one in feasible if " + " not in one[1].tier]
    return (uniform or list(feasible))[0], "only_feasible" if len(feasible) == 1 else "nearest"


def _answer(status: str, chosen: TierVerdict | None, verdicts: Sequence[TierVerdict], decided_by: str) -> str:
    if status == "placed" and chosen is not None:
        how = {
            "cost": f"it is the cheapest that every rule allows, at {_text_of(chosen.cost_month)}",
            "only_feasible": "no other placement is known to be feasible",
            "nearest": "it is the nearest to the data that every rule allows; a price is missing to compare by cost",
        }[decided_by]
        return f"Run it on {chosen.tier}: {how}."
    said = "; ".join(f"{one.tier}: {one.reason}" for one in verdicts)
    head = (
        "No feasible placement" if status == "no_feasible_placement" else "Not measured: no placement can be chosen yet"
    )
    return f"{head}. {said}."


def _text_of(figure: Figure | None) -> str:
    return figure.text if figure else ""


def _rule_that_ended(verdicts: Sequence[TierVerdict], status: str) -> str:
    if status == "not_measured":
        return "not_measured"
    rules = {one.first_failing_rule.partition(".")[0] for one in verdicts if one.first_failing_rule}
    return next((rule for rule in ("availability", "physics", "law") if rule in rules), "")


def _placement(case: PlaceCase, placed: Assignment) -> tuple[StepPlacement, ...]:
    if not placed:
        return ()
    tiers = iter(placed)
    by_name = {step.name: next(tiers) for step in answering(case)}
    return tuple(
        StepPlacement(
            step.name, by_name[step.name].name, "on the path of the answer" if step.answers else "every rule holds"
        )
        if step.name in by_name
        else _in_the_background(case, step)
        for step in case.workload.steps
    )


def _in_the_background(case: PlaceCase, step: Step) -> StepPlacement:
    """Place a step that nobody waits for: the law and its memory decide, then its price, else the farthest tier."""
    fits = [
        tier
        for tier in case.tiers
        if _may_run(step, tier)
        and (not case.workload.zone or place_rules.is_inside(tier, case.workload.zone))
        and (step.memory is None or (tier.number("memory") or float("inf")) >= step.memory)
    ]
    if not fits:
        return StepPlacement(step.name, "", "no tier may hold its data, or has its memory")
    return StepPlacement(step.name, fits[-1].name, "nobody waits for it: the farthest tier that its data may go to")


def _fallbacks(
    case: PlaceCase, placed: Assignment, feasible: Sequence[tuple[Assignment, TierVerdict]]
) -> tuple[Fallback, ...]:
    """Return what takes over, tier by tier down towards the data, and in the end nothing."""
    if not placed:
        return ()
    farthest = max(tier.rank for tier in placed)
    used = {tier.name for tier in placed}
    names = {one.tier for _, one in feasible}
    uniform = [tier for tier in case.tiers if tier.name in names]
    down = sorted(
        (tier for tier in uniform if tier.name not in used and tier.rank <= farthest), key=lambda tier: -tier.rank
    )
    up = [tier for tier in uniform if tier.name not in used and tier.rank > farthest]
    found = [Fallback(tier.name, f"answer on {tier.name}, which keeps every rule too") for tier in down]
    found += [Fallback(tier.name, f"answer on {tier.name} while its link works") for tier in up]
    consequence = (
        f": {case.workload.consequence}" if case.workload.consequence else "; say in `consequence` what follows"
    )
    return (*found, Fallback("", f"the answer is missing{consequence}"))


def _flips(verdicts: Sequence[TierVerdict]) -> Iterator[PlaceFlip]:
    """Yield where a rule with figures changes sides. Only the first failing rule of a tier can make it feasible."""
    for one in verdicts:
        for check in one.checks:
            if check.need is None or check.limit is None or check.need.value is None or check.limit.value is None:
                continue
            fails = check.outcome == "fail"
            if check.rule != one.first_failing_rule if fails else one.verdict == "infeasible":
                continue
            at = _turned(check)
            is_alone = [each.outcome for each in one.checks if each.outcome != "pass"] == ["fail"]
            effect = ("becomes_feasible" if is_alone else "passes_rule") if fails else "becomes_infeasible"
            words = "passes" if fails else "fails"
            what = check.need.title.lower()
            text = f"{one.tier} {words} {check.rule} when {what} is {at.text} instead of {check.need.text}"
            yield PlaceFlip(tier=one.tier, rule=check.rule, effect=effect, at=at, text=text)
        yield from _price_flip(one, verdicts)


def _turned(check: Check) -> Figure:
    assert check.need is not None and check.limit is not None and check.limit.value is not None  # noqa: PT018 - one fact
    return computed(check.limit.value, check.need.unit, "flip", title=check.need.title, origin=check.limit.origin)


def _price_flip(one: TierVerdict, verdicts: Sequence[TierVerdict]) -> Iterator[PlaceFlip]:
    priced = [
        each
        for each in verdicts
        if each.verdict == "feasible" and each.cost_month and each.cost_month.value is not None
    ]
    cheapest = min(priced, key=lambda each: each.cost_month.value or 0.0 if each.cost_month else 0.0, default=None)
    if (
        one not in priced
        or cheapest is None
        or one is cheapest
        or cheapest.cost_month is None
        or one.cost_month is None
    ):
        return
    text = f"{one.tier} becomes the cheapest below {cheapest.cost_month.text}; now it costs {one.cost_month.text}"
    yield PlaceFlip(tier=one.tier, rule="cost", effect="becomes_cheapest", at=cheapest.cost_month, text=text)


def _questions(case: PlaceCase, verdicts: Sequence[TierVerdict], at: str) -> tuple[Question, ...]:
    asked: dict[str, list[str]] = {}
    for one in verdicts:
        if one.verdict == "infeasible":
            continue
        for check in one.checks:
            if check.outcome == "unknown":
                asked.setdefault(check.fact, []).append(f"{one.tier}: {check.rule}")
    feasible = [one for one in verdicts if one.verdict == "feasible" and " + " not in one.tier]
    for one in feasible:
        if one.cost_month is None and len(feasible) > 1:
            asked.setdefault(f"{one.tier}.price", []).append(f"{one.tier}: cost")
    if case.workload.number("latency_budget") is None:
        asked.setdefault("workload.latency_budget", []).append("physics.latency")
    if place_rules.peak_rate(case.workload) is None:
        asked.setdefault("workload.rate", []).append("physics.rate")
    return tuple(Question(fact, _question(fact, at), tuple(dict.fromkeys(blocks))) for fact, blocks in asked.items())


def _question(fact: str, at: str) -> str:
    tier, _, name = fact.partition(".")
    head, _, step = name.partition(".")
    if step:
        return f"How long does {step} take on {tier}, at {at}?"
    return _QUESTIONS.get(head, f"What is {fact.replace('_', ' ')}?").format(tier=tier, at=at)


def _contradictions(case: PlaceCase, verdicts: Sequence[TierVerdict]) -> tuple[str, ...]:
    """Name rules that no tier can hold together: data must stay, and what is there is too small, slow or weak."""
    zone = case.workload.zone
    if not zone or any(one.verdict != "infeasible" for one in verdicts):
        return ()
    inside = [one for one, tier in zip(verdicts, case.tiers, strict=True) if place_rules.is_inside(tier, zone)]
    zone = place_rules.shown_zone(zone)
    if not inside:
        return (f"the data must stay in {zone}, and no tier lies there",)
    why = "; ".join(f"{one.tier}: {one.reason}" for one in inside)
    return (f"the data must stay in {zone}, and no tier in it can do the work: {why}",)


def _remarks(case: PlaceCase, verdicts: Sequence[TierVerdict]) -> Iterator[str]:
    timed = [
        (check.need.value, one.tier)
        for one in verdicts
        for check in one.checks
        if check.rule == "physics.latency" and check.outcome == "fail" and check.need is not None and check.need.value
    ]
    if len(timed) > 1:
        (fast, near), (slow, far) = min(timed), max(timed)
        if slow > fast:
            yield f"{near} is {slow / fast:.3g}x faster than {far}, and both are too slow: better is not good enough."
    means = [
        tier.name
        for tier in case.tiers
        if tier.path and tier.path.mean_ms is not None and not tier.path.at(case.workload.share)
    ]
    if means:
        names = ", ".join(means)
        yield f"Only a mean was measured for {names}: it says nothing of the slowest answers, so it decides nothing."


def _rule_facts(case: PlaceCase) -> dict[str, float]:
    workload = case.workload
    facts = {
        "latency_budget": workload.number("latency_budget"),
        "update_cadence": workload.number("update_cadence"),
        "api_spend": workload.number("api_spend") if case.currency == "USD" else None,
    }
    size = place_rules.model_bytes(workload)[0]
    facts["model_size"] = None if size is None else size / 1e6
    return {name: value for name, value in facts.items() if value is not None}
