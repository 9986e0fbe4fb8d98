"""`ganglion rollout start --policy NAME`: what a policy says, where the options say nothing else."""

from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeVar

from ganglion.core.errors import NotFound

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from ganglion.entrypoints.hub_client.client import HubClient
    from ganglion.wire.rollout_resources import RolloutRequest

D = TypeVar("D", bound="DataclassInstance")


def applied(client: "HubClient", request: "RolloutRequest", name: str) -> "RolloutRequest":
    """Return a request with a policy's values in place of those at their default. Raises: NotFound."""
    import msgspec

    from ganglion.hub.domain.declared.resources import request_of
    from ganglion.hub.domain.fleet.specs import AssignmentSpec, RolloutPolicySpec
    from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

    found = next((each for each in client.rollout_policies() if each.name == name), None)
    if found is None:
        raise NotFound(f"there is no policy of rollouts {name[:80]!r}: `ganglion apply` declares them")
    policy = msgspec.json.decode(found.spec, type=RolloutPolicySpec)
    said = request_of(AssignmentSpec(model=request.model, version=request.version), policy)
    whole = _over(request, said, RolloutRequest(model=request.model, version=request.version))
    return replace(
        whole,
        gate=_over(request.gate, said.gate, GateSettings()),
        probation=_over(request.probation, said.probation, ProbationSettings()),
    )


def _over(chosen: D, said: D, default: D) -> D:
    """Return `chosen`, with what is `said` for every field that nobody chose."""
    names = [field.name for field in fields(chosen)]
    left = [name for name in names if getattr(chosen, name) == getattr(default, name)]
    return replace(chosen, **{name: getattr(said, name) for name in left})
