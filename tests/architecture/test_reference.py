"""Every command, option, setting, error and route is documented, and says what it means."""

import ast
import re

import msgspec
import pytest

import cli_tree
import reference
from reference_pages import settings
from source_tree import class_docs, field_docs, source_files

UNIT_OR_BOUND = re.compile(r"_(s|ms|us|ns|days|kib|bytes|len|max|min|share|rate|ratio)(_|$)")
PLAIN_NUMBERS = {"passes", "port", "threads"}
COMMANDS = list(cli_tree.every_command())
SECTIONS = [(path, kind) for path, kind in settings.sections() if path]


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_reference_page_says_what_the_code_says(name: str) -> None:
    changes = reference.difference(name)

    assert not changes, f"docs/reference/{name} is out of date: run `make docs`\n" + "".join(changes[:40])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
def test_every_command_and_option_explains_itself(command: cli_tree.Command) -> None:
    silent = [each.name for each in command.parameters if not each.help]

    assert command.help
    assert not silent


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
def test_the_examples_in_the_help_would_be_understood(command: cli_tree.Command) -> None:
    examples = re.findall(r"Example: (ganglion .*)", command.help)

    assert [problem for line in examples if (problem := cli_tree.misunderstanding(line))] == []


@pytest.mark.parametrize(("path", "kind"), SECTIONS)
def test_every_setting_has_a_meaning_and_a_default(path: str, kind: type[msgspec.Struct]) -> None:
    assert [name for name, text in field_docs(kind).items() if not text] == []
    assert [field.name for field in msgspec.structs.fields(kind) if field.required] == []


def test_every_limit_of_a_component_says_what_it_limits() -> None:
    silent = [
        f"{source.place(node)} {node.name}.{name}: say below the field what it means"
        for source in source_files("src")
        if not source.name.startswith(("ganglion.wire", "ganglion.core"))
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Settings", "Limits"))
        for name, text in class_docs(node).items()
        if not text
    ]

    assert not silent, "\n".join(silent)


@pytest.mark.parametrize(("path", "kind"), SECTIONS)
def test_every_number_among_the_settings_names_its_unit_or_bound(path: str, kind: type[msgspec.Struct]) -> None:
    numbers = {name for name, value in msgspec.structs.asdict(kind()).items() if type(value) in {int, float}}

    assert {name for name in numbers - PLAIN_NUMBERS if not UNIT_OR_BOUND.search(name)} == set()
