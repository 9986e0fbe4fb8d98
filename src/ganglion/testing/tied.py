"""Runs a `ganglion` command that ends with the process that started it, even when that one is killed.

    python -m ganglion.testing.tied PARENT ARGUMENT …

Only Linux can tie processes; elsewhere the command runs as it is.
"""

import ctypes
import os
import runpy
import signal
import sys

COMMAND = "ganglion.entrypoints.cli.main"
_PR_SET_PDEATHSIG = 1
_NOT_RUN = 126


def tied(*arguments: str) -> list[str]:
    """Return the command line of a command that ends with this process.

    For its main thread: the kernel ties a process to the thread that starts it, and another may end long before.
    """
    return [sys.executable, "-m", __spec__.name, str(os.getpid()), *arguments]


def main() -> None:
    """Tie this process, and become the command."""
    parent = int(sys.argv.pop(1))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(_NOT_RUN)  # It ended before its end could be noticed.
    runpy.run_module(COMMAND, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
