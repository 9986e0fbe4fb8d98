"""`ganglion account`: who else may talk to the hub."""

from typing import Annotated

import typer

from ganglion.entrypoints.cli.context import Session, hub_command

app = typer.Typer(no_args_is_help=True)


@app.callback()
def account() -> None:
    """Say who else may talk to the hub."""


@hub_command(app, "create")
def create_account(session: Session, name: Annotated[str, typer.Argument(help="Person or program.")]) -> None:
    """Make an account and print its token, which is shown only now.

    Example: ganglion account create ana
    """
    from ganglion.wire.resources import AccountReply

    session.show(AccountReply(session.client.create_account(name)))
