"""What an action runs as.

    python -I -S action_child.py PARENT DIRECTORY PROGRAM [ARGUMENT …]

It lowers itself, ties its life to the agent's, and becomes the program. It imports little, so that it starts at once.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_NICE = 10
_NOT_RUN = 126


def main() -> None:
    """Become the program, or end with 126 and say why."""
    parent, directory, *command = sys.argv[1:]
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        os._exit(_NOT_RUN)  # The agent ended before its end could be noticed.
    try:
        os.nice(_NICE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(directory)
        os.execv(command[0], command)  # noqa: S606 - no shell is the point; the envelope signed this command line
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{command[0]}: {error}\n")
        sys.stderr.flush()
        os._exit(_NOT_RUN)


if __name__ == "__main__":
    main()
