"""`ganglion node client`: which programs on other machines may ask a serving port. Needs no hub and no network."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.entrypoints.cli.context import Config
from ganglion.entrypoints.cli.output import Output, OutputFormat, emit, note

if TYPE_CHECKING:
    from ganglion.entrypoints.client_access.local_clients import ClientFile
    from ganglion.trust.client_tokens import LocalClient

app = typer.Typer(no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory of the node.", show_default="node-data")]
File = Annotated[Path | None, typer.Option("--file", help="Or a file of clients, for `ganglion serve`.")]
Life = Annotated[
    float | None, typer.Option(help="Seconds until it expires.", show_default="token: never; certificate: a year")
]
Name = Annotated[str, typer.Argument(help="Name of the client.")]


@dataclass(frozen=True, slots=True)
class ClientLine:
    """A client, without anything that could open a port."""

    name: str
    proof: str
    models: list[str]
    verbs: list[str]
    added_at_s: float
    expires_at_s: float | None


@dataclass(frozen=True, slots=True)
class ClientToken:
    """A client's token, shown once."""

    name: str
    token: str


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Where a client's key and certificate lie, and until when they are good."""

    name: str
    file: str
    expires_at_s: float


@app.callback()
def client() -> None:
    """Say which programs on other machines may ask."""


@app.command("add")
def add(
    name: Name,
    *,
    model: Annotated[list[str] | None, typer.Option(help="Model it may use; may be repeated. Without: all.")] = None,
    verb: Annotated[
        list[str] | None, typer.Option(help="infer, read, load; may be repeated.", show_default="infer and read")
    ] = None,
    life: Life = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Make no token, but a key and a certificate, in this new file.")
    ] = None,
    data: Data = None,
    file: File = None,
    output: Output = OutputFormat.TABLE,
    config: Config = None,
) -> None:
    """Let a program on another machine ask.

    Makes a token for it, or a certificate for TLS.

    Example: ganglion node client add camera-7 --model gate --verb infer --data ./node
    """
    from ganglion.adapters.system import SystemChance, SystemClock
    from ganglion.entrypoints.client_access.local_clients import Wish
    from ganglion.trust.client_tokens import Verb

    wish = Wish(name=name, models=model or (), verbs=verb or (Verb.INFER, Verb.READ), life_s=life)
    clients = _file(data, file, config)
    if certificate is not None:
        _tell(clients.add_with_certificate(wish, certificate, clock=SystemClock()), certificate, output)
        return
    token = clients.add(wish, chance=SystemChance(), clock=SystemClock())
    emit(ClientToken(name, token), output)
    if output is OutputFormat.TABLE:
        note("The token is shown only now. Send it with each request: Authorization: Bearer TOKEN")


@app.command("renew")
def renew(
    name: Name,
    *,
    certificate: Annotated[Path, typer.Option(help="File for the new key and certificate; may be the old one.")],
    life: Life = None,
    data: Data = None,
    file: File = None,
    output: Output = OutputFormat.TABLE,
    config: Config = None,
) -> None:
    """Make a new key and certificate for a client. The one before stays good until its end, or the next renewal.

    Example: ganglion node client renew camera-7 --certificate camera-7.pem --data ./node
    """
    from ganglion.adapters.system import SystemClock

    clients = _file(data, file, config)
    _tell(clients.renew(name, certificate, life_s=life, clock=SystemClock()), certificate, output)


@app.command("list")
def list_clients(
    data: Data = None, file: File = None, output: Output = OutputFormat.TABLE, config: Config = None
) -> None:
    """List the clients, and what each may do.

    Example: ganglion node client list --data ./node
    """
    listed = _file(data, file, config).read()
    lines = [
        ClientLine(each.name, _proof_of(each), list(each.models), list(each.verbs), each.added_at_s, each.expires_at_s)
        for each in (listed.clients if listed else ())
    ]
    emit(lines, output, empty="No clients: only programs on this machine may ask.")


@app.command("remove")
def remove(name: Name, data: Data = None, file: File = None, config: Config = None) -> None:
    """Refuse a client. Its token and its certificates are worth nothing within a second.

    Example: ganglion node client remove camera-7 --data ./node
    """
    _file(data, file, config).remove(name)
    note(f"{name} may not ask any more")


def _proof_of(client: "LocalClient") -> str:
    return "certificate" if client.certificates else "token"


def _tell(client: "LocalClient", file: Path, output: OutputFormat) -> None:
    emit(ClientCertificate(client.name, str(file), client.expires_at_s or 0.0), output)
    if output is OutputFormat.TABLE:
        note(f"{file} holds the key, the certificate, and the authority that the server is known by. Keep it private")


def _file(data: Path | None, file: Path | None, config: Path | None) -> "ClientFile":
    from ganglion.core.errors import InvalidRequest
    from ganglion.entrypoints.client_access.local_clients import ClientFile
    from ganglion.entrypoints.settings.tree import load_settings
    from ganglion.node.services.places import Places

    if file is not None and data is not None:
        raise InvalidRequest("give either --data or --file")
    if file is not None:
        return ClientFile(file)
    settings = load_settings(config, {"node.data_dir": str(data) if data else None}).node
    return ClientFile(Places(settings.data_path).clients)
