"""A way back in for who has the hub's data directory but has lost every token."""

import logging
from contextlib import closing
from pathlib import Path

from ganglion.adapters.hub_store import open_control
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core.errors import NotFound
from ganglion.entrypoints.processes.logs import configure_logs
from ganglion.hub.services.people.accounts import Accounts


def renew_token(data: Path, account: str) -> str:
    """Return a new token of `account`. The hub may run meanwhile.

    Raises: NotFound: there is no hub in `data`, or no such account. DataTooNew, DataCorrupt, DiskUnusable.
    """
    # Standard output is for the token alone.
    configure_logs("hub", level=logging.WARNING)
    database = data / "control.db"
    if not database.exists():
        raise NotFound(f"{data} is not the data directory of a hub")
    with closing(open_control(database)) as control:
        return Accounts(control=control, clock=SystemClock(), chance=SystemChance()).renew(account)
