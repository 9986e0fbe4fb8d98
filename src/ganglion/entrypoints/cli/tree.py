"""The tree of commands: all of it, or only the branch that a command line names.

Every module of commands is imported, and every option read from a signature, only where somebody asks: all of them
together cost a tenth of a second, and a command line needs one. The modules import typer and nothing heavier; what
a command needs, it imports when it runs.
"""

import copy
import importlib
from collections.abc import Callable, Sequence
from typing import Concatenate, cast

import typer

from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.failures import DEBUG

# The module of each group, and its name there. Help lists the groups in this order, behind the commands.
_GROUPS = {
    "hub": ("hub", "app"),
    "node": ("node", "app"),
    "model": ("model", "app"),
    "group": ("group", "app"),
    "site": ("place", "site_app"),
    "zone": ("place", "zone_app"),
    "rollout": ("rollout", "app"),
    "experiment": ("experiment", "app"),
    "alert": ("alert", "app"),
    "sample": ("sample", "app"),
    "dataset": ("dataset", "app"),
    "event": ("event", "event_app"),
    "result": ("event", "result_app"),
    "account": ("account", "app"),
    "token": ("token", "app"),
    "audit": ("audit", "app"),
    "advise": ("advise", "app"),
    "trust": ("trust", "app"),
}
# Commands by themselves, and the module in which the function of the same name stands.
_HUB_COMMANDS = {"diff": "apply", "apply": "apply"}
_COMMANDS = {
    "serve": "serve",
    "login": "login",
    "logout": "login",
    "demo": "demo",
    "simulate": "simulate",
    "version": "version",
}


def tree(words: Sequence[str] = ()) -> typer.Typer:
    """Return `ganglion` with the one command that `words` begin with; with every command where they name none.

    `words` are those behind `ganglion`, without options of its own. What help and errors say of the one command is
    the same in both.
    """
    # Plain help: it reads well through a pager and a screen reader, and comes without a library for boxes.
    root = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
    root.callback()(ganglion)
    known = [*_HUB_COMMANDS, *_COMMANDS, *_GROUPS]
    for name in [name for name in known if name in words[:1]] or known:
        if name in _GROUPS:
            group = cast("typer.Typer", _read(*_GROUPS[name]))
            root.add_typer(_branch(group, words[1:]), name=name)
        elif name in _HUB_COMMANDS:
            asking = cast("Callable[Concatenate[Session, ...], None]", _read(_HUB_COMMANDS[name], name))
            hub_command(root, name)(asking)
        else:
            root.command(name)(cast("Callable[..., None]", _read(_COMMANDS[name], name)))
    return root


def ganglion(
    *,
    _debug: bool = typer.Option(False, DEBUG, help="Print the traceback of an error; may stand anywhere."),
    _version: bool = typer.Option(
        False,
        "--version",
        callback=lambda wanted: _print_version(wanted=wanted),
        is_eager=True,
        help="Print the version.",
    ),
) -> None:
    """Run AI models where the data is born, and learn from it in the cloud."""


def _print_version(*, wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"ganglion {metadata.version('ganglion')}")
        raise typer.Exit


def _read(module: str, name: str) -> object:
    found: object = getattr(importlib.import_module(f"ganglion.entrypoints.cli.{module}"), name)
    return found


def _branch(group: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """Return `group` with the one command that `words` begin with; as it is where they name none of its own."""
    commands = [each for each in group.registered_commands if each.name in words[:1]]
    groups = [each for each in group.registered_groups if each.name in words[:1]]
    if not commands and not groups:
        return group
    narrow = copy.copy(group)
    narrow.registered_commands, narrow.registered_groups = commands, []
    for each in groups:
        if each.typer_instance is not None and each.name is not None:
            narrow.add_typer(_branch(each.typer_instance, words[1:]), name=each.name)
    return narrow
