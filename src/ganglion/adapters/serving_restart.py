"""Asks the serving process of this node to end in good order; the supervisor, which started both, starts it again."""

import json
import os
import signal
from pathlib import Path

from ganglion.core.serving_errors import ServingUnreachable


def end_serving(address: Path, *, supervisor: int) -> None:
    """Send SIGTERM to the process that `address`, the file that it wrote, names.

    `supervisor` is the process that started it: a number that another program has by now is left alone.
    Raises: ServingUnreachable: it does not run.
    """
    try:
        pid = int(json.loads(address.read_bytes())["pid"])
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ServingUnreachable("no serving process runs under this supervisor") from error
    if parent != supervisor or pid == os.getpid():
        raise ServingUnreachable("the process that served is gone, and no other has begun yet")
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError as error:
        raise ServingUnreachable("the serving process ended by itself") from error
