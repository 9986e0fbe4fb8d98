"""`ganglion diff` and `ganglion apply`: the fleet as files declare it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli.context import Session
from ganglion.entrypoints.cli.output import OutputFormat, note
from ganglion.entrypoints.fleet.words import is_to_do, plan_texts

if TYPE_CHECKING:
    from ganglion.entrypoints.fleet.yaml import Written
    from ganglion.wire.apply_resources import ApplyProblem, ApplyReply, ApplyRequest, PlanLine

Files = Annotated[
    Path | None, typer.Option("--file", "-f", help="File or directory with *.yaml files; - for standard input.")
]
Prune = Annotated[
    bool, typer.Option("--prune", help="Remove what an earlier apply made and the files do not name any more.")
]
_DIFFERS = 1


def diff(session: Session, file: Files = None, prune: Prune = False) -> None:
    """Show how the fleet differs from what files declare. Exit code 0: it does not; 1: it does.

    Example: ganglion diff -f fleet/
    """
    written = _read(file)
    request = _request(written, prune=prune)
    reply = session.client.plan_fleet(request)
    _check(reply, written)
    _show(session, reply)
    if _differing(reply):
        raise typer.Exit(_DIFFERS)


def apply(
    session: Session,
    file: Files = None,
    prune: Prune = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is done; a script has to say so.")] = False,
    schema: Annotated[
        str | None, typer.Option("--schema", metavar="KIND", help="Print the JSON Schema of a kind of resource.")
    ] = None,
) -> None:
    """Make the fleet what files declare: all of it, or nothing. Rollouts that it takes pass their gates.

    Example: ganglion apply -f fleet/ --prune
    """
    from dataclasses import replace

    if schema is not None:
        _print_schema(schema)
        return
    written = _read(file)
    request = _request(written, prune=prune)
    plan = session.client.plan_fleet(request)
    _check(plan, written)
    if dry_run or not _differing(plan):
        _show(session, plan)
        return
    if not yes:
        _ask(session, plan)
    _show(session, session.client.apply_fleet(replace(request, expected=plan.digest)))


def _ask(session: Session, plan: "ApplyReply") -> None:
    """Let a person decide. Raises: InvalidRequest: nobody is there to be asked."""
    if session.output is not OutputFormat.TABLE or not sys.stdin.isatty():
        raise InvalidRequest(f"{len(_differing(plan))} to do: say --yes, or look first with --dry-run")
    _show(session, plan)
    typer.confirm("Do this?", abort=True, err=True)


def _print_schema(kind: str) -> None:
    import msgspec

    from ganglion.hub.domain.fleet import specs as fleet_specs

    if kind not in fleet_specs.KINDS:
        raise InvalidRequest(f"{kind!r} is no kind; there are {', '.join(fleet_specs.KINDS)}")
    text = msgspec.json.format(msgspec.json.encode(fleet_specs.schema(kind)), indent=2)
    sys.stdout.write(text.decode() + "\n")


def _read(file: Path | None) -> "list[Written]":
    from ganglion.entrypoints.fleet import yaml as fleet_yaml

    if file is None:
        raise InvalidRequest("say which files: -f fleet/")
    return fleet_yaml.read(file)


def _request(written: "list[Written]", *, prune: bool) -> "ApplyRequest":
    from ganglion.wire.apply_resources import ApplyRequest

    if prune and not written:
        # More likely than a wish: what writes the files has failed.
        raise InvalidRequest("the files declare nothing, and --prune would remove everything that apply ever made")
    return ApplyRequest(resources=[each.resource for each in written], prune=prune)


def _check(reply: "ApplyReply", written: "list[Written]") -> None:
    """Raises: InvalidRequest: with every problem, by file and line."""
    if reply.problems:
        places = {each.resource.source: each for each in written}
        told = [_told(problem, places.get(problem.source)) for problem in reply.problems]
        found = "1 problem" if len(told) == 1 else f"{len(told)} problems"
        raise InvalidRequest("\n".join([f"{found}, and nothing is done:", *told]))


def _told(problem: "ApplyProblem", written: "Written | None") -> str:
    place = written.place_of(problem.path) if written else problem.source
    return f"  {place}: {problem.kind} {problem.name}: {problem.path}: {problem.reason}"


def _differing(reply: "ApplyReply") -> "list[PlanLine]":
    return [line for line in reply.lines if is_to_do(line)]


def _show(session: Session, reply: "ApplyReply") -> None:
    if session.output is not OutputFormat.TABLE:
        session.show(reply)
        return
    shown = [line for line in reply.lines if line.action != "keep" or line.changes]
    sys.stdout.write("".join(f"{text}\n" for line in shown for text in plan_texts(line)))
    kept = len(reply.lines) - len(shown)
    note(f"{len(_differing(reply))} {'done' if reply.applied else 'to do'}, {kept} as declared")
