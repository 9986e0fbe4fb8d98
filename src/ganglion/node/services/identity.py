"""Who this node is: the small file written when it joined."""

from pathlib import Path

import msgspec

from ganglion.core.errors import DataCorrupt
from ganglion.core.identity_errors import NotJoined


class NodeIdentity(msgspec.Struct, frozen=True):
    """Written once, by `ganglion node join`."""

    node_id: str
    name: str
    site: str
    hub_url: str
    ca_pin: str
    """Names the hub in every assertion of this node, so that one made for this hub is worth nothing to another."""


def load_identity(path: Path) -> NodeIdentity:
    """Raises: NotJoined: there is none. DataCorrupt: it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=NodeIdentity)
    except FileNotFoundError as error:
        raise NotJoined(f"{path.parent} does not belong to an enrolled node") from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataCorrupt(f"{path}: {error}") from error
