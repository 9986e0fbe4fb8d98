"""Latencies as they were measured: quantiles, histograms, samples, or a mean, which never decides."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ganglion.advisor import buckets, ranges
from ganglion.advisor.fields import Section
from ganglion.advisor.figures import Origin
from ganglion.advisor.given import Field, normal
from ganglion.advisor.ranges import Tree
from ganglion.core.errors import FactsContradict

LATENCY = Field("latency", "ms", "A latency.", "50 ms")
_MEAN = {"mean", "avg", "average"}
_MEDIAN = {"median": 0.5, "max": 1.0, "maximum": 1.0, "worst": 1.0}
_HISTOGRAM = ("histogram", "buckets")
_SAMPLES = ("samples", "values", "measurements")
_UNITS = {"ms", "s", "us", "seconds", "milliseconds"}
_ABOUT = {"origin", "source", "note", "date", "unit"}


@dataclass(frozen=True, slots=True)
class Latency:
    """What is known of one stage."""

    quantiles: Mapping[float, float] = field(default_factory=dict)
    """Share of the requests → milliseconds that they did not exceed."""
    mean_ms: float | None = None
    said_without_quantile: bool = False
    origin: Origin = Origin.USER

    def at(self, share: float) -> float | None:
        """Return the milliseconds at a quantile, or None when they were not measured there."""
        return self.quantiles.get(share)

    def at_least(self, share: float) -> float:
        """Return what the quantile is at least: the largest one that was measured at or below it; 0 when none was."""
        return max((ms for of, ms in self.quantiles.items() if of <= share), default=0.0)


def share_of(text: str) -> float | None:
    """Return the share that p99, 99 %, 0.99 or P99.9 names, or None."""
    word = normal(text).removeprefix("p").replace("_", ".")
    try:
        number = float(text.strip()) if text.strip().startswith("0.") else float(word)
    except ValueError:
        return None
    share = number if 0 < number < 1 else number / 100
    return round(share, 9) if 0 < share < 1 else None


def name_of(share: float) -> str:
    """Return p99 for 0.99."""
    return f"p{share * 100:.10g}"


def is_named(key: str) -> bool:
    """Tell whether a name below a latency says how it was measured, and is no part of a path."""
    bare, head = key.removesuffix("_ms"), key.split("_", maxsplit=1)[0]
    known = bare in _MEAN or bare in _MEDIAN or key in _UNITS or key in _ABOUT or head in {*_HISTOGRAM, *_SAMPLES}
    return known or share_of(bare) is not None


def read(section: Section, share: float, *names: str) -> Latency | None:
    """Return the latency under one of these names. A bare one is taken as said at the declared quantile."""
    for name in names:
        leaf = section.raw(name)
        if leaf is not None:
            return _bare(section, leaf, share, name)
    entries: dict[str, Tree] = {}
    for name in names:
        entries |= section.group(name)
    return _of_entries(section, entries, share, names[0]) if entries else None


def of_leaf(section: Section, leaf: Tree, share: float, name: str) -> Latency | None:
    """Return the latency in an entry of a group."""
    return _bare(section, leaf, share, name)


def _bare(section: Section, leaf: Tree, share: float, name: str) -> Latency | None:
    if isinstance(leaf, list):
        return _of_samples(section, leaf, share, name)
    given = section.quantity(leaf, LATENCY, name)
    if given is None:
        return None
    said = {normal(key): str(each) for key, each in leaf.items()} if isinstance(leaf, dict) else {}
    beside = ranges.without_quantile(leaf)[1] if isinstance(leaf, str) else ""
    of = share_of(said.get("quantile", said.get("percentile", beside)))
    value = float(given.high if given.high is not None else given.value)
    return Latency({of or share: value}, None, of is None, given.origin)


def _of_entries(section: Section, entries: Mapping[str, Tree], share: float, name: str) -> Latency | None:
    unit = str(entries.get("unit", ""))
    origin = next((each for each in Origin if each == str(entries.get("origin", "measured")).lower()), Origin.MEASURED)
    quantiles: dict[float, float] = {}
    mean: float | None = None
    for key, leaf in entries.items():
        if key in _ABOUT:
            continue
        listed, unit_of_list = _listed(key, unit)
        if listed:
            found = (
                _of_samples(section, _with_unit(leaf, unit_of_list), share, name)
                if isinstance(leaf, list)
                else _of_histogram(section, leaf, share, name)
            )
            quantiles |= found.quantiles if found else {}
            continue
        bare, named_unit = (key.removesuffix("_ms"), "ms") if key.endswith("_ms") else (key, unit)
        if key in _UNITS:
            # latency_ms: 800 has its unit in its name, and no quantile.
            bare, named_unit = f"p{share * 100:.10g}", key
        text = f"{leaf} {named_unit}".strip() if isinstance(leaf, str) else leaf
        given = section.quantity(text, LATENCY, f"{name}.{key}")
        if given is None:
            continue
        of = _MEDIAN.get(bare, share_of(bare))
        if bare in _MEAN:
            mean = float(given.value)
        elif of is None:
            hint = "buckets are [{le: 10 ms, count: 5}]" if is_named(key) else "parts of a path stand under stages"
            section.reading.problems.append(f"{section.path}{name}.{key}: neither a quantile, as p99, nor mean; {hint}")
        else:
            quantiles[of] = float(given.value)
    _check_order(quantiles, f"{section.path}{name}")
    return Latency(quantiles, mean, origin=origin)


def _listed(key: str, unit: str) -> tuple[bool, str]:
    """Tell whether an entry is a list of samples or buckets, and their unit: samples_ms has it in its name."""
    stem, _, last = key.rpartition("_")
    bare, own = (stem, last) if last in _UNITS else (key, unit)
    words = bare.split("_")
    return words[0] in {*_HISTOGRAM, *_SAMPLES} and words[-1] in {*_HISTOGRAM, *_SAMPLES}, own


def _with_unit(leaf: Sequence[Tree], unit: str) -> list[Tree]:
    if not unit:
        return list(leaf)
    return [f"{each} {unit}" if isinstance(each, str) and not each.strip()[-1:].isalpha() else each for each in leaf]


def _check_order(quantiles: Mapping[float, float], path: str) -> None:
    """Raises: FactsContradict: a higher quantile is said to be lower."""
    ascending = sorted(quantiles.items())
    for (low, first), (high, second) in itertools.pairwise(ascending):
        if second < first:
            raise FactsContradict(
                f"{path}: {name_of(high)} ({second:g} ms) cannot be less than {name_of(low)} ({first:g} ms)"
            )


def _of_histogram(section: Section, leaf: Tree, share: float, name: str) -> Latency | None:
    quantiles = buckets.read(section, leaf, {0.5, 0.95, 0.99, share}, f"{section.path}{name}")
    return Latency(quantiles, None, origin=Origin.MEASURED) if quantiles else None


def _of_samples(section: Section, leaf: Sequence[Tree], share: float, name: str) -> Latency | None:
    if leaf and isinstance(leaf[0], dict):
        return _of_histogram(section, list(leaf), share, name)
    values = [given for each in leaf if (given := section.quantity(each, LATENCY, name)) is not None]
    ordered = sorted(float(each.value) for each in values)
    if not ordered:
        return None
    shares = {0.5, 0.95, 0.99, share}
    quantiles = {
        of: ordered[max(0, math.ceil(of * len(ordered)) - 1)] for of in shares if len(ordered) * (1 - of) >= 1 - 1e-9
    }
    return Latency(quantiles, sum(ordered) / len(ordered), origin=Origin.MEASURED)
