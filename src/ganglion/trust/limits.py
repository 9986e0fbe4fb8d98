"""What holds on one node: the bounds that every release has built in, and what an envelope makes of them.

An envelope that is good takes the place of the built-in bounds, wider or narrower, as far as it speaks. One that has
expired only narrows: of it and the built-in bounds the stricter holds, and it names no actions any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final

from ganglion.trust.envelope import AllowedModel, Bounds, Envelope, Limits, NamedAction, Scope

LOOKS: Final = ("health", "doctor", "logs", "support-bundle")
"""They read, and change nothing."""
BUILT_IN_ACTIONS: Final = ("report", "collect", "sync", "restart-serving", *LOOKS)
"""What every node can do when it is asked, whether or not there is an envelope."""

_SHARE, _DAY = Bounds(min=0.0, max=1.0), Bounds(min=0.0, max=86_400.0)
_COUNT, _BYTES = Bounds(min=0.0, max=1e9), Bounds(min=0.0, max=1e15)
BUILT_IN_SETTINGS: Final[Mapping[str, Bounds]] = MappingProxyType(
    {
        "collection.confidence_below": _SHARE,
        "collection.random_share": _SHARE,
        "collection.results_share": _SHARE,
        "collection.bytes_per_hour": _COUNT,
        "collection.margin_below": _SHARE,
        "collection.out_of_distribution_above": _SHARE,
        "collection.quality_looks_per_minute": Bounds(min=0.0, max=600.0),
        "agent.report_s": _DAY,
        "agent.heartbeat_s": _DAY,
        "agent.batch_records_max": _COUNT,
        "agent.egress_hour_bytes_max": _BYTES,
        "agent.egress_day_bytes_max": _BYTES,
        "agent.egress_month_bytes_max": _BYTES,
        "agent.log_level": Bounds(values=("", "debug", "info", "warning", "error")),
        "policy.error_rate_max": _SHARE,
        "policy.agreement_min": _SHARE,
        "policy.compare_share": _SHARE,
        "policy.shadow_cpu_share": _SHARE,
        "policy.traffic_share": _SHARE,
        "policy.probation_s": Bounds(min=0.0, max=2_678_400.0),
        "policy.start_attempts_max": Bounds(min=0.0, max=100.0),
        "policy.inferences_min": _COUNT,
        "policy.latency_ratio_max": _COUNT,
        "policy.compared_min": _COUNT,
        "policy.comparisons_min": _COUNT,
        "policy.shadow_comparisons_min": _COUNT,
        "policy.download_bytes_per_s_max": _BYTES,
        "policy.attempt": _COUNT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node is, by what it knows itself: its name and site from when it joined, labels from its own settings."""

    node: str = ""
    site: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The limits that hold on one node now."""

    settings: Mapping[str, Bounds] = field(default_factory=lambda: BUILT_IN_SETTINGS)
    models: tuple[AllowedModel, ...] | None = None
    """None: every model that is signed."""
    actions: tuple[NamedAction, ...] = ()
    built_in: tuple[str, ...] = BUILT_IN_ACTIONS
    assignments_max: int = 64
    package_bytes_max: int = 20_000_000_000
    desired_bytes_max: int = 1_000_000
    commands_max: int = 32
    command_life_s_max: float = 7 * 86_400.0

    def action(self, name: str) -> NamedAction | None:
        """Return the action of that name that the envelope names."""
        return next((action for action in self.actions if action.name == name), None)

    def allowed(self, model: str) -> Sequence[AllowedModel]:
        """Return the entries that let this model run; without a list of models there are none, and all may."""
        return [entry for entry in self.models or () if fnmatchcase(model, entry.name)]


BUILT_IN: Final = InForce()


def in_force(envelope: Envelope | None, place: Place, *, is_expired: bool) -> InForce:
    """Return the limits of a node at `place`."""
    if envelope is None:
        return BUILT_IN
    found = _over(BUILT_IN, envelope.limits)
    for scope in envelope.scopes:
        if _is_in(scope, place):
            found = _over(found, scope.limits)
    return _stricter(BUILT_IN, found) if is_expired else found


def why_out_of(bounds: Bounds, value: object) -> str:
    """Return why a value lies outside of bounds; empty when it does not."""
    if bounds.values is not None and not any(_is_same(value, one) for one in bounds.values):
        return f"{_said(value)} is none of {', '.join(_said(one) for one in bounds.values)}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if bounds.min is None and bounds.max is None else f"{_said(value)} is no number"
    if bounds.min is not None and not value >= bounds.min:
        return f"{_said(value)} is below {bounds.min:g}"
    if bounds.max is not None and not value <= bounds.max:
        return f"{_said(value)} is above {bounds.max:g}"
    return ""


def _is_in(scope: Scope, place: Place) -> bool:
    return (
        (not scope.sites or place.site in scope.sites)
        and (not scope.nodes or any(fnmatchcase(place.node, pattern) for pattern in scope.nodes))
        and all(place.labels.get(name) == value for name, value in scope.labels.items())
    )


def _over(wider: InForce, limits: Limits) -> InForce:
    """Return `wider` with what `limits` says in its place."""
    names = ("models", "actions", "built_in", "assignments_max", "package_bytes_max", "desired_bytes_max",
             "commands_max", "command_life_s_max")  # fmt: skip
    said = {name: value for name in names if (value := getattr(limits, name)) is not None}
    return replace(wider, settings={**wider.settings, **limits.settings}, **said)


def _stricter(one: InForce, other: InForce) -> InForce:
    keys = one.settings.keys() | other.settings.keys()
    return InForce(
        settings={key: _both(one.settings.get(key, Bounds()), other.settings.get(key, Bounds())) for key in keys},
        # What is built in allows every model: the list, if there is one, is the stricter.
        models=other.models if one.models is None else one.models,
        built_in=tuple(name for name in one.built_in if name in other.built_in),
        assignments_max=min(one.assignments_max, other.assignments_max),
        package_bytes_max=min(one.package_bytes_max, other.package_bytes_max),
        desired_bytes_max=min(one.desired_bytes_max, other.desired_bytes_max),
        commands_max=min(one.commands_max, other.commands_max),
        command_life_s_max=min(one.command_life_s_max, other.command_life_s_max),
    )


def _both(one: Bounds, other: Bounds) -> Bounds:
    lowest = [bound for bound in (one.min, other.min) if bound is not None]
    highest = [bound for bound in (one.max, other.max) if bound is not None]
    values = one.values if other.values is None else other.values
    if one.values is not None and other.values is not None:
        values = tuple(value for value in one.values if value in other.values)
    return Bounds(min=max(lowest, default=None), max=min(highest, default=None), values=values)


def _is_same(one: object, other: object) -> bool:
    """True is no 1, though Python says so."""
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def _said(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)[:40]
