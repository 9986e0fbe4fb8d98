"""The agent's state as it was stored, and what stands in for it when it was lost."""

import msgspec

from ganglion.core.errors import DataCorrupt
from ganglion.node.domain.update.reconcile import Installed, ModelState, NodeState
from ganglion.node.domain.update.settings_trial import Settings, SettingsTrial


def load_state(data: bytes | None) -> NodeState:
    """Return the stored state, or a new node's. Raises: DataCorrupt: it cannot be read."""
    if data is None:
        return NodeState()
    try:
        return _with_settings(msgspec.msgpack.decode(data, type=NodeState))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataCorrupt(f"the stored node state cannot be read: {error}") from error


def adopt(state: NodeState, known: dict[str, Installed]) -> NodeState:
    """Return `state` with the models of the start-up file as committed, for a node whose database was lost."""
    models = {name: ModelState(committed=installed) for name, installed in known.items()}
    return msgspec.structs.replace(state, models={**models, **state.models})


def _with_settings(state: NodeState) -> NodeState:
    """Return the state that an earlier release stored, which took settings as they came, with these as kept."""
    if state.desired is None or state.settings.revision >= 0:
        return state
    kept = Settings(state.desired.collection, state.desired.agent)
    return msgspec.structs.replace(state, settings=SettingsTrial(kept=kept, revision=state.desired.revision))
