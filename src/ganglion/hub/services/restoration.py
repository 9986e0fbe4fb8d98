"""Notices that this hub was restored from an older copy of its data, and begins another life.

The proof is a node that holds a desired state that this hub does not remember: one newer than the newest, or one whose
number no start of this hub has given. Without another life that node, and others, would take the hub's wishes for old
news, and its signed metadata for an attack.
"""

import threading

import structlog

from ganglion.hub.services.incarnation import given_revisions, known_incarnation, renew_incarnation
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.releases.repository import Repository
from ganglion.ports.clock import Chance
from ganglion.ports.hub_store import ControlStore

log = structlog.get_logger()


class Restoration:
    """Believes a node once per start of the hub: restoring needs a start, and one node must not stir up the fleet."""

    def __init__(self, *, control: ControlStore, repository: Repository, desired: Desired, chance: Chance) -> None:
        self._control, self._repository, self._desired = control, repository, desired
        self._chance = chance
        self._noticing = threading.Lock()
        self._noticed = False
        with control.read() as tx:
            self._given = given_revisions(tx)

    def is_strange(self, held: int, *, newest: int) -> bool:
        """Say whether a node that was last given `newest` by this hub cannot have `held` from it."""
        is_given = not self._given or any(each.first <= held <= each.last for each in self._given)
        return held > newest or (held > 0 and not is_given)

    def notice(self, node_id: str, *, incarnation: str, revision: int) -> bool:
        """Begin another life if a node holds a revision of this one that was never given to it. False: all is well.

        Raises: DataCorrupt, KeyMismatch, DiskUnusable.
        """
        with self._noticing:
            if self._noticed or not self._is_forgotten(node_id, incarnation, revision):
                return False
            # Metadata first: the new life brings nodes to ask for it.
            self._repository.recover()
            with self._control.write() as tx:
                renewed = renew_incarnation(tx, self._chance)
                node_ids = [node.node_id for node in tx.nodes()]
            self._noticed = True
        log.warning("hub.restored", node_id=node_id, held_revision=revision, incarnation=renewed)
        self._desired.announce(node_ids)
        return True

    def _is_forgotten(self, node_id: str, incarnation: str, revision: int) -> bool:
        with self._control.read() as tx:
            node = tx.node(node_id)
            if node is None or incarnation != known_incarnation(tx):
                return False
            return self.is_strange(revision, newest=node.desired_revision)
