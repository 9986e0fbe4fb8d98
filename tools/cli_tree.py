"""Walks the command tree of `ganglion`, and checks whether a written command would be understood."""

import functools
import inspect
import shlex
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import typer

from ganglion.entrypoints.cli.app import app

PROGRAM = "ganglion"


class Parameter(Protocol):
    """What we read of an option or argument; typer's own classes differ between releases."""

    name: str | None
    opts: list[str]
    secondary_opts: list[str]
    param_type_name: str
    required: bool
    multiple: bool
    nargs: int
    expose_value: bool
    hidden: bool
    help: str | None
    default: object
    show_default: bool | str | None


@dataclass(frozen=True, slots=True)
class Command:
    """One command; `words` is how it is called."""

    words: tuple[str, ...]
    context: typer.Context

    @property
    def help(self) -> str:
        """Return its help text."""
        return self.context.command.help or ""

    @property
    def parameters(self) -> list[Parameter]:
        """Return what it takes, without `--help` and the other options that typer adds by itself."""
        taken = cast("list[Parameter]", self.context.command.params)
        return [each for each in taken if each.expose_value and not getattr(each, "hidden", False)]

    def kind_of(self, parameter: Parameter) -> type:
        """Return the type of the parameter's values, as the function behind the command declares it."""
        signature = inspect.signature(self.context.command.callback or (lambda: None))
        return _innermost(signature.parameters[parameter.name or ""].annotation)

    @property
    def children(self) -> list["Command"]:
        """Return the commands below this one."""
        group = self.context.command
        if not isinstance(group, typer.core.TyperGroup):
            return []
        found = ((name, group.get_command(self.context, name)) for name in group.list_commands(self.context))
        return [
            Command((*self.words, name), typer.Context(child, info_name=name, parent=self.context))
            for name, child in found
            if child is not None and not child.hidden
        ]


@functools.cache
def root() -> Command:
    """Return `ganglion` itself. To build all of it takes a tenth of a second."""
    return Command((PROGRAM,), typer.Context(typer.main.get_command(app), info_name=PROGRAM))


def every_command(top: Command | None = None) -> Iterator[Command]:
    """Yield every command, parents before children."""
    top = top or root()
    yield top
    for child in top.children:
        yield from every_command(child)


def misunderstanding(line: str) -> str:
    """Return why `line` (ganglion …) would be refused, or nothing when every name and option in it exists."""
    words = shlex.split(line)
    command, arguments = root(), words[1:]
    while command.children and arguments and not arguments[0].startswith("-"):
        child = next((each for each in command.children if each.words[-1] == arguments[0]), None)
        if child is None:
            return f"`{line}`: {' '.join(command.words)} has no command {arguments[0]!r}"
        command, arguments = child, arguments[1:]
    if command.children and not arguments:
        return f"`{line}`: a command is missing behind {' '.join(command.words)}"
    return _refusal(line, command, arguments)


def is_known(words: Sequence[str]) -> bool:
    """Say whether these words, those behind `ganglion`, name a command, or a group of them."""
    named: tuple[str, ...] = (PROGRAM,)
    for word in words:
        if word.startswith("-") or not _groups()[named]:
            return True
        named = (*named, word)
        if named not in _groups():
            return False
    return True


@functools.cache
def _groups() -> Mapping[tuple[str, ...], bool]:
    """Return every command by its words, and whether there are commands below it."""
    return {each.words: bool(each.children) for each in every_command()}


def _innermost(hint: object) -> type:
    """Return `T` of `Annotated[list[T] | None, ...]`."""
    arguments = [each for each in typing.get_args(hint) if each is not type(None)]
    if arguments:
        return _innermost(arguments[0])
    assert isinstance(hint, type), hint
    return hint


def _refusal(line: str, command: Command, arguments: Sequence[str]) -> str:
    if "--help" in arguments:
        return ""
    parser = command.context.command.make_parser(command.context)
    try:
        values, left, _ = parser.parse_args(list(arguments))
    except Exception as error:  # noqa: BLE001 (typer raises usage errors of a class that moved between its releases)
        return f"`{line}`: {error}"
    missing = [each.name for each in command.parameters if each.required and values.get(each.name or "") is None]
    if missing or left:
        return f"`{line}`: missing {missing}" if missing else f"`{line}`: {left} is too much"
    return ""
