"""`ganglion account`: who may talk to the hub, and what each may do."""

import sys
from typing import Annotated

import typer

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Person or program.")]
RoleOption = Annotated[str, typer.Option("--role", help="viewer, operator, publisher or admin.")]
Sites = Annotated[list[str] | None, typer.Option("--site", help="Only for this site. Repeatable.")]
Models = Annotated[list[str] | None, typer.Option("--model", help="Only for this model. Repeatable.")]
_COLUMNS = ("name", "role", "sites", "models", "state", "has_password", "login")


@app.callback()
def account() -> None:
    """Say who may talk to the hub, and what each may do."""


@hub_command(app, "create")
def create_account(
    session: Session, name: Name, role: RoleOption = "viewer", site: Sites = None, model: Models = None
) -> None:
    """Make an account and print its token, which is shown only now.

    Example: ganglion account create ana --role operator --site porto
    """
    from ganglion.wire.people_resources import AccountReply, AccountRequest

    request = AccountRequest(name, role=role, sites=site or [], models=model or [])
    session.show(AccountReply(session.client.create_account(request)))


@hub_command(app, "list")
def list_accounts(session: Session) -> None:
    """List accounts, and what they may do.

    Example: ganglion account list
    """
    session.show(session.client.accounts(), columns=_COLUMNS)


@hub_command(app, "set")
def set_account(session: Session, name: Name, role: RoleOption, site: Sites = None, model: Models = None) -> None:
    """Give an account another role. Without --site and --model it is for all of them. It holds at once.

    Example: ganglion account set ana --role viewer
    """
    from ganglion.wire.people_resources import AccountChange

    change = AccountChange(role, sites=site or [], models=model or [])
    session.show(session.client.change_account(name, change), columns=_COLUMNS)


@hub_command(app, "disable")
def disable_account(session: Session, name: Name) -> None:
    """Refuse an account from now on: its token and sessions end.

    Example: ganglion account disable ana
    """
    session.client.disable_account(name)
    note(f"{name} is disabled; `ganglion account renew {name}` lets it in again")


@hub_command(app, "renew")
def renew_account(session: Session, name: Name) -> None:
    """Replace an account's token; its sessions end.

    Example: ganglion account renew ana
    """
    from ganglion.wire.people_resources import AccountReply

    session.show(AccountReply(session.client.renew_account(name)))


@hub_command(app, "link")
def offer_link(session: Session, name: Name) -> None:
    """Make an address, good once, to choose a password at. It is good for a day.

    Example: ganglion account link ana
    """
    from ganglion.wire.people_resources import LinkReply

    path = session.client.offer_link(name)
    if session.output is OutputFormat.TABLE:
        typer.echo(f"{session.client.url}{path}")
    else:
        session.show(LinkReply(path))


@hub_command(app, "password")
def set_password(session: Session, name: Name) -> None:
    """Give an account a password, which is asked for. Everybody may change their own.

    Example: ganglion account password ana
    """
    session.client.set_password(name, _asked_password())
    note(f"{name} has a new password; sessions of before have ended")


def _asked_password() -> str:
    """Return a password from the terminal, or the first line of standard input."""
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\n")
        if not password:
            raise InvalidRequest("write the password to standard input, or run this in a terminal")
        return password
    return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
