"""Manifests of released versions, for what the page needs of them: how an input looks and which labels exist."""

from collections import OrderedDict

from ganglion.core import manifest as manifests
from ganglion.core.errors import Rejected
from ganglion.core.manifest import Manifest
from ganglion.ports.hub_store import ControlStore

_KEPT_MAX = 64


class Manifests:
    """Reads a version's manifest once: a released version never changes."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control
        self._kept: OrderedDict[tuple[str, str], Manifest] = OrderedDict()

    def find(self, model: str, version: str) -> Manifest | None:
        """Return the manifest of any variant of the version; None when it was not released here."""
        key = (model, version)
        if key not in self._kept:
            found = self._read(model, version)
            if found is None:
                return None
            self._kept[key] = found
        if len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        return self._kept.get(key)

    def _read(self, model: str, version: str) -> Manifest | None:
        with self._control.read() as tx:
            releases = tx.releases(model, version)
        try:
            return manifests.parse(releases[0].manifest) if releases else None
        except Rejected:
            # Written by another release of the hub: the page does without pictures.
            return None
