"""`ganglion demo`."""

from pathlib import Path
from typing import Annotated

import typer

from ganglion.entrypoints.cli.extras import needs_extra


def demo(
    quick: Annotated[bool, typer.Option("--quick", help="Shorter waits; the same chapters and promises.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the hub running and print its login.")] = False,
    report: Annotated[Path, typer.Option("--report", help="Where the report is written.")] = Path("demo-report.html"),
) -> None:
    """Show the whole loop on this machine, with real faults. Needs `ganglion[hub,factory]`.

    It starts one hub, four nodes and a client at each, and leaves nothing behind but the report.

    Example: ganglion demo --quick
    """
    with needs_extra("hub,factory", "the demo"):
        from ganglion.entrypoints.demo.run import DemoOptions, run_demo
    run_demo(DemoOptions(quick=quick, keep=keep, report_file=report))
