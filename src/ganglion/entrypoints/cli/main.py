"""`ganglion`: every command begins and ends here. The commands themselves hang in `app`."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganglion.entrypoints.serve_start import Child


def main() -> None:
    """Run one command: exit code 0, or that of its error (docs/reference/errors.md)."""
    arguments = sys.argv[1:]
    child = _early_child(arguments)
    # Imported only now: it takes a third of the time in which the child gets ready.
    from ganglion.entrypoints.cli.app import app
    from ganglion.entrypoints.cli.failures import DEBUG, EXIT_INTERRUPTED, FailureStyle, report

    style = FailureStyle.of(arguments)
    try:
        app(args=[word for word in arguments if word != DEBUG], prog_name="ganglion", obj=child)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the outermost edge: everything becomes one line
        sys.exit(report(error, style))


def _early_child(arguments: Sequence[str]) -> "Child | None":
    """Start the process of `ganglion serve` while its command line is being read: it has a lot to import."""
    if arguments[:1] != ["serve"] or {"--help", "--no-supervise"} & {*arguments}:
        return None
    from ganglion.adapters.run_marks import RunMarks
    from ganglion.entrypoints.serve_start import Child

    return Child.start(RunMarks.create())


if __name__ == "__main__":
    main()
