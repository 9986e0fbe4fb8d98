"""Reading the file of local clients: what the process that serves needs, and no more."""

from pathlib import Path

import msgspec

from ganglion.core.errors import DataCorrupt, DiskUnusable
from ganglion.trust.client_tokens import ClientList

_BYTES_MAX = 4_000_000


def read_clients(path: Path) -> ClientList | None:
    """Return the list; None: there is no file. Raises: DataCorrupt, DiskUnusable."""
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise DataCorrupt(f"{path} is larger than {_BYTES_MAX} bytes")
        return msgspec.json.decode(path.read_bytes(), type=ClientList)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DiskUnusable(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataCorrupt(f"{path} is no list of clients: {error}") from error
