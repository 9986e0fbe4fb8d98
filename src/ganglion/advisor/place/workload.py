"""Reads a workload and its fleet: steps with what they need, and the tiers that they may run on."""

from collections.abc import Mapping
from dataclasses import dataclass

from ganglion.advisor import latencies, ranges
from ganglion.advisor.fields import Section
from ganglion.advisor.given import Given, Reading, normal
from ganglion.advisor.latencies import Latency
from ganglion.advisor.place.amounts import amounts_of
from ganglion.advisor.place.fields import FIELDS, MODEL_MEMORY, OUTPUT
from ganglion.advisor.place.tiers import Tier, read_tier
from ganglion.advisor.ranges import Tree

PRECISION_BYTES = {
    "fp64": 8.0, "fp32": 4.0, "float32": 4.0, "tf32": 4.0, "fp16": 2.0, "float16": 2.0, "half": 2.0, "bf16": 2.0,
    "bfloat16": 2.0, "fp8": 1.0, "int8": 1.0, "uint8": 1.0, "int4": 0.5, "uint4": 0.5, "nf4": 0.5, "int2": 0.25,
}  # fmt: skip
_ANSWERLESS = {
    "train",
    "training",
    "retrain",
    "embed",
    "embedding",
    "index",
    "indexing",
    "batch",
    "report",
    "archive",
    "log",
}
_SEVERE = {
    "safety", "unsafe", "injury", "harm", "danger", "dangerous", "accident", "collision", "death", "stop", "stops",
    "line_stop", "outage", "severe", "critical",
    "fatal", "catastrophic", "unacceptable", "damage", "loss", "high", "crash",
    "hit", "hits", "pedestrian", "fire", "explosion", "patient", "overheats", "spill", "scrap", "halt", "halts",
    "stopped", "shutdown", "hurt", "kills", "life", "lives",
}  # fmt: skip
_MILD = {
    "none", "delay", "delayed", "annoyance", "retry", "minor", "inconvenience", "mild", "low", "wait",
    "acceptable", "queue", "queued", "waits", "waiting", "late", "slower", "later", "nothing",
    "annoyed", "annoying", "inconvenient", "tolerable", "degraded", "slow", "rescheduled", "reschedule", "bearable",
}  # fmt: skip
_ANYWHERE = {"", "none", "any", "anywhere", "no", "global", "public", "world"}

_ACCURACY = ("notes", "note", "description", "comment", "consequence_text", "owner")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the chain."""

    name: str
    answers: bool = True
    """Whether the answer waits for it. Training, indexing and batches do not make anybody wait."""
    at: str = ""
    """Tier or kind of tier that it is bound to."""
    anonymises: bool = False
    latency: Latency | None = None
    output_size: float | None = None
    memory: float | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """What has to run."""

    name: str
    steps: tuple[Step, ...]
    share: float
    """The quantile at which latencies are compared."""
    amounts: Mapping[str, Given]
    zone: str = ""
    anonymised_may_leave: bool = False
    data_class: str = ""
    outage_matters: bool | None = None
    precision: str = ""
    requires: frozenset[str] = frozenset()
    consequence: str = ""

    def number(self, name: str) -> float | None:
        """Return a number in the unit of its field, or None."""
        return float(self.amounts[name].value) if name in self.amounts else None


@dataclass(frozen=True, slots=True)
class PlaceCase:
    """A workload and the tiers it may run on, nearest first."""

    workload: Workload
    tiers: tuple[Tier, ...]
    currency: str = ""
    assumptions: tuple[str, ...] = ()


def read(tree: Mapping[str, Tree]) -> PlaceCase:
    """Return the case that a tree of text tells.

    Raises: InvalidRequest: what is unknown or malformed, all at once. FactsContradict: mixed currencies.
    """
    reading = Reading()
    top = {normal(name): leaf for name, leaf in tree.items()}
    # A file may be flat, with the workload's facts beside `tiers`.
    inner = top.get("workload")
    beside = {name: leaf for name, leaf in top.items() if name not in {"workload", "fleet", "tiers"}}
    said: dict[str, Tree] = {**(inner if isinstance(inner, dict) else {}), **beside}
    section = Section(said, reading, "workload.")
    fleet = top.get("fleet", top.get("tiers", []))
    if isinstance(fleet, dict) and set(map(normal, fleet)) != {"tiers"}:
        fleet = [{"name": name, **(each if isinstance(each, dict) else {})} for name, each in fleet.items()]
    listed: dict[str, Tree] = fleet if isinstance(fleet, dict) else {"tiers": fleet}
    tiers_at = Section(listed, reading, "fleet.")
    workload = _workload(section, top.get("name", ""))
    tiers = sorted((read_tier(each, workload.share) for each in tiers_at.items("tiers")), key=lambda tier: tier.rank)
    tiers_at.finish()
    if not tiers:
        reading.problems.append("fleet.tiers: no tier was given (as in '- {name: shop, kind: site}')")
    names = [tier.name for tier in tiers]
    if len(set(names)) != len(names):
        reading.problems.append("fleet.tiers: two tiers have one name")
    for step in workload.steps:
        if step.at and not any(step.at in {normal(tier.name), tier.kind} for tier in tiers):
            reading.problems.append(f"workload.steps: {step.name} is bound to {step.at!r}, which is no tier")
    reading.finish()
    return PlaceCase(workload, tuple(tiers), reading.currency, _assumptions(workload, tiers))


def _workload(section: Section, name: Tree) -> Workload:
    said = section.text("quantile", "percentile", "latency_quantile", "at", "latency_percentile")
    said = said or _quantile_of_budget(section)
    share = latencies.share_of(said) if said else 0.99
    if share is None:
        section.reading.problems.append(f"workload.quantile: {said!r} is no quantile (as in 'p99')")
        share = 0.99
    amounts = amounts_of(section, FIELDS["workload"])
    zone = normal(section.text("residency", "data_residency", "zone", "must_stay", "stays_in", "may_not_leave",
    "keep_in",
                               "data_must_stay", "must_stay_in", "data_zone", "data_may_not_leave",
                               "data_stays_in"))  # fmt: skip
    steps = tuple(_step(each, share) for each in section.items("steps", "chain", "stages"))
    matters, consequence = _outage(section)
    anonymised = section.flag("anonymised_may_leave", "anonymized_may_leave", "anonymised_ok",
    "residency_anonymised_may_leave",
                              "anonymised_allowed", "anonymized_allowed", "anonymized_ok")  # fmt: skip
    workload = Workload(
        name=section.text("name", "title") or section.text("model_name") or (name if isinstance(name, str) else ""),
        steps=steps or (Step("infer"),),
        share=share,
        amounts=amounts,
        zone="" if zone in _ANYWHERE else zone,
        anonymised_may_leave=bool(anonymised),
        data_class=section.text("data_class", "data", "classification", "data_classification", "data_kind"),
        outage_matters=matters,
        precision=normal(section.text("precision", "model_precision", "dtype", "model_dtype")),
        requires=frozenset(map(normal, section.words("requires", "needs_hardware", "model_requires", "hardware"))),
        consequence=consequence,
    )
    for each in _ACCURACY:
        section.text(each)
    if workload.precision and workload.precision not in PRECISION_BYTES:
        section.reading.problems.append(
            f"workload.precision: {workload.precision!r} is none of {', '.join(PRECISION_BYTES)}"
        )
    section.finish()
    return workload


def _quantile_of_budget(section: Section) -> str:
    """Return what stands beside the budget itself: `{value: 50 ms, quantile: p95}`, `50 ms at p95`."""
    budget = FIELDS["workload"][0]
    found = [section.peek(name) for name in (budget.id, *budget.names)]
    beside = [ranges.without_quantile(leaf)[1] for leaf in found if isinstance(leaf, str)]
    inside = [
        str(each)
        for leaf in found
        if isinstance(leaf, dict)
        for name, each in leaf.items()
        if normal(name) in {"quantile", "percentile"}
    ]
    return next(filter(None, (*inside, *beside)), "")


def _outage(section: Section) -> tuple[bool | None, str]:
    matters = section.flag("outage_matters", "must_work_offline", "works_offline", "offline", "autonomous",
    "survive_outage",
                           "must_survive_outage", "outages_matter", "outage_tolerance_none")  # fmt: skip
    consequence = section.text("consequence", "consequence_of_missing_answer", "missing_answer", "on_missing",
    "late_answer",
                               "consequence_of_late_answer", "late_or_missing_answer",
                               "consequence_of_late_or_missing_answer",
                               "consequence_missing", "consequence_late", "if_missing", "if_late")  # fmt: skip
    words = set(normal(consequence).split("_"))
    if matters is None and consequence:
        matters = True if words & _SEVERE else False if words & _MILD else None
    return matters, consequence


def _step(section: Section, share: float) -> Step:
    name = section.text("name", "step", "id") or "step"
    kind = normal(section.text("kind", "type") or name)
    answers = section.flag("answers", "on_path", "blocking")
    output, memory = section.amount(OUTPUT), section.amount(MODEL_MEMORY)
    step = Step(
        name=name,
        answers=kind.split("_")[0] not in _ANSWERLESS if answers is None else answers,
        at=normal(section.text("at", "tier", "runs_at", "pinned", "on", "bound_to")),
        anonymises=bool(section.flag("anonymises", "anonymizes", "anonymise", "anonymize", "anonymiser", "anonymizer"))
        or kind in {"anonymise", "anonymize"},
        latency=latencies.read(section, share, "service_time", "latency", "duration", "time"),
        output_size=float(output.value) if output else None,
        memory=float(memory.value) if memory else None,
    )
    section.text("note")
    section.finish()
    return step


def _assumptions(workload: Workload, tiers: list[Tier]) -> tuple[str, ...]:
    at = latencies.name_of(workload.share)
    bare = [
        tier.name for tier in tiers if any(each and each.said_without_quantile for each in (tier.path, tier.round_trip))
    ]
    said = [f"the latency of {name} is taken as its {at}: no quantile was said" for name in bare]
    silent = [tier.name for tier in tiers if tier.kind in {"region", "global"} and "memory" not in tier.amounts]
    if silent and {"model_size", "model_memory", "model_parameters"} & set(workload.amounts):
        said.append(f"{', '.join(silent)} can be rented with memory enough: none was said")
    near = [tier.name for tier in tiers if tier.kind in {"device", "site"} and "availability" not in tier.amounts]
    if near and "availability" in workload.amounts:
        said.append(f"{', '.join(near)} is taken as always up: no availability was said")
    if "burst" not in workload.amounts and "peak_rate" not in workload.amounts and "rate" in workload.amounts:
        said.append("the rate is taken as its peak: no burst was said")
    return tuple(said)
