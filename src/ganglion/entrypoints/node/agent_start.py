"""What the agent finds on its disk when it starts, and what it makes of pieces that are damaged.

Serving goes on without any of it. What can be made anew is (the outbox, with a new epoch; the state, from
the file that serving starts from); what cannot is named, with what to do about it.
"""

from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
import structlog

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.adapters.files import DirectoryFiles
from ganglion.adapters.https_link import HttpsHubLink, Identity, LinkSettings, TufLimits
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core.errors import DataCorrupt
from ganglion.core.identity_errors import KeyStoreUnusable
from ganglion.entrypoints.node.keystore import node_keys
from ganglion.entrypoints.node.measured import measured_facts
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.node.domain.update.reconcile import Installed, NodeState
from ganglion.node.services import stored_state
from ganglion.node.services.identity import load_identity
from ganglion.node.services.places import Places
from ganglion.ports.clock import new_id
from ganglion.ports.serving_control import ActiveModels

log = structlog.get_logger()


def open_store(settings: NodeSettings, places: Places) -> SqliteAgentStore:
    """Open the outbox; a damaged one is moved aside, never emptied, and a new epoch begins.

    Raises: DataTooNew, DiskUnusable.
    """
    chance = SystemChance()
    open_at = partial(
        SqliteAgentStore,
        places.database,
        limits=OutboxLimits(
            total_bytes_max=settings.agent.outbox_bytes_max,
            class_bytes_max=settings.agent.outbox_class_bytes_max,
            free_bytes_min=settings.agent.disk_free_bytes_min,
        ),
        new_epoch=lambda: new_id(chance),
    )
    try:
        return open_at()
    except DataCorrupt as error:
        aside = places.database.with_name(f"{places.database.name}.damaged-{new_id(chance)[:8]}")
        for suffix in ("", "-wal", "-shm"):
            file = Path(f"{places.database}{suffix}")
            if file.exists():
                file.rename(f"{aside}{suffix}")
        log.error("outbox.moved_aside", reason=error.message, file=str(aside))  # noqa: TRY400 - the reason is logged
        return open_at()


def open_link(settings: NodeSettings, places: Places) -> HttpsHubLink:
    """Open the link with what this node was given when it joined. Raises: NotJoined, DataCorrupt."""
    identity, keys = load_identity(places.identity), node_keys(settings)
    # A token may be plugged in later; a key that is gone does not come back by itself.
    with suppress(KeyStoreUnusable):
        keys.current()
    return HttpsHubLink(
        identity=Identity(
            hub_url=identity.hub_url,
            node_id=identity.node_id,
            audience=identity.ca_pin,
            keys=keys,
            measure=partial(measured_facts, settings.image_sha256_file),
        ),
        ca_pem=_read(places.ca),
        tuf_root=_read(places.tuf_root),
        open_metadata=partial(DirectoryFiles, places.tuf_metadata),
        clock=SystemClock(),
        settings=LinkSettings(
            request_timeout_s=settings.agent.request_timeout_s,
            rate_bytes_min=settings.agent.download_bytes_per_s_min,
            bytes_per_s_max=settings.agent.download_bytes_per_s_max,
            metadata=TufLimits(deadline_s=settings.agent.metadata_deadline_s),
        ),
    )


def read_active(path: Path) -> ActiveModels:
    """Return what serving starts from; a file that cannot be read counts as none, and is written again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ActiveModels)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ActiveModels()


def read_state(store: SqliteAgentStore, active: ActiveModels) -> NodeState:
    """Return the stored state; where there is none, what serving starts from is what was committed."""
    try:
        data = store.state()
        if data is not None:
            return stored_state.load_state(data)
    except DataCorrupt as error:
        log.error("state.damaged", reason=error.message)  # noqa: TRY400 - the reason is logged
    return stored_state.adopt(NodeState(), _installed(active))


def _installed(active: ActiveModels) -> dict[str, Installed]:
    return {
        name: Installed(version=model.version, path=model.path, sha256=model.sha256, offline_s_max=model.offline_s_max)
        for name, model in active.models.items()
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataCorrupt(
            f"{path} cannot be read ({error.strerror}): restore it, or join again in a new directory"
        ) from error
