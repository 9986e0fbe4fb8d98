"""docs/reference/advise.md: what the advisor reads, what it answers, and the formulas in between."""

from collections.abc import Iterator

import msgspec

from ganglion.advisor import figures
from ganglion.advisor.assess import answer as assess_answer
from ganglion.advisor.cost import answer as cost_answer
from ganglion.advisor.fit import answer as fit_answer
from ganglion.advisor.formulas import FORMULAS
from ganglion.advisor.given import Field
from ganglion.advisor.place import answer as place_answer
from ganglion.advisor.storage import answer as storage_answer
from ganglion.entrypoints.advise.schema import ANSWERS, INPUTS
from reference_pages.markdown import code, page, table
from source_tree import field_docs, one_line

_INTRODUCTION = """\
`ganglion advise place|cost|storage|fit|assess` reads facts, and answers with figures that say where they come from.
[Decide where to run](../tutorial/decide-where-to-run.md) is a walk through all of it, and
[How placement is judged](../explanation/placement.md) says why it is so.

## What can be given

A case is a mapping of names to values, in YAML, JSON or TOML (`-f FILE`, or `-f -` for standard input). `-f` may stand
several times; `--set NAME=VALUE` puts one value in or over, levels joined by dots. Common facts have options.

- **Names.** Case, spaces and hyphens do not matter, and nesting is the same as an underscore: `edge: {device: {price:
  …}}`, `edge_device_price` and `Edge-Device-Price` are one name. Other names that a field is known by are listed. A
  name that nothing knows is an error, with the nearest known one; saying one thing twice is an error, too. Of a cost,
  every name may have its side before it, and `capex` or `opex` before that (`edge: {opex: {storage: …}}`); those of
  the fleet may stand under `fleet` or `workload`, those of a tier's machine under `hardware`, those of its link under
  `link`.
- **Quantities** have a unit, as people write it: `1,000 inferences/hour`, `1000 inferences an hour`, `0.002 USD`, `$3
  / 1M tokens`, `5 USD per device and month`, `50 ms`, `64 GB`, `8 GiB`, `20 Mbit/s`, `15 W`, `0.15 $/kWh`, `99.9 %`.
  The unit may stand in the name (`latency_budget_ms: 50`). What is counted may be left out where a field says it
  (`1000/hour` is a volume, `0.002 USD` a price of an inference). A number without a unit is an error, unless the
  field is a plain number. Thousands are `1,000` or `1 000`, parts `0.5`; `0,5` is an error. Shares are `5 %` or
  `0.05`. MB is 10^6 bytes, MiB 2^20; Mb and Mbit are bits, mb is bytes.
- **Time.** A month has 30 days unless `month_days` says otherwise, a year has twelve months.
- **Scope.** Money and volumes may say `/device` or `/site`. Without it the edge's lines are for each device, the
  cloud's lines and totals are for the fleet, and a volume is for each site; the answer says so under `assumptions`.
- **Ranges** are `low .. high`, `low - high`, `low .. likely .. high`, or `{low: …, likely: …, high: …}`; a unit at
  one end is that of both. Figures then have `low` and `high`, over every corner of the ranges; the value is that at
  the likely point, or at the middle.
- **Origins**: `{value: 0.15 USD/kWh, origin: measured, source: meter}`. Origins are `measured`, `user` (the default),
  `vendor`, `estimated`, `rule` and `assumed`; a computed figure has the weakest of its inputs'.
- **Unknown** facts are left out, or `unknown`, `?`, `null`. They become questions, never values.

## What comes back

`-o json` prints the structs below; `ganglion advise schema cost` prints their JSON Schema, which the package also
ships (`ganglion/advisor/schema/`), and `ganglion advise schema cost --input` that of what is read. Fields are only
added. Every figure has value, unit, origin and formula.

"No feasible placement", "never", "not measured" and "not computable" are answers: the exit code is 0. A case that is
malformed, or that contradicts itself, is an error with exit code 2 (`request_invalid`, `facts_contradict`), which
names every field that is wrong; a file that is not there has exit code 3. With `-o json` the error is a JSON object
on standard error, as for every command ([errors](errors.md))."""

_WORDS = {
    "place": (
        ("workload.steps", "names, or mappings `{name, at, anonymises, answers, service_time, output_size, memory}`"),
        ("workload.quantile", "at which latencies are compared: `p99` unless said, as `latency_budget: 50 ms at p95`"),
        ("workload.residency", "`device`, `site`, `region`, or the name of a zone that the raw data may not leave"),
        ("workload.anonymised_may_leave", "`yes`: behind a step that anonymises inside, the data may leave"),
        ("workload.data_class", "words, for the answer"),
        ("workload.precision", "of the model: `fp32`, `fp16`, `bf16`, `int8`, `int4` and the like"),
        ("workload.outage_matters", "`yes`: no answer may need a call beyond the site"),
        ("workload.consequence", "of a late or missing answer; safety, stop or damage mean that an outage matters"),
        ("workload.requires", "hardware that a tier must have, as `gpu`"),
        ("fleet.tiers", "list of tiers; `tiers` at the top will do"),
        ("tier.name, tier.kind", "`device`, `site` (edge, shop, plant), `region`, or `global` (cloud)"),
        ("tier.zones", "where it lies: names of zones, as `[DE, EU]`"),
        ("tier.path_latency", "from request to answer, all included: a quantity, or one of the forms of the next row"),
        ("tier.path_latency", "`{p50, p95, p99, mean}`, `{histogram: [{le: 10 ms, count: 5}]}`, `{samples: [12 ms]}`"),
        ("histogram", "counts of each bucket; where edges are called `le` and no count falls, of all up to the edge"),
        ("tier.stages", "the parts of the path, in place of path_latency: `{uplink: {p99: 30 ms}}`; they are added"),
        ("tier.service_time", "the same forms, for all steps or `{step: …}`; in place of path_latency, with the next"),
        ("tier.link.rtt", "round trip to the tier: the same forms"),
        ("tier.has", "hardware, as `[gpu]`"),
    ),
    "cost": (("name", "title of the report"), ("currency", "when money is given as bare numbers")),
    "storage": (
        ("classes", "list of `{name, …}`; audit, event, result, summary and sample are those of the outbox"),
        ("beside `classes`", "what stands there is for each class that does not say otherwise"),
        ("parity", "`4+2`, `50 %` or `1.5`"),
        ("written", "date from which a lock counts, as `2026-01-31`"),
    ),
    "fit": (
        ("model.precision", "`fp32`, `fp16`, `bf16`, `int8`, `int4` and the like"),
        ("model.latency", "on the target: a quantity, or `{p50, p99, mean}`; `origin: estimated` where it is"),
        ("quantile", "at which the latency is compared: `p99` unless said"),
        ("target.precisions", "precisions that the target runs"),
    ),
    "assess": (
        ("workloads", "mapping of names or patterns (`/v2/*`) to `{data_class, way_back, user_impact, …}`"),
        ("workload.data_class", "public, internal, personal, confidential, sensitive, health, secret, …"),
        ("workload.way_back", "how the move is undone, in words"),
        ("workload.latency_critical", "`yes` or `no`; else a latency_sensitivity of 4 or 5, or a budget, says so"),
        ("latency_unit", "of columns that do not name their unit: `ms`, `s` or `us`"),
    ),
}  # fmt: skip
_MODULES = {
    "place": place_answer,
    "cost": cost_answer,
    "storage": storage_answer,
    "fit": fit_answer,
    "assess": assess_answer,
}


def render() -> str:
    """Return the page."""
    parts = [part for command in ANSWERS for part in _command(command)]
    shared = [part for kind in (figures.Figure, figures.Question, figures.ThumbRule) for part in _struct(kind)]
    formulas = table(("id", "formula"), [(code(name), text) for name, text in FORMULAS.items()])
    return page("The advisor", _INTRODUCTION, *parts, "## In every answer", *shared, "## Formulas", formulas)


def _command(command: str) -> Iterator[str]:
    yield f"## `ganglion advise {command}`"
    yield table(("name", "meaning"), [(code(name), meaning) for name, meaning in _WORDS[command]])
    for part, fields in INPUTS[command].items():
        yield f"Quantities of the {part}:"
        yield table(("name", "unit", "meaning", "as in", "also called"), [_field(each) for each in fields])
    yield f"The answer, `{ANSWERS[command].__name__}`:"
    kinds = [each for each in vars(_MODULES[command]).values() if _is_struct_of(each, _MODULES[command].__name__)]
    for kind in sorted(kinds, key=lambda kind: kind is not ANSWERS[command]):
        yield from _struct(kind)


def _is_struct_of(value: object, module: str) -> bool:
    return isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__module__ == module


def _field(of: Field) -> tuple[str, ...]:
    return code(of.id), of.unit, of.meaning, code(of.example), ", ".join(of.names)


def _struct(kind: type[msgspec.Struct]) -> Iterator[str]:
    yield f"#### {kind.__name__}"
    yield one_line(kind.__doc__ or "")
    docs = field_docs(kind)
    yield table(("field", "meaning"), [(code(name), one_line(docs.get(name, ""))) for name in kind.__struct_fields__])
