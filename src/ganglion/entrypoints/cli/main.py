"""`ganglion`: every command begins and ends here. The commands themselves hang in `tree`."""

import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganglion.entrypoints.serve.start import Child


def main() -> None:
    """Run one command: exit code 0, or that of its error (docs/reference/errors.md)."""
    arguments = sys.argv[1:]
    child = _early_child(arguments)
    # Imported only now: it takes a third of the time in which the child gets ready.
    from ganglion.entrypoints.cli.failures import DEBUG, EXIT_INTERRUPTED, FailureStyle, report
    from ganglion.entrypoints.cli.tree import tree

    style = FailureStyle.of(arguments)
    words = [word for word in arguments if word != DEBUG]
    try:
        tree(words)(args=words, prog_name="ganglion", obj=child)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the outermost edge: everything becomes one line
        sys.exit(report(error, style))


def _early_child(arguments: Sequence[str]) -> "Child | None":
    """Start the process of `ganglion serve` while its command line is being read: it has a lot to import."""
    if arguments[:1] != ["serve"] or {"--help", "--no-supervise"} & {*arguments}:
        return None
    # Ctrl-C while everything is being imported ends the program without a traceback; the child sees that, and goes.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ganglion.adapters.run_marks import RunMarks
    from ganglion.entrypoints.serve.start import Child, open_standard_streams

    open_standard_streams()
    return Child.start(RunMarks.create())


if __name__ == "__main__":
    main()
