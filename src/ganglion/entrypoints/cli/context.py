"""What every command against a hub shares: its options, and the client that they, the settings and the login make."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, ParamSpec

import typer

from ganglion.core.identity_errors import Unauthenticated
from ganglion.entrypoints.cli.output import Output, OutputFormat, emit

if TYPE_CHECKING:
    from ganglion.entrypoints.cli.logins import LoginFile
    from ganglion.entrypoints.hub_client.client import HubClient

P = ParamSpec("P")

Hub = Annotated[str | None, typer.Option("--hub", help="Address of the hub; otherwise the one logged in to.")]
Token = Annotated[
    str | None, typer.Option("--token", help="Token, of an account or a program; else that of the login.")
]
CaPin = Annotated[str | None, typer.Option("--ca-pin", help="SHA-256 of the public key of the hub's CA.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]


@dataclass(frozen=True, slots=True)
class HubOptions:
    """The options that say which hub, and as whom. None: from the settings, or from the login."""

    hub: str | None = None
    token: str | None = None
    ca_pin: str | None = None
    config: Path | None = None


class Session:
    """One command's line to its hub, opened when it is first used, and the form of its answers."""

    def __init__(self, options: HubOptions, output: OutputFormat) -> None:
        self._options = options
        self.output = output

    @cached_property
    def client(self) -> "HubClient":
        """Return the client. Raises: Unauthenticated: no login. InvalidSettings, HubUnreachable, CaMismatch."""
        return client_from(self._options)

    def another(self) -> "HubClient":
        """Return a client of its own, for a second thread; whoever asked for it closes it. Raises: as `client`."""
        return client_from(self._options)

    def show(
        self, value: object, *, lines: object = None, columns: Sequence[str] | None = None, empty: str = ""
    ) -> None:
        """Print an answer. A table shows `lines` in its place, or `columns` of it, or `empty` when there is nothing."""
        shorter = lines is not None and self.output is OutputFormat.TABLE
        emit(lines if shorter else value, self.output, columns=columns, empty=empty)

    @property
    def config(self) -> Path | None:
        """The settings file that was named."""
        return self._options.config

    def close(self) -> None:
        """Close the line, if it was opened."""
        if "client" in self.__dict__:
            self.client.close()


def client_from(options: HubOptions) -> "HubClient":
    """Return a client for the hub that options, settings or the login name, in this order.

    Raises: Unauthenticated: neither names a hub with a token. InvalidSettings, HubUnreachable, CaMismatch.
    """
    from ganglion.entrypoints.hub_client.client import HubClient
    from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca, parse_address
    from ganglion.entrypoints.settings.tree import load_settings

    given = {"client.hub": options.hub, "client.token": options.token, "client.ca_pin": options.ca_pin}
    settings = load_settings(options.config, given).client
    address = str(parse_address(settings.hub)) if settings.hub else ""
    login = login_file().find(address)
    hub, token = (login.hub, login.token) if login else (address, "")
    token = settings.token or token
    if not hub or not token or not (login or settings.ca_pin):
        raise Unauthenticated(_missing(hub, has_token=bool(token)))
    ca_pem = fetch_ca(hub, settings.ca_pin) if settings.ca_pin or login is None else login.ca_pem.encode()
    return HubClient(hub, ca_pem=ca_pem, token=token, settings=settings)


def login_file() -> "LoginFile":
    """Return the file of logins in the user's configuration directory."""
    from ganglion.entrypoints.cli.logins import LoginFile

    return LoginFile(Path(typer.get_app_dir("ganglion")) / "logins.json")


def hub_command(
    app: typer.Typer, name: str
) -> Callable[[Callable[Concatenate[Session, P], None]], Callable[Concatenate[Session, P], None]]:
    """Register a function as a command that talks to a hub: the options of `Session` join its own."""

    def register(function: Callable[Concatenate[Session, P], None]) -> Callable[Concatenate[Session, P], None]:
        app.command(name)(_with_session(function))
        return function

    return register


def _with_session(function: Callable[..., None]) -> Callable[..., None]:
    """Return `function` with the shared options as parameters in place of its session."""

    def run(
        *,
        output: OutputFormat,
        hub: str | None,
        token: str | None,
        ca_pin: str | None,
        config: Path | None,
        **own: object,
    ) -> None:
        session = Session(HubOptions(hub, token, ca_pin, config), output)
        try:
            function(session, **own)
        finally:
            session.close()

    parameters = list(inspect.signature(function).parameters.values())[1:]
    run.__doc__ = function.__doc__
    run.__signature__ = inspect.Signature([*parameters, *_shared_parameters()])  # type: ignore[attr-defined]  # PEP 362
    return run


def _shared_parameters() -> list[inspect.Parameter]:
    def option(name: str, annotation: object, default: object) -> inspect.Parameter:
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

    return [
        option("output", Output, OutputFormat.TABLE),
        option("hub", Hub, None),
        option("token", Token, None),
        option("ca_pin", CaPin, None),
        option("config", Config, None),
    ]


def _missing(hub: str, *, has_token: bool) -> str:
    if not hub:
        return "no hub is named and none is logged in to; run `ganglion login https://HOST:PORT`"
    if not has_token:
        return f"not logged in to {hub}; run `ganglion login {hub}`, or give --token and --ca-pin"
    return f"the CA of {hub} is not known; run `ganglion login {hub}`, or give --ca-pin"
