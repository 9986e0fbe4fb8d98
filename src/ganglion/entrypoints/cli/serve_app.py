"""`ganglion serve` without the other commands: its models wait for the command line, and reading all takes longer."""

import typer

from ganglion.entrypoints.cli import serve

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command("serve")(serve.serve)


@app.callback()
def ganglion() -> None:
    """Keep `serve` a command with a name, as it is among the others."""
