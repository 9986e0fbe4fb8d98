"""What a role for some sites or models means for a call: what is left out of lists, and what is refused."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from ganglion.entrypoints.hub_wiring import Hub
from ganglion.trust.roles import Caller
from ganglion.wire.resources import NodeView
from ganglion.wire.rollout_resources import RolloutView


class _OfNode(Protocol):
    @property
    def node(self) -> str: ...


T = TypeVar("T", bound=_OfNode)


def visible_nodes(caller: Caller, nodes: Iterable[NodeView]) -> list[NodeView]:
    """Return the nodes that this caller may see."""
    return [node for node in nodes if caller.scope.has_site(node.site)]


def of_visible_nodes(hub: Hub, caller: Caller, found: list[T]) -> list[T]:
    """Return what came from nodes that this caller may see; a page may therefore be short."""
    if not caller.scope.sites:
        return found
    with hub.world.control.read() as tx:
        names = {row.name for row in tx.nodes() if caller.scope.has_site(row.site)}
    return [each for each in found if each.node in names]


def check_node(hub: Hub, caller: Caller, name: str) -> None:
    """Raises: Forbidden: the node stands on a site that the caller's role is not for. A node that is not, passes."""
    if not caller.scope.sites:
        return
    with hub.world.control.read() as tx:
        row = tx.node_by_name(name) or tx.node(name)
    if row is not None:
        caller.check_site(row.site)


def check_start(hub: Hub, caller: Caller, model: str) -> None:
    """Raises: Forbidden: a rollout of this model would reach nodes that the caller's role is not for."""
    caller.check_model(model)
    if caller.scope.sites:
        with hub.world.control.read() as tx:
            for row in tx.nodes():
                caller.check_site(row.site)


def check_rollout(hub: Hub, caller: Caller, rollout: RolloutView) -> None:
    """Raises: Forbidden: the rollout reaches nodes, or is of a model, that the caller's role is not for."""
    caller.check_model(rollout.model)
    if caller.scope.sites:
        for name in {name for stage in rollout.stages for name in stage.nodes}:
            check_node(hub, caller, name)


def check_samples(hub: Hub, caller: Caller, sample_ids: Iterable[str]) -> None:
    """Raises: Forbidden: a sample came from a site, or is of a model, that the caller's role is not for."""
    if caller.scope.sites or caller.scope.models:
        for sample in map(hub.curation.sample, sample_ids):
            caller.check_model(sample.model)
            check_node(hub, caller, sample.node)
