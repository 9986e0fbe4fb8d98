"""What a role for some sites, groups or models means for a call: what is left out of lists, and what is refused."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Protocol, TypeVar

from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.hub.services.organisation import groups
from ganglion.hub.services.organisation.groups import Sight
from ganglion.ports.hub_store import Alternatives, ControlTransaction, NodeRow, NodeTerm
from ganglion.trust.roles import Caller
from ganglion.wire.rollout_resources import RolloutView


class _OfNode(Protocol):
    @property
    def node(self) -> str: ...


T = TypeVar("T", bound=_OfNode)


def visible(tx: ControlTransaction, caller: Caller, rows: Sequence[NodeRow]) -> list[NodeRow]:
    """Return those of the nodes that the caller's role is for."""
    if not caller.scope.sites:
        return list(rows)
    meant = groups.known(tx, caller.scope.groups)
    return [row for row in rows if caller.scope.has_site(row.site) or any(groups.has(each, row) for each in meant)]


def sight_of(caller: Caller, *, group: str = "") -> Sight | None:
    """Return the nodes that a caller may see, of a group when one is named; None: all of them."""
    return partial(_seen_by, caller, group) if caller.scope.sites or group else None


def of_visible_nodes(hub: Hub, caller: Caller, found: list[T]) -> list[T]:
    """Return what came from nodes that this caller may see; a page may therefore be short."""
    names = visible_names(hub, caller, {each.node for each in found})
    return found if names is None else [each for each in found if each.node in names]


def check_node(hub: Hub, caller: Caller, name: str) -> None:
    """Raises: Forbidden: the caller's role is for other nodes. A node that is not, passes."""
    if not caller.scope.sites:
        return
    with hub.world.control.read() as tx:
        row = tx.node_by_name(name) or tx.node(name)
        check_rows(tx, caller, [row] if row else [])


def check_rows(tx: ControlTransaction, caller: Caller, rows: Sequence[NodeRow]) -> None:
    """Raises: Forbidden: one of the nodes is not of those that the caller's role is for."""
    if caller.scope.sites:
        for row in rows:
            caller.check_node(row.name, row.site, groups.groups_of(tx, row, caller.scope.groups))


def check_reach(hub: Hub, caller: Caller, model: str, nodes: Sequence[str]) -> None:
    """Raises: Forbidden: a rollout of this model to the nodes of these names is not for the caller's role."""
    caller.check_model(model)
    if not caller.scope.sites:
        return
    with hub.world.control.read() as tx:
        check_rows(tx, caller, [row for name in nodes if (row := tx.node_by_name(name))])


def check_rollout(hub: Hub, caller: Caller, rollout: RolloutView) -> None:
    """Raises: Forbidden: the rollout reaches nodes, or is of a model, that the caller's role is not for."""
    check_reach(hub, caller, rollout.model, sorted(_reached(rollout)))


def visible_rollouts(hub: Hub, caller: Caller, rollouts: list[RolloutView]) -> list[RolloutView]:
    """Return the rollouts that reach nodes which the caller may see, with the names of these nodes alone."""
    names = visible_names(hub, caller, {name for rollout in rollouts for name in _reached(rollout)})
    if names is None:
        return rollouts
    return [_narrowed(rollout, names) for rollout in rollouts if _reached(rollout) & names]


def check_samples(hub: Hub, caller: Caller, sample_ids: Iterable[str]) -> None:
    """Raises: Forbidden: a sample came from a node, or is of a model, that the caller's role is not for."""
    if caller.scope.sites or caller.scope.models:
        for sample in map(hub.curation.sample, sample_ids):
            caller.check_model(sample.model)
            check_node(hub, caller, sample.node)


def _seen_by(caller: Caller, group: str, tx: ControlTransaction) -> tuple[Alternatives, ...]:
    """Raises: NotFound: there is no such group."""
    named = (groups.alternatives_of(groups.group(tx, group)),) if group else ()
    if not caller.scope.sites:
        return named
    meant = map(groups.alternatives_of, groups.known(tx, caller.scope.groups))
    # No site has a group's name: that has a colon.
    return *named, ((NodeTerm("site", caller.scope.sites),), *chain.from_iterable(meant))


def visible_names(hub: Hub, caller: Caller, names: Iterable[str]) -> frozenset[str] | None:
    """Return those of the names whose nodes the caller may see; None: every node."""
    if not caller.scope.sites:
        return None
    with hub.world.control.read() as tx:
        rows = [row for name in names if (row := tx.node_by_name(name))]
        return frozenset(row.name for row in visible(tx, caller, rows))


def shown_to(caller: Caller, most: int) -> int | None:
    """Return how many nodes of a list are named: `most`. A scope looks for its own among all of them: None."""
    return None if caller.scope.sites else most


def _reached(rollout: RolloutView) -> set[str]:
    return {name for stage in rollout.stages for name in stage.nodes}


def _narrowed(rollout: RolloutView, names: frozenset[str]) -> RolloutView:
    stages = [replace(stage, nodes=[name for name in stage.nodes if name in names]) for stage in rollout.stages]
    revert = rollout.revert and replace(
        rollout.revert, nodes=[each for each in rollout.revert.nodes if each.node in names]
    )
    return replace(
        rollout,
        stages=stages,
        revert=revert,
        left_behind=[name for name in rollout.left_behind if name in names],
        retried=[name for name in rollout.retried if name in names],
    )
