"""What `ganglion advise fit` answers. These structs are its published JSON."""

import msgspec

from ganglion.advisor.figures import SCHEMA_VERSION, Figure, Question, ThumbRule
from ganglion.advisor.place.answer import Check


class LadderStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something to try, and what it would come to by its weights alone."""

    id: str
    says: str
    memory: Figure | None = None
    fits_memory: bool | None = None
    """Whether the target's memory would hold it; null when that cannot be known."""


class HardwareFamily(msgspec.Struct, frozen=True, kw_only=True):
    """A family of hardware, with what its makers claim."""

    id: str
    name: str
    power_w: tuple[float, float]
    memory_gb: tuple[float, float]
    best_for: str
    not_for: str
    origin: str
    source: str
    date: str
    suits: bool | None = None
    """Whether precision, memory and power are within what the family has; null when none of them was given."""


class FitAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a model and a target."""

    kind: str = "fit"
    schema_version: int = SCHEMA_VERSION
    name: str = ""
    status: str
    """fits; fits_by_estimate: a latency was estimated or claimed, not measured; does_not_fit; not_measured."""
    answer: str
    first_failing_rule: str = ""
    checks: tuple[Check, ...]
    """fit.memory, fit.latency, fit.disk and fit.power, as far as they were asked for."""
    figures: dict[str, Figure]
    ladder: tuple[LadderStep, ...] = ()
    """What to try, when it does not fit."""
    hardware: tuple[HardwareFamily, ...] = ()
    questions: tuple[Question, ...] = ()
    rules_of_thumb: tuple[ThumbRule, ...] = ()
