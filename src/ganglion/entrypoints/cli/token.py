"""`ganglion token`: tokens of programs, such as CI."""

from typing import Annotated

import typer

from ganglion.entrypoints.cli.account import Models, RoleOption, Sites
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note

app = typer.Typer(no_args_is_help=True)
_COLUMNS = ("token_id", "name", "role", "sites", "models", "state", "expires_at_s", "last_used_at_s")
_DAY_S = 86_400.0


@app.callback()
def token() -> None:
    """Make and revoke tokens of programs."""


@hub_command(app, "create")
def create_token(
    session: Session,
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    role: RoleOption = "viewer",
    site: Sites = None,
    model: Models = None,
    days: Annotated[float, typer.Option("--days", help="Days until the token expires.")] = 90.0,
) -> None:
    """Make a token with a role and an end.

    It is printed, and shown only now. It can be no admin.

    Example: ganglion token create ci --role publisher --model digits --days 30
    """
    from ganglion.wire.people_resources import ProgramTokenRequest

    request = ProgramTokenRequest(name, role=role, sites=site or [], models=model or [], expires_in_s=days * _DAY_S)
    session.show(session.client.create_program_token(request))
    if session.output is OutputFormat.TABLE:
        note("The token is shown only now. The program sends it with --token, or in GANGLION_CLIENT_TOKEN.")


@hub_command(app, "list")
def list_tokens(session: Session) -> None:
    """List the tokens of programs, with their last use, newest first.

    Example: ganglion token list
    """
    session.show(
        session.client.program_tokens(),
        columns=_COLUMNS,
        empty="No tokens yet: `ganglion token create NAME` makes one.",
    )


@hub_command(app, "revoke")
def revoke_token(
    session: Session,
    token_id: Annotated[str, typer.Argument(metavar="TOKEN_ID", help="As `ganglion token list` shows it.")],
) -> None:
    """Refuse a token from its next use on.

    Example: ganglion token revoke TOKEN_ID
    """
    session.client.revoke_program_token(token_id)
    note(f"{token_id} is revoked")
