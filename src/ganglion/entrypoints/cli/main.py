"""`ganglion`: every command hangs here, and every command ends here.

The modules of the commands import typer and nothing heavier, so that all of them together cost a few
milliseconds; what a command needs, it imports when it runs.
"""

import sys

import typer

from ganglion.entrypoints.cli import (
    account,
    dataset,
    demo,
    event,
    hub,
    login,
    model,
    node,
    rollout,
    sample,
    serve,
    version,
)
from ganglion.entrypoints.cli.failures import DEBUG, EXIT_INTERRUPTED, FailureStyle, report

# Plain help: it reads well through a pager and a screen reader, and comes without a library for boxes.
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

for _name, _group in {
    "hub": hub.app,
    "node": node.app,
    "model": model.app,
    "rollout": rollout.app,
    "sample": sample.app,
    "dataset": dataset.app,
    "event": event.event_app,
    "result": event.result_app,
    "account": account.app,
}.items():
    app.add_typer(_group, name=_name)
app.command("serve")(serve.serve)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("demo")(demo.demo)
app.command("version")(version.version)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"ganglion {metadata.version('ganglion')}")
        raise typer.Exit


@app.callback()
def ganglion(
    *,
    _debug: bool = typer.Option(False, DEBUG, help="Print the traceback of an error; may stand anywhere."),
    _version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Run AI models where the data is born, and learn from it in the cloud."""


def main() -> None:
    """Run one command: exit code 0, or that of its error (docs/reference/errors.md)."""
    arguments = sys.argv[1:]
    style = FailureStyle.of(arguments)
    try:
        app(args=[word for word in arguments if word != DEBUG], prog_name="ganglion")
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the outermost edge: everything becomes one line
        sys.exit(report(error, style))


if __name__ == "__main__":
    main()
