"""`advise assess`: what is measured, what matters most, and what must be known before anything moves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase

import msgspec

from ganglion.advisor.assess import pilot
from ganglion.advisor.assess.answer import AssessAdvice, RequestGroup, TopTraffic, WorkloadReport
from ganglion.advisor.assess.intake import Intake
from ganglion.advisor.assess.observations import Traffic, gather
from ganglion.advisor.fields import Section
from ganglion.advisor.figures import Figure, Origin, Question, computed
from ganglion.advisor.given import Field, Given, Reading, normal
from ganglion.advisor.ranges import Tree
from ganglion.core.drift import wilson_interval

_SCORE_MAX = 5
_CRITICAL_MIN = 4
_REQUESTS_MIN = 100
"""Fewer requests are no baseline: their p99 is a single request."""
_WANTED = Decimal("0.2")
_Z95 = 1.96
_DAY_S = 86_400
_CLASS_WEIGHTS = {
    "public": 1, "open": 1, "none": 1, "internal": 2, "business": 2, "operational": 2,
    "personal": 3, "confidential": 3, "pii": 3,
    "private": 3, "sensitive": 4, "health": 4, "medical": 4, "biometric": 4, "secret": 4, "restricted": 4, "payment": 4,
}  # fmt: skip
"""How much a data class weighs in the ranking; an unknown one has no weight, and is asked for."""
F = Field
_IMPACT = F(
    "user_impact", "count", "How much people notice, 1 to 5.", "4", ("impact", "user_impact_score"), positive=True
)
_SENSITIVITY = F("latency_sensitivity", "count", "How much a slow answer hurts, 1 to 5.", "5",
                 ("sensitivity", "latency_sensitivity_score"), positive=True)  # fmt: skip
_BUDGET = F("latency_budget", "ms", "Time that an answer may take.", "50 ms", ("budget", "deadline"), positive=True)
_MODEL = F("model_size", "byte", "Bytes of the model.", "90 MB", ("model", "size"))
_TOP = F("top_share", "share", "Share of the latency-critical traffic that the smallest set must hold.", "20 %",
         ("top", "critical_share"), positive=True)  # fmt: skip
FIELDS = {"workload": (_IMPACT, _SENSITIVITY, _BUDGET, _MODEL), "assess": (_TOP,)}
"""What the reference page lists."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the team says of workloads whose name matches a pattern."""

    pattern: str
    amounts: Mapping[str, Given] = field(default_factory=dict)
    data_class: str = ""
    way_back: str = ""
    critical: bool | None = None

    @property
    def is_critical(self) -> bool | None:
        """Whether its answers must be quick, as far as anybody said."""
        if self.critical is not None:
            return self.critical
        if "latency_sensitivity" in self.amounts:
            return self.amounts["latency_sensitivity"].value >= _CRITICAL_MIN
        return True if "latency_budget" in self.amounts else None


@dataclass(frozen=True, slots=True)
class TeamMap:
    """The map of workloads, data classes and ways back."""

    name: str = ""
    known: tuple[Known, ...] = ()
    top_share: Decimal = _WANTED
    latency_unit: str = ""

    def of(self, workload: str) -> Known:
        """Return what is known of a workload: its own entry, else the first pattern that matches."""
        exact = next((each for each in self.known if each.pattern == workload), None)
        matching = (each for each in self.known if fnmatchcase(workload, each.pattern))
        return exact or next(matching, Known(workload))


def read_map(tree: Mapping[str, Tree]) -> TeamMap:
    """Return the map that a tree of text tells. Raises: InvalidRequest: what is unknown or malformed, all at once."""
    reading = Reading()
    # Names of workloads may be paths, so they are taken before names of fields are joined.
    listed = next((tree[name] for name in tree if normal(name) in {"workloads", "map"}), [])
    rest = {name: each for name, each in tree.items() if normal(name) not in {"workloads", "map"}}
    if isinstance(listed, dict):
        listed = [{"name": name, **(each if isinstance(each, dict) else {})} for name, each in listed.items()]
    section = Section({**rest, "workloads": listed}, reading)
    top = section.amount(_TOP)
    shared_back, shared_class = section.text("way_back", "rollback", "fallback"), section.text("data_class")
    known = tuple(_known(each, shared_back, shared_class) for each in section.items("workloads"))
    if not known and (shared_back or shared_class):
        known = (Known("*", {}, shared_class, shared_back),)
    unit = section.choice("latency_unit", {"ms": "ms", "s": "s", "us": "us", "seconds": "s", "milliseconds": "ms"})
    name = section.text("name", "title")
    section.text("note")
    section.finish()
    reading.finish()
    return TeamMap(name, known, top.value if top else _WANTED, unit)


def _known(section: Section, way_back: str, data_class: str) -> Known:
    pattern = section.text("name", "workload", "pattern", "match", "model", "endpoint") or "*"
    amounts = {each.id: found for each in FIELDS["workload"] if (found := section.amount(each)) is not None}
    for name in ("user_impact", "latency_sensitivity"):
        if name in amounts and amounts[name].value > _SCORE_MAX:
            section.reading.problems.append(f"{section.path}{name}: a score lies between 1 and {_SCORE_MAX}")
    said = normal(section.text("data_class", "data", "classification")) or normal(data_class)
    if said and said not in _CLASS_WEIGHTS:
        section.reading.problems.append(f"{section.path}data_class: {said!r} is none of {', '.join(_CLASS_WEIGHTS)}")
    back = section.text("way_back", "rollback", "fallback", "roll_back", "revert") or way_back
    critical = section.flag("latency_critical", "critical")
    section.text("note", "description", "owner")
    section.finish()
    return Known(pattern, amounts, said, "" if back.lower() in {"no", "none", "false"} else back, critical)


def advise(intake: Intake, team: TeamMap, after: Intake | None = None) -> AssessAdvice:
    """Return the answer to what was read. `after` is what was logged in a pilot."""
    traffic = gather(intake.requests, intake.counted)
    reports = _ranked([_report(one, team.of(one.workload)) for one in traffic.values()])
    piloted = pilot.compare(traffic, gather(after.requests, after.counted), team) if after is not None else ()
    verdict = next((each for each in ("stop", "hold", "expand") if any(one.verdict == each for one in piloted)), "")
    top = _top(list(traffic.values()), team)
    candidates = [one for one in reports if one.recommendation == "candidate"]
    status = "compared" if piloted else "assessed" if candidates else "refused"
    return AssessAdvice(
        name=team.name,
        status=status,
        answer=_answer(reports, candidates, verdict, top),
        formats=tuple(dict.fromkeys([*intake.formats, *(after.formats if after else [])])),
        skipped_lines=intake.skipped + (after.skipped if after else 0),
        workloads=tuple(reports),
        top_traffic=top,
        pilot=tuple(piloted),
        verdict=verdict,
        questions=tuple(_questions(reports, intake)),
        assumptions=_assumptions(),
    )


def _assumptions() -> tuple[str, ...]:
    weights = ", ".join(
        f"{name} {weight}"
        for name, weight in _CLASS_WEIGHTS.items()
        if name in {"public", "internal", "personal", "sensitive"}
    )
    return (
        f"data classes weigh: {weights}",
        "a request failed when it says so, or its HTTP status is 429 or 500 and above",
        f"fewer than {_REQUESTS_MIN} requests with a latency are no baseline",
    )


def _report(one: Traffic, known: Known) -> WorkloadReport:
    figures = dict(_figures(one, known))
    latencies = len(one.latencies_ms) or (one.count if one.has_latency else 0)
    missing = tuple(_not_measured(figures))
    refused = tuple(
        name
        for name, has in (
            ("latency_baseline", "latency_p99" in figures and latencies >= _REQUESTS_MIN),
            ("data_class", bool(known.data_class)),
            ("way_back", bool(known.way_back)),
        )
        if not has
    )
    return WorkloadReport(
        name=one.workload,
        figures=figures,
        not_measured=missing,
        priority=_priority(known),
        latency_critical=known.is_critical,
        recommendation="refused" if refused else "candidate",
        refused_because=refused,
    )


def _figures(one: Traffic, known: Known) -> Iterator[tuple[str, Figure]]:
    def measured(value: float, unit: str, formula: str, title: str, note: str = "") -> Figure:
        return computed(value, unit, formula, title=title, origin=Origin.MEASURED, note=note)

    yield "requests", measured(one.count, "requests", "sum", "Requests")
    seconds = one.seconds
    if seconds and one.count:
        yield "rate", measured(one.count / seconds, "requests/s", "rate", "Requests in a second")
    for share in (0.5, 0.95, 0.99):
        latency = one.latency(share)
        if latency is not None:
            name = f"p{share * 100:.0f}"
            yield f"latency_{name}", measured(latency, "ms", "quantile", f"Latency, {name}")
    for name, values, title in (
        ("bytes_in", one.bytes_in, "Bytes of a request"),
        ("bytes_out", one.bytes_out, "Bytes of an answer"),
        ("tokens", one.tokens, "Tokens of a request"),
    ):
        if values:
            unit = "tokens" if name == "tokens" else "bytes"
            yield f"{name}_mean", measured(sum(values) / len(values), unit, "mean", f"{title}, on the average")
    if one.bytes_out and seconds:
        yield "egress_day", measured(sum(one.bytes_out) / seconds * _DAY_S, "bytes/day", "rate", "Egress of a day")
    if one.judged:
        low, high = wilson_interval(int(one.failed), int(one.judged), z=_Z95)
        failures = measured(one.failed / one.judged, "share", "failure_rate", "Failed requests")
        yield "failure_rate", msgspec.structs.replace(failures, low=low, high=high)
    for name, given in known.amounts.items():
        title = name.replace("_", " ").capitalize()
        yield name, computed(given.value, given.unit, "input", title=title, origin=given.origin)


def _not_measured(figures: Mapping[str, Figure]) -> Iterator[str]:
    for name, figure in (
        ("latency", "latency_p99"),
        ("volume", "rate"),
        ("request sizes", "bytes_in_mean"),
        ("answer sizes and egress", "bytes_out_mean"),
        ("failures", "failure_rate"),
        ("tokens", "tokens_mean"),
        ("model size", "model_size"),
    ):
        if figure not in figures:
            yield name


def _priority(known: Known) -> float | None:
    impact, sensitivity = known.amounts.get("user_impact"), known.amounts.get("latency_sensitivity")
    weight = _CLASS_WEIGHTS.get(known.data_class)
    if impact is None or sensitivity is None or weight is None:
        return None
    return float(impact.value * sensitivity.value * weight)


def _ranked(reports: list[WorkloadReport]) -> list[WorkloadReport]:
    """Order reports: by priority, then by requests; those that cannot be ranked come last."""

    def order(one: WorkloadReport) -> tuple[float, float, str]:
        return (-(one.priority or 0.0), -(one.figures["requests"].value or 0.0), one.name)

    ordered = sorted(reports, key=order)
    ranks = iter(range(1, len(ordered) + 1))
    return [msgspec.structs.replace(one, rank=next(ranks) if one.priority is not None else 0) for one in ordered]


def _top(traffic: Sequence[Traffic], team: TeamMap) -> TopTraffic | None:
    """Return the fewest kinds of requests that hold the wanted share: the largest first is never more than needed."""
    critical = sorted(
        (one for one in traffic if team.of(one.workload).is_critical), key=lambda one: (-one.count, one.workload)
    )
    total = sum(one.count for one in critical)
    if not total:
        return None
    groups: list[RequestGroup] = []
    held = 0.0
    for one in critical:
        groups.append(RequestGroup(one.workload, one.count, one.count / total))
        held += one.count / total
        if held >= float(team.top_share) - 1e-12:
            break
    return TopTraffic(wanted=float(team.top_share), held=held, groups=tuple(groups))


def _answer(
    reports: Sequence[WorkloadReport], candidates: Sequence[WorkloadReport], verdict: str, top: TopTraffic | None
) -> str:
    parts = []
    if verdict:
        words = {"expand": "expand it", "hold": "hold, and measure more", "stop": "stop, and go the way back"}
        parts.append(f"The pilot says: {words[verdict]}.")
    if candidates:
        parts.append(f"Look first at {candidates[0].name}.")
    elif not verdict:
        missing = list(dict.fromkeys(name.replace("_", " ") for one in reports for name in one.refused_because))
        verb = "is" if len(missing) == 1 else "are"
        parts.append(f"No move is recommended: {', '.join(missing)} {verb} missing.")
    if top is not None:
        names = ", ".join(each.workload for each in top.groups)
        parts.append(f"{names} holds {top.held:.0%} of the latency-critical traffic.")
    return " ".join(parts)


def _questions(reports: Sequence[WorkloadReport], intake: Intake) -> Iterator[Question]:
    if intake.bare_latency:
        yield Question(
            "latency_unit", "In which unit are the latencies of the file: ms, s or us?", ("latency_baseline",)
        )
    for one in reports:
        for name in one.refused_because:
            yield Question(f"{one.name}.{name}", _ASKED[name].format(name=one.name), ("recommendation",))
        if one.priority is None:
            yield Question(
                f"{one.name}.priority",
                f"How much do people notice {one.name}, and how much does a slow answer hurt, 1 to 5?",
                ("rank",),
            )


_ASKED = {
    "latency_baseline": "What is the latency of {name} today, at p50, p95 and p99, over at least a hundred requests?",
    "data_class": "Of which class is the data of {name}: public, internal, personal or sensitive?",
    "way_back": "How does {name} go back when the move fails?",
}
