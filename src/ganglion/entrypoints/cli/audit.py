"""`ganglion audit`: who did what, and proof that nobody has changed the answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.core.errors import CheckFailed, InvalidRequest
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import note

if TYPE_CHECKING:
    from ganglion.wire.people_resources import AuditLinkView, CheckpointView

app = typer.Typer(no_args_is_help=True)
_COLUMNS = ("number", "at_s", "actor", "action", "subject", "reason")
_PAGE = 1000

Writer = Annotated[str, typer.Option("--writer", help="Whose chain: hub, or the name of a node.")]


@app.callback()
def audit() -> None:
    """Say who did what, and prove it."""


@hub_command(app, "search")
def search(
    session: Session,
    actor: Annotated[str, typer.Option("--actor", help="Who did it.")] = "",
    action: Annotated[str, typer.Option("--action", help="What, or how it begins: rollout.")] = "",
    subject: Annotated[str, typer.Option("--subject", help="To what.")] = "",
    writer: Annotated[str, typer.Option("--writer", help="Only this chain.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="How many at most.")] = 100,
) -> None:
    """List what was done and refused, newest first.

    Example: ganglion audit search --action refused
    """
    query: dict[str, str | int] = {
        "actor": actor,
        "action": action,
        "subject": subject,
        "writer": writer,
        "limit": limit,
    }
    session.show(
        session.client.audit({name: value for name, value in query.items() if value}),
        columns=_COLUMNS,
        empty="Nothing of this kind was done.",
    )


@hub_command(app, "ship")
def ship(session: Session) -> None:
    """Ship what was not shipped yet of the hub's chain.

    In closed segments, to where the hub's settings say.

    Example: ganglion audit ship
    """
    names = session.client.ship_audit()
    session.show([{"segment": name} for name in names], empty="Everything was shipped before.")


@hub_command(app, "verify")
def verify(
    session: Session,
    writer: Writer = "hub",
    source: Annotated[
        str, typer.Option("--from", help="Prove shipped segments in its place: a directory, or s3://BUCKET/PREFIX.")
    ] = "",
    public_key: Annotated[
        str, typer.Option("--public-key", help="With --from: the hub's key, kept elsewhere, hexadecimal.")
    ] = "",
    checkpoints: Annotated[
        Path | None, typer.Option("--checkpoints", help="File with checkpoints of earlier times; the new one is added.")
    ] = None,
) -> None:
    """Prove that nobody edited, removed or reordered anything. Exit code 1: somebody did.

    Keep the checkpoints on another machine than the hub's: only they find an end that was cut off. With --from the
    hub is not asked: the segments prove themselves.

    Example: ganglion audit verify --checkpoints checkpoints.jsonl
    """
    if source:
        if checkpoints:
            raise InvalidRequest("--checkpoints is for the hub's own chain: segments hold theirs")
        _verify_shipped(session, source, writer, public_key)
        return
    kept = list(_kept(checkpoints)) if checkpoints else []
    answer = session.client.verify_audit(writer, [point for point in kept if point.writer == writer])
    session.show(answer, columns=("writer", "faults", "public_key"))
    if answer.faults:
        raise CheckFailed(
            f"the chain of {writer} has {len(answer.faults)} faults, the first at {answer.faults[0].number}"
        )
    if checkpoints and answer.checkpoint and answer.checkpoint not in kept:
        _append(checkpoints, answer.checkpoint)


@hub_command(app, "export")
def export(
    session: Session,
    file: Annotated[Path, typer.Argument(help="File to write: a JSON document a line, oldest first.")],
    writer: Writer = "hub",
    after: Annotated[int, typer.Option("--after", help="Only what has a higher number: the end of the last file.")] = 0,
) -> None:
    """Write a chain into a file, to be kept elsewhere. Each line is the text that was hashed.

    Example: ganglion audit export audit.jsonl
    """
    from ganglion.adapters.files import replace_file

    links = list(_pages(session, writer, after))
    replace_file(file, "".join(f"{link.document}\n" for link in links).encode(), mode=0o600)
    note(f"{len(links)} links of {writer} written to {file}" + (f", up to {links[-1].number}" if links else ""))


def _verify_shipped(session: Session, source: str, writer: str, public_key: str) -> None:
    from ganglion.entrypoints.hub_wiring.segment_stores import open_segment_store
    from ganglion.entrypoints.key_holders.segment_proof import prove_segments
    from ganglion.entrypoints.settings.tree import load_settings

    shipping = load_settings(session.config).hub.audit.shipping
    proof = prove_segments(open_segment_store(shipping, source), writer, public_key=public_key)
    session.show(proof, columns=("writer", "segments", "first", "last", "faults", "public_key"))
    if proof.faults:
        raise CheckFailed(f"{source} has {len(proof.faults)} faults, the first at {proof.faults[0].number}")
    if not public_key:
        note("The segments name the key themselves: compare it with the one that `ganglion audit verify` showed before")


def _pages(session: Session, writer: str, after: int) -> "Iterator[AuditLinkView]":
    while page := session.client.audit({"writer": writer, "after": after, "oldest_first": True, "limit": _PAGE}):
        yield from page
        after = page[-1].number


def _kept(file: Path) -> "Iterator[CheckpointView]":
    import msgspec

    from ganglion.wire.people_resources import CheckpointView

    try:
        lines = file.read_text().splitlines()
        yield from (msgspec.json.decode(line, type=CheckpointView) for line in lines if line)
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise InvalidRequest(f"{file} has no checkpoints that can be read: {error}") from error


def _append(file: Path, point: "CheckpointView") -> None:
    import msgspec

    try:
        with file.open("ab") as target:
            target.write(msgspec.json.encode(point) + b"\n")
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be written: {error.strerror}") from error
