"""`ganglion demo`."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    quick: Annotated[bool, typer.Option("--quick", help="Shorter waits; the same chapters and promises.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the hub running and print its login.")] = False,
    report: Annotated[Path, typer.Option("--report", help="Where the report is written.")] = Path("demo-report.html"),
) -> None:
    """Show the whole loop on this machine: one hub, three nodes, real faults. Needs `ganglion[hub,factory]`.

    Example: ganglion demo --quick
    """
    try:
        from ganglion.entrypoints.demo.run import DemoOptions, run_demo
    except ModuleNotFoundError as error:
        from ganglion.core.errors import MissingExtra

        raise MissingExtra(f"the demo needs {error.name}: pip install 'ganglion[hub,factory]'") from error
    run_demo(DemoOptions(quick=quick, keep=keep, report_file=report))
