"""`ganglion trust`: take the release keys off the hub, sign its metadata, replace and revoke keys.

Commands that name a directory work on its files alone, without a network: they are for the machine of a key
holder. `fetch`, `publish` and `status` talk to a hub.
"""

from pathlib import Path
from typing import Annotated

import typer

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli import trust_limits
from ganglion.entrypoints.cli.context import Config, Session, hub_command
from ganglion.entrypoints.cli.output import Output, OutputFormat, emit, note

app = typer.Typer(no_args_is_help=True)
trust_limits.register(app)

Ceremony = Annotated[Path, typer.Argument(metavar="DIR", help="The ceremony's directory.")]
Role = Annotated[str, typer.Option(help="root, targets, snapshot, timestamp, assignment, envelope, or model-NAME.")]
PublicKey = Annotated[Path | None, typer.Option(metavar="KEY.pub", help="The new key's public file.")]


@app.callback()
def trust() -> None:
    """Hold the keys that decide which models nodes may run."""


@hub_command(app, "status")
def status(
    session: Session,
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A ceremony's directory: show that, offline.")
    ] = None,
) -> None:
    """Show roles, keys and expiry, or a proposal.

    With DIR it shows what is proposed there and which signatures are missing, without a hub.

    Example: ganglion trust status
    """
    from ganglion.entrypoints.cli import trust_views

    if directory:
        trust_views.show_proposal(directory, session.output)
        return
    view = session.client.trust()
    for line in trust_views.remarks(view):
        note(line)
    session.show(view, lines=trust_views.role_lines(view))


@hub_command(app, "fetch")
def fetch(
    session: Session,
    directory: Ceremony,
    *,
    new_online_keys: Annotated[
        bool, typer.Option("--new-online-keys", help="Let the hub make new keys for its own roles, to rotate to.")
    ] = False,
) -> None:
    """Bring what is in force into a directory.

    Every ceremony begins with it.

    Example: ganglion trust fetch ./ceremony
    """
    from ganglion.entrypoints.cli import trust_views
    from ganglion.entrypoints.key_holders.ceremony_directory import CeremonyDirectory

    view = session.client.make_online_keys() if new_online_keys else session.client.trust()
    CeremonyDirectory(directory).put_present(session.client.trust_documents(), view.online_keys)
    trust_views.show_proposal(directory, session.output)


@hub_command(app, "publish")
def publish(session: Session, directory: Ceremony) -> None:
    """Put a proposal in force on the hub.

    The hub refuses it unless every threshold is met.

    Example: ganglion trust publish ./ceremony
    """
    from ganglion.entrypoints.cli import trust_work

    session.show(trust_work.publish(session.client, directory))


@app.command("key")
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Private key file to make; FILE.pub is its other half.")],
    *,
    name: Annotated[str, typer.Option(help="What the key is called in lists.", show_default="the file's name")] = "",
    config: Config = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a signing key.

    It is encrypted with a passphrase; only FILE.pub leaves this machine.

    Example: ganglion trust key ./root-ada
    """
    from ganglion.entrypoints.cli import trust_work

    emit(trust_work.make_key(file, name or file.stem, config), output)


@app.command("init")
def init(
    directory: Ceremony,
    *,
    keys: Annotated[Path | None, typer.Option(help="Directory for new keys: root-1, root-2, …, publisher.")] = None,
    count: Annotated[int, typer.Option(help="How many root keys to make in --keys.", min=1, max=20)] = 3,
    holder: Annotated[
        list[Path] | None, typer.Option(metavar="KEY.pub", help="A root key made elsewhere. Repeatable.")
    ] = None,
    publisher: Annotated[
        Path | None, typer.Option(metavar="KEY.pub", help="The models' key, made elsewhere, beside --holder.")
    ] = None,
    threshold: Annotated[int, typer.Option(help="How many root keys must sign.", min=1, max=20)] = 2,
    targets_holder: Annotated[
        list[Path] | None,
        typer.Option(metavar="KEY.pub", help="A key for the list of models alone. Repeatable; default: the root keys."),
    ] = None,
    targets_threshold: Annotated[
        int | None,
        typer.Option(help="How many keys must sign the list of models.", show_default="as for root", min=1, max=20),
    ] = None,
    config: Config = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Propose to take the release keys off the hub.

    Root and targets go to key holders, models to a publisher. Either give --keys, and all keys are made
    here, or --holder for each root key, and --publisher.

    Example: ganglion trust init ./ceremony --keys ./keys --threshold 2
    """
    from ganglion.entrypoints.cli import trust_views, trust_work

    if keys and (holder or publisher or targets_holder or targets_threshold):
        raise InvalidRequest("give --keys DIR to make all keys here, or name keys that were made elsewhere; not both")
    if keys:
        trust_work.begin_with_new_keys(directory, keys, count, threshold, config)
    else:
        holders = trust_work.Holders(
            root=holder or [],
            threshold=threshold,
            targets=targets_holder or [],
            targets_threshold=targets_threshold,
        )
        trust_work.begin(directory, holders, publisher, config)
    trust_views.show_proposal(directory, output)


@app.command("sign")
def sign(
    directory: Ceremony,
    *,
    key: Annotated[Path, typer.Option(metavar="FILE", help="Private key file.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; what is signed is printed all the same.")] = False,
    config: Config = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Say what a proposal means, and sign it.

    Works on files alone, on a machine without any network.

    Example: ganglion trust sign ./ceremony --key ./keys/root-1
    """
    from ganglion.entrypoints.cli import trust_views, trust_work

    trust_work.sign(directory, key, config, confirmed=yes)
    trust_views.show_proposal(directory, output, told=True)


@app.command("import")
def import_signatures(
    directory: Ceremony,
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="Another copy of the directory, signed elsewhere.")],
    *,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Add the signatures of another copy.

    For holders who sign at the same time, each on a copy of the ceremony's directory.

    Example: ganglion trust import ./ceremony ./from-bo
    """
    from ganglion.entrypoints.cli import trust_views, trust_work

    trust_work.take_signatures(directory, other)
    trust_views.show_proposal(directory, output, told=True)


@app.command("rotate")
def rotate(
    directory: Ceremony,
    *,
    role: Role,
    old: Annotated[str, typer.Option(metavar="KEYID", help="The key to replace: its id, or how it begins.")] = "",
    new: PublicKey = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Propose another key for one role.

    The hub's own roles take the key that the hub offers.

    Example: ganglion trust rotate ./ceremony --role root --old 1f3c --new ./root-4.pub
    """
    from ganglion.entrypoints.cli import trust_views, trust_work

    trust_work.rotate(directory, role, old, new)
    trust_views.show_proposal(directory, output)


@app.command("revoke")
def revoke(
    directory: Ceremony,
    key_id: Annotated[str, typer.Argument(metavar="KEYID", help="The key's id, or how it begins.")],
    *,
    replacement: PublicKey = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Propose to trust a key no more.

    For a key that was lost or stolen: whatever it signed is signed again.

    Example: ganglion trust revoke ./ceremony 1f3c --replacement ./root-4.pub
    """
    from ganglion.entrypoints.cli import trust_views, trust_work

    trust_work.revoke(directory, key_id, replacement)
    trust_views.show_proposal(directory, output)


@app.command("delegate")
def delegate(
    directory: Ceremony,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model that has no role yet.")],
    *,
    new: Annotated[
        Path, typer.Option(metavar="KEY.pub", help="The public file of the key that will sign its versions.")
    ],
    output: Output = OutputFormat.TABLE,
) -> None:
    """Propose who releases a new model.

    Example: ganglion trust delegate ./ceremony gauges --new ./keys/publisher.pub
    """
    from ganglion.entrypoints.cli import trust_views, trust_work

    trust_work.delegate(directory, model, new)
    trust_views.show_proposal(directory, output)


@app.command("renew")
def renew(
    directory: Ceremony,
    *,
    role: Annotated[
        list[str] | None, typer.Option(help="root, targets, envelope or model-NAME. Repeatable; default: all.")
    ] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Propose new dates, before the present ones pass.

    Example: ganglion trust renew ./ceremony
    """
    from ganglion.entrypoints.cli import trust_views, trust_work

    trust_work.renew(directory, role or [])
    trust_views.show_proposal(directory, output)


@app.command("withdraw")
def withdraw(
    directory: Ceremony,
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="models/MODEL/VERSION/VARIANT.ganglion")],
    *,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Propose to take a released package back.

    No node installs it from then on; nodes that serve it go on until they are told otherwise.

    Example: ganglion trust withdraw ./ceremony models/gate/3/fp32.ganglion
    """
    from ganglion.entrypoints.cli import trust_views, trust_work

    trust_work.withdraw(directory, package)
    trust_views.show_proposal(directory, output)


@app.command("discard")
def discard(directory: Ceremony) -> None:
    """Throw a proposal away.

    Example: ganglion trust discard ./ceremony
    """
    from ganglion.entrypoints.key_holders.ceremony_directory import CeremonyDirectory

    CeremonyDirectory(directory).clear()
