"""Which of the resources that files declare can be: told together, and said in one way each. No I/O."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from ganglion.core.errors import GanglionError
from ganglion.core.ids import parse_name
from ganglion.hub.domain.alerts import conditions as alert_conditions
from ganglion.hub.domain.fleet import places, selectors
from ganglion.hub.domain.fleet.specs import (
    API_VERSION,
    FLEET,
    GROUP,
    KINDS,
    NODE,
    SITE,
    AlertSpec,
    AssignmentSpec,
    GroupSpec,
    RolloutPolicySpec,
    SettingsSpec,
    SiteSpec,
    Spec,
    ZoneSpec,
    place_of,
    references,
)
from ganglion.hub.domain.nodes import node_settings
from ganglion.hub.domain.rollouts import request as rollout_request
from ganglion.hub.domain.rollouts import stages
from ganglion.wire.apply_resources import ApplyProblem, FleetResource
from ganglion.wire.fleet_resources import GroupDefinition, SiteDefinition, ZoneDefinition
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

RESOURCES_MAX = 5000
_PATH = re.compile(r" - at `\$\.?(.*)`$")
_UNKNOWN = re.compile(r"unknown field `(.*?)`")


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource that can be applied."""

    kind: str
    name: str
    spec: Spec
    source: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return what it is told apart by."""
        return self.kind, self.name


def parse(resources: Sequence[FleetResource]) -> tuple[list[Declared], list[ApplyProblem]]:
    """Return the resources in the order in which they are applied, and every problem of those that cannot be."""
    found: dict[tuple[str, str], Declared] = {}
    problems: list[ApplyProblem] = []
    if len(resources) > RESOURCES_MAX:
        return [], [
            _problem(resources[0], "", f"{len(resources)} resources; at most {RESOURCES_MAX} are applied at once")
        ]
    for each in resources:
        try:
            declared = _parse_one(each)
        except _Unfit as unfit:
            problems.append(_problem(each, unfit.path, unfit.reason))
            continue
        before = found.setdefault(declared.key, declared)
        if before is not declared:
            problems.append(_problem(each, "metadata.name", f"it stands in {before.source or 'another place'} already"))
    order = list(KINDS)
    return sorted(found.values(), key=lambda one: (order.index(one.kind), one.name)), problems


def dangling(declared: Iterable[Declared], known: Iterable[tuple[str, str]]) -> list[ApplyProblem]:
    """Return a problem for each reference to a group or policy that is neither declared nor `known`."""
    declared = list(declared)
    there = {*known, *(each.key for each in declared)}
    missing = [
        (each, path, wanted) for each in declared for path, wanted in references(each.spec) if wanted not in there
    ]
    return [
        ApplyProblem(source=each.source, kind=each.kind, name=each.name, path=path, reason=f"there is no {kind} {name}")
        for each, path, (kind, name) in missing
    ]


def request_of(spec: AssignmentSpec, policy: RolloutPolicySpec | None, *, reason: str = "") -> RolloutRequest:
    """Return the rollout that brings what is assigned. Raises: InvalidRequest."""
    chosen = policy or RolloutPolicySpec()
    return RolloutRequest(
        model=spec.model,
        version=spec.version,
        stages=list(chosen.stages),
        gate=msgspec.convert(chosen.gate, GateSettings, strict=False),
        probation=msgspec.convert(chosen.probation, ProbationSettings, strict=False),
        to=spec.to,
        select=spec.select,
        approvals=chosen.approvals,
        if_busy=chosen.if_busy,
        reason=reason,
        site_parallel_max=chosen.site_parallel_max,
        site_bytes_per_s_max=chosen.site_bytes_per_s_max,
        windows=list(chosen.windows),
    )


class _Unfit(Exception):
    """A resource that cannot be applied."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason


def _parse_one(resource: FleetResource) -> Declared:
    if resource.api_version != API_VERSION:
        raise _Unfit("apiVersion", f"{resource.api_version[:80]!r} is not known here; this hub reads {API_VERSION}")
    kind = KINDS.get(resource.kind)
    if kind is None:
        raise _Unfit("kind", f"{resource.kind[:80]!r} is no kind; there are {', '.join(KINDS)}")
    try:
        parse_name(resource.name, what=resource.kind)
    except GanglionError as error:
        raise _Unfit("metadata.name", error.message) from error
    try:
        # Files say numbers as text: a version such as 1.10 must not become a number on its way.
        spec = msgspec.convert(resource.spec, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _Unfit(_path_of(error), _PATH.sub("", str(error))) from error
    return Declared(resource.kind, resource.name, _canonical(resource.name, spec), resource.source)


def _path_of(error: msgspec.ValidationError) -> str:
    """Return which field is wrong, as `spec.nodes[0]`."""
    inner, unknown = _PATH.search(str(error)), _UNKNOWN.search(str(error))
    names = ["spec", *([inner.group(1)] if inner else []), *([unknown.group(1)] if unknown else [])]
    return ".".join(names)


def _canonical(name: str, spec: Spec) -> Spec:
    """Return the one way to say this: what means the same must not look like a difference."""
    try:
        match spec:
            case GroupSpec():
                group = GroupDefinition(select=spec.select, nodes=list(spec.nodes), description=spec.description)
                checked = places.checked_group(name, group)
                return msgspec.structs.replace(spec, nodes=tuple(checked.nodes))
            case SiteSpec():
                site = SiteDefinition(
                    description=spec.description, time_zone=spec.time_zone, bytes_per_s_max=spec.bytes_per_s_max
                )
                places.checked_site(name, site, is_time_zone=lambda _: True)
            case ZoneSpec():
                places.checked_zone(name, ZoneDefinition(description=spec.description))
            case RolloutPolicySpec():
                _check_policy(spec)
            case AssignmentSpec():
                return _checked_assignment(spec)
            case SettingsSpec():
                return _checked_settings(spec)
            case AlertSpec():
                return alert_conditions.checked(spec)
    except GanglionError as error:
        raise _Unfit("spec", error.message) from error
    return spec


def _check_policy(spec: RolloutPolicySpec) -> None:
    for field, kind in (("gate", GateSettings), ("probation", ProbationSettings)):
        given: dict[str, object] = getattr(spec, field)
        unknown = [name for name in given if name not in kind.__dataclass_fields__]
        if unknown:
            raise _Unfit(f"spec.{field}.{unknown[0]}", f"there is no such field; there are {_listed(kind)}")
        try:
            msgspec.convert(given, kind, strict=False)
        except msgspec.ValidationError as error:
            raise _Unfit(f"spec.{field}", str(error)) from error
    stages.parse(list(spec.stages))
    rollout_request.check(request_of(AssignmentSpec(model="m", version="1"), spec))


def _checked_assignment(spec: AssignmentSpec) -> AssignmentSpec:
    parse_name(spec.model, what="model")
    parse_name(spec.version, what="version")
    if spec.to and (not spec.to.startswith("group:") or spec.select is not None):
        raise _Unfit("spec.to", "write group:NAME, and no `select` beside it")
    if spec.select is not None:
        selectors.parse(spec.select)
    return spec


def _checked_settings(spec: SettingsSpec) -> SettingsSpec:
    scope, name = place_of(spec)
    if scope not in {FLEET, GROUP, SITE, NODE} or (spec.scope == FLEET) != (not name):
        raise _Unfit("spec.scope", "write fleet, group:NAME, site:NAME or node:NAME")
    if name:
        parse_name(name, what=scope)
    values: dict[str, str | int | float | bool | tuple[str, ...]] = {}
    for key, value in sorted(spec.settings.items()):
        try:
            raw = node_settings.parsed(key, _text(value))
        except GanglionError as error:
            raise _Unfit(f"spec.settings.{key}", error.message) from error
        values[key] = bytes(raw).decode()
    return msgspec.structs.replace(spec, settings=values)


def _text(value: str | float | bool | tuple[str, ...]) -> str:  # noqa: FBT001 - a value, not a switch
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _listed(kind: type[GateSettings | ProbationSettings]) -> str:
    return ", ".join(kind.__dataclass_fields__)


def _problem(resource: FleetResource, path: str, reason: str) -> ApplyProblem:
    return ApplyProblem(
        source=resource.source, kind=resource.kind[:80], name=resource.name[:80], path=path, reason=reason
    )
