"""What follows when a committed version cannot be kept: it is damaged, or takes the serving process down."""

from functools import partial

import anyio.to_thread
import structlog

from ganglion.core.serving_errors import ModelQuarantined
from ganglion.node.domain.update import reconcile
from ganglion.node.domain.update.reconcile import Installed, ModelState, NodeState
from ganglion.node.services.update import telling
from ganglion.node.services.update.effects import UpdateEffects
from ganglion.wire.records import EventRecord

log = structlog.get_logger()


class Losses:
    """Looks at what serving could not load."""

    def __init__(self, effects: UpdateEffects) -> None:
        self._effects = effects
        self._quarantined: set[tuple[str, str]] = set()
        """Versions given up by this process: of one that has no spare the hub is told once."""

    async def look(self, state: NodeState, name: str, code: str) -> tuple[NodeState, list[EventRecord]] | None:
        """Return the state without a model's committed version, and the events that tell of it; None: it is kept.

        `code` is that of serving's error.
        """
        model = state.models.get(name)
        lost = model.committed if model else None
        if model is None or lost is None:
            return None
        if code == ModelQuarantined.code:
            return self._given_up(state, name, model, lost)
        if await anyio.to_thread.run_sync(partial(self._effects.is_intact, lost)):
            return None
        return _without_damaged(state, name, model, lost)

    def _given_up(
        self, state: NodeState, name: str, model: ModelState, lost: Installed
    ) -> tuple[NodeState, list[EventRecord]] | None:
        """Go back from a version that serving does not load any more."""
        if (name, lost.version) in self._quarantined:
            return None
        self._quarantined.add((name, lost.version))
        log.error("version.quarantined", model=name, version=lost.version)
        reason = "it took the serving process down too often"
        wanted = reconcile.wanted(state.desired).get(name)
        after = reconcile.quarantine_committed(model, wanted, reason=reason)
        spare = f"version {after.committed.version} answers" if model.spare and after.committed else "none is left"
        told = EventRecord(
            name="version.quarantined",
            model=name,
            version=lost.version,
            # The gate of the rollout that brought it must hear of it.
            rollout_id=wanted.rollout_id if wanted and wanted.version == lost.version else "",
            reason=f"{reason}: {spare}",
        )
        return state.with_model(name, after), [told]


def _without_damaged(
    state: NodeState, name: str, model: ModelState, lost: Installed
) -> tuple[NodeState, list[EventRecord]]:
    """Let a version go whose package on disk is not what was installed."""
    log.error("package.damaged", model=name, version=lost.version, path=lost.path)
    after = reconcile.lose_committed(model, reconcile.wanted(state.desired).get(name))
    spare = f"version {after.committed.version} answers" if after.committed else "no version is left to answer"
    events = [EventRecord(name="package.damaged", model=name, version=lost.version, reason=spare)]
    if after.update is not None and after.update is not model.update:
        events.append(telling.event("update.offered", after.update))
    return state.with_model(name, after), events
