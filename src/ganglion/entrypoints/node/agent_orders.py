"""Wiring of what takes in the hub's wishes: limits, envelope, commands and orders."""

import os
import sys
from functools import partial

from ganglion.adapters.action_process import ProcessActions
from ganglion.adapters.https_link import HttpsHubLink
from ganglion.adapters.serving_restart import end_serving
from ganglion.entrypoints.diagnosis.deeds import looks
from ganglion.entrypoints.node import action_child
from ganglion.entrypoints.node.shell_wiring import shells_of
from ganglion.entrypoints.settings.tree import NodeSettings
from ganglion.node.services.agent import Wishes
from ganglion.node.services.identity import load_identity
from ganglion.node.services.limits import EnvelopeWatch, NodeLimits
from ganglion.node.services.orders import built_in_actions
from ganglion.node.services.orders.commands import Commands
from ganglion.node.services.orders.orders import OrderPorts, Orders
from ganglion.node.services.places import Places
from ganglion.node.services.reference_files import ReferenceFiles
from ganglion.node.services.update.updates import Updates
from ganglion.ports.clock import Clock
from ganglion.ports.serving_control import ServingControl
from ganglion.trust import shell
from ganglion.trust.limits import Place

_RESTART_WITHIN_S = 60.0


def node_limits(settings: NodeSettings, places: Places, clock: Clock) -> NodeLimits:
    """Return the limits of this node, by where it is."""
    identity = load_identity(places.identity)
    return NodeLimits(place=Place(node=identity.name, site=identity.site, labels=settings.labels), clock=clock)


def wishes_of(
    updates: Updates,
    settings: NodeSettings,
    *,
    link: HttpsHubLink,
    control: ServingControl,
    places: Places,
    clock: Clock,
) -> Wishes:
    """Put together what takes in the hub's wishes, and obeys."""
    envelopes = EnvelopeWatch(link)
    address = places.data / "run" / "serving.json"
    shells = shells_of(updates, settings, line=link, places=places, clock=clock)
    end = partial(end_serving, address, supervisor=os.getppid())
    ports = OrderPorts(
        runner=ProcessActions(command=(sys.executable, "-I", "-S", action_child.__file__), clock=clock),
        built_in={
            "sync": built_in_actions.sync(updates, envelopes),
            shell.NAME: shells.open,
            **looks(settings, clock),
            "restart-serving": built_in_actions.restart_serving(control, end, within_s=_RESTART_WITHIN_S),
        },
        order_keys=lambda: envelopes.order_keys,
        check_shell=shells.check,
    )
    node_id = load_identity(places.identity).node_id
    orders = Orders(node_id=node_id, updates=updates, clock=clock, ports=ports)
    files = ReferenceFiles(
        link=link,
        desired=lambda: updates.state.desired,
        places=places,
        node_id=node_id,
        limits=settings.files,
    )
    return Wishes(updates, Commands(control, updates, orders), orders, envelopes, files, shells)
