"""`ganglion login` and `ganglion logout`: which hub the commands talk to, and as whom."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.core.errors import InvalidRequest
from ganglion.core.identity_errors import CaMismatch
from ganglion.entrypoints.cli.context import CaPin, Config, login_file
from ganglion.entrypoints.cli.output import note

if TYPE_CHECKING:
    from ganglion.entrypoints.hub_client.client import HubClient
    from ganglion.entrypoints.hub_client.pinned_tls import OfferedCa
    from ganglion.entrypoints.settings.client import ClientSettings

_ASK_EVERY_S = 2.0


def login(
    url: Annotated[str, typer.Argument(help="Address of the hub, https://HOST:PORT.")],
    token: Annotated[str | None, typer.Option("--token", help="Token of an account; asked for when missing.")] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Log in with this name and a password, which is asked for.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser", help="Let a browser that is logged in grant it.")] = False,
    ca_pin: CaPin = None,
    config: Config = None,
) -> None:
    """Log in to a hub, and use it from now on.

    With a token, a password, or from a browser.

    A token lasts until it is replaced; a login by password or browser lasts half a day. The hub prints the pin of
    its certificate authority when it starts. Without --ca-pin the pin is shown, and you say whether it is the same.

    Example: ganglion login https://hub.example:8443 --token TOKEN --ca-pin PIN
    """
    from ganglion.entrypoints.cli.logins import Login
    from ganglion.entrypoints.hub_client.client import HubClient
    from ganglion.entrypoints.hub_client.pinned_tls import parse_address
    from ganglion.entrypoints.settings.tree import load_settings

    address = str(parse_address(url))
    settings = load_settings(config, {"client.token": token, "client.ca_pin": ca_pin}).client
    ca_pem = _trusted_ca(address, settings.ca_pin)
    chosen = _proof(address, ca_pem, settings, user=user, browser=browser)
    with HubClient(address, ca_pem=ca_pem, token=chosen, settings=settings) as client:
        who = client.who()  # a token that the hub does not know must not be stored
    login_file().add(Login(hub=address, token=chosen, ca_pem=ca_pem.decode()))
    note(f"logged in to {address} as {who.name} ({who.role})")


def logout(
    url: Annotated[str | None, typer.Argument(help="Address of the hub; otherwise the one in use.")] = None,
) -> None:
    """Forget the token for a hub. The token itself stays valid.

    Example: ganglion logout
    """
    from ganglion.entrypoints.hub_client.pinned_tls import parse_address

    gone = login_file().remove(str(parse_address(url)) if url else "")
    note(f"logged out of {gone}" if gone else "not logged in")


def _trusted_ca(address: str, ca_pin: str) -> bytes:
    from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca, offered_ca

    return fetch_ca(address, ca_pin) if ca_pin else _confirmed(address, offered_ca(address))


def _confirmed(address: str, offered: "OfferedCa") -> bytes:
    """Ask the person whether the pin is the right one. Raises: InvalidRequest: nobody to ask. CaMismatch: it is not."""
    if not sys.stdin.isatty():
        raise InvalidRequest(f"give --ca-pin, as the hub printed it; {address} shows {offered.pin}")
    note(f"{address} shows a certificate authority with the pin\n  {offered.pin}")
    if not typer.confirm("Did the hub print the same pin when it started?", err=True):
        raise CaMismatch(f"the pin of {address} was not confirmed")
    return offered.pem


def _proof(address: str, ca_pem: bytes, settings: "ClientSettings", *, user: str | None, browser: bool) -> str:
    """Return a token, or a session that a password or a browser gave."""
    from ganglion.entrypoints.hub_client.client import HubClient

    if not browser and user is None:
        return settings.token or _asked_token()
    with HubClient(address, ca_pem=ca_pem, token="", settings=settings) as client:
        if user is not None:
            return client.login(user, _asked_password()).token
        return _granted(client)


def _granted(client: "HubClient") -> str:
    """Wait until somebody grants the login in a browser. Raises: Unauthenticated: nobody did in time."""
    import threading

    pause = threading.Event()
    asked = client.ask_for_login()
    note(f"Open this in a browser, and see that it shows the code {asked.code}:\n  {client.url}{asked.path}")
    while not (answer := client.fetch_login(asked.secret)).token:
        pause.wait(_ASK_EVERY_S)
    return answer.token


def _asked_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, err=True))


def _asked_token() -> str:
    if not sys.stdin.isatty():
        raise InvalidRequest("give --token, or set GANGLION_CLIENT_TOKEN")
    return str(typer.prompt("Token", hide_input=True, err=True))
