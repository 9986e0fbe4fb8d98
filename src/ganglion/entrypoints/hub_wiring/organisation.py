"""The part of the hub with which people organise a fleet: groups, files, acts on many nodes, experiments, figures."""

from dataclasses import dataclass

from ganglion.entrypoints.hub_wiring.audit import AuditWorld
from ganglion.entrypoints.hub_wiring.waiters import Waiters
from ganglion.hub.services.declared.declarations import Declarations
from ganglion.hub.services.experiments.experiments import Experiments
from ganglion.hub.services.figures import Figures
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.nodes.fleet import Fleet
from ganglion.hub.services.nodes.fleet_list import FleetLists
from ganglion.hub.services.nodes.fleet_states import FleetStates
from ganglion.hub.services.nodes.node_actions import NodeActions
from ganglion.hub.services.nodes.node_settings import NodeSettings
from ganglion.hub.services.organisation.places import Places
from ganglion.hub.services.rollouts.rollouts import Rollouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """Services that know of many nodes at once."""

    places: Places
    actions: NodeActions
    lists: FleetLists
    declarations: Declarations
    experiments: Experiments
    figures: Figures
    states: FleetStates


def organise(
    world: AuditWorld,
    *,
    desired: Desired,
    node_settings: NodeSettings,
    rollouts: Rollouts,
    fleet: Fleet,
    waiters: Waiters,
    silent_after_s: float,
) -> Organisation:
    """Return the services."""
    control, clock, changed = world.control, world.clock, waiters.wake
    return Organisation(
        places=Places(control=control, clock=clock, changed=changed),
        actions=NodeActions(control=control, node_settings=node_settings, clock=clock, changed=changed),
        lists=FleetLists(control=control, clock=clock, changed=changed),
        declarations=Declarations(control=control, clock=clock, rollouts=rollouts, changed=changed),
        experiments=Experiments(
            control=control,
            telemetry=world.telemetry,
            desired=desired,
            rollouts=rollouts,
            clock=clock,
            chance=world.chance,
        ),
        figures=Figures(
            control=control,
            clock=clock,
            last_seen_at_s=fleet.last_seen_at_s,
            reachable_within_s=silent_after_s,
        ),
        states=FleetStates(
            control=control, clock=clock, silent_after_s=silent_after_s, last_seen_at_s=fleet.last_seen_at_s
        ),
    )
