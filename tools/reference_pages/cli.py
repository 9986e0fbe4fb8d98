"""docs/reference/cli.md: every command with its arguments and options."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from cli_tree import Command, Parameter, every_command
from reference_pages.markdown import code, page, table
from source_tree import one_line

_INTRODUCTION = """\
`ganglion COMMAND --help` prints the same on the terminal. Results go to standard output (`-o table`, `json`, `jsonl`
or `yaml` where a command has it), everything else to standard error; the exit codes stand in [errors.md](errors.md)."""
_EXAMPLE = "Example:"


def render() -> str:
    """Return the page."""
    return page("Commands", _INTRODUCTION, *(section(command) for command in every_command()))


def section(command: Command) -> str:
    """Return everything about one command."""
    heading = "#" * min(len(command.words) + 1, 4)
    parts = [f"{heading} `{usage(command)}`", *_paragraphs(command.help), _options(command), _below(command)]
    return "\n\n".join(part for part in parts if part)


def usage(command: Command) -> str:
    """Return how the command is called: its words and arguments."""
    arguments = [_argument(each) for each in command.parameters if each.param_type_name == "argument"]
    return " ".join([*command.words, *arguments])


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        line = one_line(paragraph)
        if line.startswith(_EXAMPLE):
            yield f"```console\n$ {line.removeprefix(_EXAMPLE).strip()}\n```"
        else:
            yield line


def _argument(parameter: Parameter) -> str:
    name = (parameter.name or "").upper()
    name += "..." if parameter.nargs == -1 else ""
    return name if parameter.required else f"[{name}]"


def _options(command: Command) -> str:
    rows = [(_name(command, each), _default(each), one_line(each.help)) for each in command.parameters]
    return table(("argument or option", "default", "meaning"), rows) if rows else ""


def _below(command: Command) -> str:
    lines = [f"- {code(' '.join(child.words))}: {_first_sentence(child.help)}" for child in command.children]
    return "\n".join(lines)


def _first_sentence(text: str) -> str:
    return one_line(text.split("\n\n", maxsplit=1)[0])


def _name(command: Command, parameter: Parameter) -> str:
    if parameter.param_type_name == "argument":
        return code((parameter.name or "").upper())
    spelt = ", ".join(code(option) for option in (*parameter.opts, *parameter.secondary_opts))
    return f"{spelt} {_value(command.kind_of(parameter))}".strip()


def _value(kind: type) -> str:
    """Return what to write behind an option: its choices, or a word for what it takes."""
    if issubclass(kind, Enum):
        return " or ".join(code(choice.value) for choice in kind)
    return code({bool: "", int: "NUMBER", float: "NUMBER"}.get(kind, "PATH" if issubclass(kind, Path) else "TEXT"))


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    if isinstance(parameter.show_default, str):
        return code(parameter.show_default)
    default = getattr(parameter.default, "value", parameter.default)
    return "" if default is None or default in (False, (), []) or callable(default) else code(default)
