"""Opens log files, and nothing else that lies in their place: a pipe would stop the process, a link lead elsewhere."""

import os
import stat
from pathlib import Path


def opened_file(path: Path, how: int) -> int:
    """Return a descriptor of the regular file at `path`. Raises: OSError: it is none, or cannot be opened.

    `how` are flags of `os.open`. A file that is made is for its owner alone.
    """
    descriptor = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(f"{path} is no file")
