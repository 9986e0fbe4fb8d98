"""The process of `ganglion serve` that holds the models.

    python -P -m ganglion.entrypoints.serve_child MARKS

It is started while the command line is still being read, imports everything, and then waits for its order.
"""

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganglion.adapters.run_marks import RunMarks
    from ganglion.entrypoints.serve.order import ServeOrder


def main() -> None:
    """Serve what the order says; the status is that of `ganglion serve`."""
    # structlog draws tracebacks with rich where it finds it: 40 ms and 10 MB, for pictures that no log has a use for.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # so Python says that a module is not there
    from ganglion.adapters.run_marks import RunMarks  # noqa: PLC0415 - after the line above
    from ganglion.entrypoints.serve import order as serve_order  # noqa: PLC0415 - as above, and before the order

    marks = RunMarks(int(sys.argv[1]))
    order = serve_order.read_order()
    code = 0 if order is None else _serve(order, marks)
    # A model that hangs in its thread would hold the interpreter for ever.
    os._exit(code)


def _serve(order: "ServeOrder", marks: "RunMarks") -> int:
    import logging  # noqa: PLC0415 - not needed before there is an order
    from pathlib import Path  # noqa: PLC0415 - as above

    from ganglion.core.errors import GanglionError  # noqa: PLC0415 - as above
    from ganglion.entrypoints.processes.logs import configure_logs  # noqa: PLC0415 - as above
    from ganglion.entrypoints.serve.process import Parent, Voice, run_serve  # noqa: PLC0415 - as above

    configure_logs("serve", level=logging.ERROR)
    parent = Parent(marks, order.labels, order.port, order.grpc_port)
    try:
        run_serve(Path(order.path), order.settings, Voice(_say, _note), journal=order.journal_path, parent=parent)
    except GanglionError as error:
        from ganglion.entrypoints.cli.failures import FailureStyle, report  # noqa: PLC0415 - only for a failure

        return report(error, FailureStyle(with_traceback=order.with_traceback))
    return 0


def _say(line: str) -> None:
    # Whoever listened may have gone, as `head` does, or have a full disk: no reason to stop serving.
    with contextlib.suppress(OSError):
        print(line, flush=True)  # noqa: T201 - what the person at the terminal asked for


def _note(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()
