"""What `ganglion advise cost` answers. These structs are its published JSON."""

import msgspec

from ganglion.advisor.figures import SCHEMA_VERSION, Figure, Question, ThumbRule


class Completeness(msgspec.Struct, frozen=True):
    """Which of the five factors of running cost a plan speaks of."""

    complete: bool
    given: tuple[str, ...]
    missing: tuple[str, ...]
    """Factors that the plan leaves out. Zero is an answer, silence is not."""


class TornadoBar(msgspec.Struct, frozen=True, kw_only=True):
    """How far one input moves the outcome, all else being equal."""

    input: str
    unit: str
    low: float
    """The input's lowest value."""
    high: float
    outcome_low: float
    """The outcome at the input's lowest value."""
    outcome_high: float
    swing: float
    """How far the two outcomes are apart."""
    payback_days_low: float | None
    """Payback at the input's lowest value; null is never."""
    payback_days_high: float | None
    is_range: bool
    """Whether the two values were given as a range; otherwise they are `change` below and above."""


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """The tornado plot: inputs by how much they matter, the largest first."""

    outcome: str
    """Id of the figure that is looked at: tco_saving, or saving_month without a horizon."""
    unit: str
    change: float
    """How far an input without a range is moved, as a share."""
    base: float
    bars: tuple[TornadoBar, ...]


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """Where one input, all else being equal, makes the other side win."""

    input: str
    unit: str
    current: float
    at: float
    change: float
    """How far that is from now, as a share of the current value."""
    formula: str = "flip"


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome over all draws. Infinite paybacks count as the longest; null is never."""

    unit: str
    p5: float | None
    p50: float | None
    p95: float | None


class MonteCarlo(msgspec.Struct, frozen=True, kw_only=True):
    """Many draws from the ranges of the inputs: even between two ends, triangular where a likely value was given."""

    draws: int
    seed: int
    inputs: tuple[str, ...]
    outcomes: dict[str, Spread]
    edge_cheaper_share: float
    """Share of the draws in which the outcome of the sensitivity is above zero."""
    never_pays_back_share: float


class PricePoint(msgspec.Struct, frozen=True):
    """Payback at another cloud price and another volume, as multiples of the given ones; null is never."""

    price_factor: float
    volume_factor: float
    payback_days: float | None


class CumulativePoint(msgspec.Struct, frozen=True):
    """What was paid until a day after the order, on both sides."""

    day: float
    cloud: float
    edge: float


class VolumePoint(msgspec.Struct, frozen=True):
    """What a month costs at a volume of one site, on both sides, with what is paid once spread over the horizon."""

    volume: float
    cloud: float
    edge: float


class CostAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a cost case."""

    kind: str = "cost"
    schema_version: int = SCHEMA_VERSION
    name: str = ""
    status: str
    """computed; incomplete: a factor of the edge's running cost is left out; not_computable: a fact is missing."""
    winner: str
    """edge, cloud, equal or unknown: over the horizon if there is one, else by the month."""
    answer: str
    """The answer in words."""
    currency: str
    month_days: float
    figures: dict[str, Figure]
    """Inputs and computed figures by id."""
    completeness: dict[str, Completeness]
    """For "edge" and "cloud"."""
    questions: tuple[Question, ...] = ()
    assumptions: tuple[str, ...] = ()
    """What the answer took for granted because the input did not say."""
    sensitivity: Sensitivity | None = None
    flips: tuple[Flip, ...] = ()
    monte_carlo: MonteCarlo | None = None
    price_volume: tuple[PricePoint, ...] = ()
    cumulative: tuple[CumulativePoint, ...] = ()
    volumes: tuple[VolumePoint, ...] = ()
    rules_of_thumb: tuple[ThumbRule, ...] = ()
