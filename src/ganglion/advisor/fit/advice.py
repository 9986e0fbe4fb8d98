"""`advise fit`: does this variant of a model fit that target, what to try when not, and which hardware is for what."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext

import msgspec

from ganglion.advisor import latencies
from ganglion.advisor.fields import Section
from ganglion.advisor.figures import DIGITS, Figure, Origin, Question, computed, weakest
from ganglion.advisor.fit.answer import FitAdvice, HardwareFamily, LadderStep
from ganglion.advisor.given import Field, Given, Reading, normal
from ganglion.advisor.latencies import Latency
from ganglion.advisor.place.answer import Check
from ganglion.advisor.place.workload import PRECISION_BYTES
from ganglion.advisor.ranges import Tree
from ganglion.advisor.thumb import Hardware, ThumbRules, shown, spoken

F = Field
_PARAMETERS = F(
    "parameters", "parameter", "Parameters of the model.", "7B parameters", ("params", "parameter_count"), positive=True
)
_SIZE = F("size", "byte", "Bytes of the model file, at its precision.", "400 MB",
          ("model_size", "file_size", "weights_size", "bytes", "weights"), positive=True)  # fmt: skip
_MEMORY = F("memory", "byte", "Memory that it needs when it runs.", "1.2 GB",
            ("memory_needed", "ram", "peak_memory", "runtime_memory", "working_memory"), positive=True)  # fmt: skip
_OVERHEAD = F("overhead", "byte", "Memory beside the weights: activations, caches, runtime.", "500 MB",
              ("memory_overhead", "activations", "kv_cache", "runtime_overhead"))  # fmt: skip
_WORK = F("operations", "op", "Operations of one inference; a multiply-add is two.", "8 GFLOP",
          ("flops", "macs", "ops", "compute", "operations_per_inference", "flops_per_inference"),
          positive=True)  # fmt: skip
_POWER = F("power", "W", "Power that it draws.", "12 W", ("power_draw", "draw", "consumption"))
_TARGET_MEMORY = F(
    "memory",
    "byte",
    "Memory that a model may have.",
    "8 GB",
    ("ram", "memory_free", "free_memory", "vram"),
    positive=True,
)
_TARGET_DISK = F("disk", "byte", "Disk that models may have; two versions must lie there.", "4 GB",
                 ("storage", "disk_free", "free_disk", "flash"), positive=True)  # fmt: skip
_TARGET_POWER = F(
    "power", "W", "Power that it may draw.", "15 W", ("power_budget", "power_limit", "tdp", "max_power"), positive=True
)
_BUDGET = F("latency_budget", "ms", "Time that an answer may take.", "50 ms",
            ("budget", "latency", "deadline", "max_latency", "latency_limit"), positive=True)  # fmt: skip
_PEAK = F("peak_operations", "op/s", "Operations in a second, at best.", "26 TOPS",
          ("tops", "peak_ops", "flops", "compute", "performance", "peak_performance", "peak"),
          positive=True)  # fmt: skip
_BANDWIDTH = F(
    "memory_bandwidth", "byte/s", "Bytes from memory in a second, at best.", "50 GB/s", ("bandwidth",), positive=True
)
FIELDS = {
    "model": (_PARAMETERS, _SIZE, _MEMORY, _OVERHEAD, _WORK, _POWER),
    "target": (_TARGET_MEMORY, _TARGET_DISK, _TARGET_POWER, _BUDGET, _PEAK, _BANDWIDTH),
}
"""What the reference page lists."""
_FP32 = 4.0


class _Case(msgspec.Struct, frozen=True):
    name: str
    model: dict[str, Given]
    target: dict[str, Given]
    precision: str
    supported: tuple[str, ...]
    latency: Latency | None
    share: float

    def number(self, side: str, name: str) -> float | None:
        given = (self.model if side == "model" else self.target).get(name)
        return None if given is None else float(given.value)


def advise(tree: Mapping[str, Tree], hardware: Hardware | None = None, rules: ThumbRules | None = None) -> FitAdvice:
    """Return the answer to a case. Raises: InvalidRequest: what is unknown or malformed, all at once."""
    with localcontext(DIGITS):
        return _judge(_read(tree), hardware, rules)


def _read(tree: Mapping[str, Tree]) -> _Case:
    reading = Reading()
    top = {normal(name): leaf for name, leaf in tree.items()}
    sides = {
        name: top.pop(name, None) or top.pop(other, None)
        for name, other in (("model", "variant"), ("target", "device"))
    }
    model = Section(_mapping(sides["model"]), reading, "model.")
    target = Section(_mapping(sides["target"]), reading, "target.")
    section = Section(top, reading)
    said = section.text("quantile", "percentile") or target.text("quantile") or model.text("quantile")
    share = latencies.share_of(said) if said else 0.99
    if share is None:
        reading.problems.append(f"quantile: {said!r} is no quantile (as in 'p99')")
    budget = section.amount(_BUDGET)
    precision = normal(model.text("precision", "dtype") or section.text("precision"))
    if precision and precision not in PRECISION_BYTES:
        reading.problems.append(f"model.precision: {precision!r} is none of {', '.join(PRECISION_BYTES)}")
    latency = latencies.read(model, share or 0.99, "latency", "measured_latency", "service_time", "inference_time")
    amounts = {each.id: found for each in FIELDS["model"] if (found := model.amount(each)) is not None}
    limits = {each.id: found for each in FIELDS["target"] if (found := target.amount(each)) is not None}
    if budget is not None:
        limits.setdefault("latency_budget", budget)
    name = section.text("name", "title") or model.text("name")
    supported = tuple(map(normal, target.words("precisions", "supports", "supported_precisions")))
    for each in (model, target, section):
        for word in ("name", "runtime", "arch", "note", "description", "kind", "family"):
            each.text(word)
        each.finish()
    reading.finish()
    return _Case(name, amounts, limits, precision, supported, latency, share or 0.99)


def _mapping(tree: "Tree | None") -> Mapping[str, Tree]:
    return tree if isinstance(tree, dict) else {"name": tree} if isinstance(tree, str) else {}


def _judge(case: _Case, hardware: Hardware | None, rules: ThumbRules | None) -> FitAdvice:
    figures = {
        f"{side}_{name}": _input(name, given)
        for side in ("model", "target")
        for name, given in getattr(case, side).items()
    }
    questions: list[Question] = []
    checks = [
        check
        for check in (_memory(case, figures), _latency(case, figures), _disk(case, figures), _power(case))
        if check
    ]
    checks += _precision(case)
    questions += [
        Question(check.fact, _QUESTIONS.get(check.fact, f"What is {check.fact}?"), (check.rule,))
        for check in checks
        if check.fact
    ]
    failing = next((check for check in checks if check.outcome == "fail"), None)
    open_ = next((check for check in checks if check.outcome == "unknown"), None)
    estimated = next((check for check in checks if check.need is not None and check.need.origin in _UNPROVEN), None)
    status = (
        "does_not_fit"
        if failing
        else "not_measured"
        if open_ or not checks
        else "fits_by_estimate"
        if estimated
        else "fits"
    )
    if status == "fits_by_estimate":
        questions.append(Question("model.latency", "What does it measure on the target itself?", ("fit.latency",)))
    size = figures["memory_needed"].value if "memory_needed" in figures else None
    return FitAdvice(
        name=case.name,
        status=status,
        answer=_words(status, failing or open_ or estimated),
        first_failing_rule=failing.rule if failing else "",
        checks=tuple(checks),
        figures=figures,
        ladder=tuple(_ladder(case, hardware)) if hardware and failing else (),
        hardware=tuple(_families(case, hardware, size)) if hardware else (),
        questions=tuple(questions),
        rules_of_thumb=shown(
            [rule for rule in spoken(rules, {"model_size": size / 1e6}) if rule.subject == "model_size"]
        )
        if rules and size
        else (),
    )


_UNPROVEN = {Origin.ESTIMATED, Origin.VENDOR, Origin.RULE, Origin.ASSUMED}
_QUESTIONS = {
    "model.precision": "At which precision does the model run?",
    "model.size": "How many bytes is the model, at which precision?",
    "target.memory": "How much memory has the target for models?",
    "model.latency": "How long does an answer take on the target, at the declared quantile?",
    "target.disk": "How much disk has the target for models?",
    "model.power": "What power does the model draw?",
    "target.power": "What power may be drawn?",
}


def _input(name: str, given: Given) -> Figure:
    return computed(
        given.value, given.unit, "input", title=name.replace("_", " "), origin=given.origin, source=given.source
    )


def _needed(case: _Case) -> tuple[float | None, str, tuple[str, ...]]:
    overhead = case.number("model", "overhead") or 0.0
    if "memory" in case.model:
        return case.number("model", "memory"), "input", ("model_memory",)
    if "size" in case.model:
        return (case.number("model", "size") or 0.0) + overhead, "sum", ("model_size", "model_overhead")
    parameters = case.number("model", "parameters")
    if parameters is None or not case.precision:
        return None, "model_memory", ()
    return (
        parameters * PRECISION_BYTES[case.precision] + overhead,
        "model_memory",
        ("model_parameters", "model_overhead"),
    )


def _file_bytes(case: _Case) -> float | None:
    if "size" in case.model:
        return case.number("model", "size")
    parameters = case.number("model", "parameters")
    return None if parameters is None or not case.precision else parameters * PRECISION_BYTES[case.precision]


def _memory(case: _Case, figures: dict[str, Figure]) -> Check:
    rule = "fit.memory"
    value, formula, inputs = _needed(case)
    if value is None:
        fact = "model.precision" if "parameters" in case.model else "model.size"
        return Check(rule=rule, outcome="unknown", reason=f"{_QUESTIONS[fact]}", fact=fact)
    at = f" at {case.precision}" if case.precision else ""
    origin = weakest(each.origin for name, each in case.model.items() if f"model_{name}" in inputs)
    used = tuple(name for name in inputs if name in figures)
    need = computed(value, "bytes", formula, title=f"Memory of the model{at}", origin=origin, inputs=used)
    figures["memory_needed"] = need
    return _compared(
        rule,
        need,
        case.target.get("memory"),
        fact="target.memory",
        words=f"the model needs {need.text}{at}",
        has="the target has",
    )


def _latency(case: _Case, figures: dict[str, Figure]) -> Check | None:
    budget = case.target.get("latency_budget")
    if budget is None:
        return None
    rule, at = "fit.latency", latencies.name_of(case.share)
    measured = case.latency.at(case.share) if case.latency else None
    if case.latency is not None and measured is not None:
        need = computed(measured, "ms", "input", title=f"Latency at {at}", origin=case.latency.origin)
    elif case.latency is not None and case.latency.at_least(case.share) > float(budget.value):
        least = case.latency.at_least(case.share)
        need = computed(least, "ms", "input", title=f"Latency, at least, at {at}", origin=case.latency.origin)
    else:
        bound = _roofline_ms(case)
        if bound is None or (bound <= float(budget.value) and case.latency is not None):
            return Check(
                rule=rule, outcome="unknown", reason=f"the latency was not measured at {at}", fact="model.latency"
            )
        need = computed(bound, "ms", "latency_roofline", title="Latency, at the least", origin=Origin.ESTIMATED,
                        inputs=("model_operations", "target_peak_operations"))  # fmt: skip
    figures["latency"] = need
    kind = "is estimated at no less than" if need.formula == "latency_roofline" else "is"
    return _compared(rule, need, budget, fact="", words=f"the latency {kind} {need.text}", has="the budget is")


def _roofline_ms(case: _Case) -> float | None:
    """Return the time below which no implementation can come: the larger of computing and of reading the weights."""
    bounds = []
    for work, speed in (("operations", "peak_operations"), ("", "memory_bandwidth")):
        amount = case.number("model", work) if work else _file_bytes(case)
        rate = case.number("target", speed)
        if amount is not None and rate:
            bounds.append(amount / rate * 1000)
    return max(bounds, default=None)


def _disk(case: _Case, figures: dict[str, Figure]) -> Check | None:
    disk = case.target.get("disk")
    if disk is None:
        return None
    size = _file_bytes(case)
    if size is None:
        return Check(
            rule="fit.disk", outcome="unknown", reason="the size of the model's file is not known", fact="model.size"
        )
    origin = weakest(each.origin for each in case.model.values())
    need = computed(2 * size, "bytes", "two_versions", title="Two versions on disk", origin=origin)
    figures["disk_needed"] = need
    return _compared(
        "fit.disk", need, disk, fact="", words=f"two versions need {need.text} of disk", has="the target has"
    )


def _power(case: _Case) -> Check | None:
    limit, given = case.target.get("power"), case.model.get("power")
    if limit is None and given is None:
        return None
    if given is None:
        return Check(
            rule="fit.power",
            outcome="unknown",
            reason="the power that the model draws is not known",
            fact="model.power",
        )
    need = computed(given.value, "W", "input", title="Power", origin=given.origin)
    return _compared(
        "fit.power",
        need,
        limit,
        fact="target.power",
        words=f"the model draws {need.text}",
        has="the target may draw",
    )


def _precision(case: _Case) -> list[Check]:
    if not case.supported or not case.precision:
        return []
    known = case.precision in case.supported
    words = f"the target runs {', '.join(case.supported)}, and the model is {case.precision}"
    return [Check(rule="fit.precision", outcome="pass" if known else "fail", reason=words)]


def _compared(rule: str, need: Figure, limit: Given | None, *, fact: str, words: str, has: str) -> Check:
    if limit is None:
        return Check(rule=rule, outcome="unknown", reason=f"{words}; what {has} is not known", need=need, fact=fact)
    most = computed(limit.value, need.unit, "input", title=f"What {has}", origin=limit.origin)
    left = limit.value - Decimal(need.exact)
    margin = computed(
        left, need.unit, "margin", title="Margin to the limit", origin=weakest((need.origin, limit.origin))
    )
    outcome = "pass" if left >= 0 else "fail"
    return Check(
        rule=rule, outcome=outcome, reason=f"{words}, and {has} {most.text}", need=need, limit=most, margin=margin
    )


def _words(status: str, check: Check | None) -> str:
    head = {
        "fits": "It fits: every limit that was given holds.",
        "fits_by_estimate": "It fits as far as an estimate can say; measure it on the target.",
        "does_not_fit": "It does not fit",
        "not_measured": "Not measured",
    }[status]
    return head if head.endswith(".") else f"{head}: {check.reason if check else 'no limit was given'}."


def _ladder(case: _Case, hardware: Hardware) -> Iterator[LadderStep]:
    size, limit = _needed(case)[0], case.number("target", "memory")
    now = PRECISION_BYTES.get(case.precision)
    for rung in hardware.rung:
        if not rung.precision:
            yield LadderStep(id=rung.id, says=rung.says)
            continue
        if (now is not None and rung.memory * _FP32 >= now) or (
            case.supported and rung.precision not in case.supported
        ):
            continue
        if size is None or now is None:
            yield LadderStep(id=rung.id, says=rung.says)
            continue
        overhead = case.number("model", "overhead") or 0.0
        value = (size - overhead) * rung.memory * _FP32 / now + overhead
        memory = computed(value, "bytes", "model_memory", title=f"Memory at {rung.precision}", origin=Origin.ESTIMATED)
        yield LadderStep(
            id=rung.id, says=rung.says, memory=memory, fits_memory=None if limit is None else value <= limit
        )


def _families(case: _Case, hardware: Hardware, size: float | None) -> Iterator[HardwareFamily]:
    power = case.number("target", "power") or case.number("model", "power")
    for each in hardware.family:
        known = [
            *([case.precision in each.precisions] if case.precision else []),
            *([size <= each.memory_gb[1] * 1e9] if size is not None else []),
            *([power >= each.power_w[0]] if power is not None else []),
        ]
        fields = {name: getattr(each, name) for name in each.__struct_fields__ if name != "precisions"}
        yield HardwareFamily(**fields, suits=all(known) if known else None)
