"""Where a node's keys lie. `token` is not imported here: it needs an extra."""

from ganglion.adapters.node_keys.key_files import NodeKeyFiles, RawKey
from ganglion.adapters.node_keys.locking import file_lock

__all__ = ["NodeKeyFiles", "RawKey", "file_lock"]
