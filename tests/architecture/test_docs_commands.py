"""What the pages tell people to type exists."""

import re
from pathlib import Path

import pytest

import cli_tree
from console_blocks import ConsoleCommand, console_commands, pages
from source_tree import ROOT

COMMANDS = [command for page in pages() for command in console_commands(page)]
OURS = [command for command in COMMANDS if command.program == cli_tree.PROGRAM]
TARGETS = [command for command in COMMANDS if command.program == "make"]
NAMED = re.compile(r"`ganglion ([a-z][a-z -]*)")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("command", OURS, ids=str)
def test_every_ganglion_command_on_a_page_would_be_understood(command: ConsoleCommand) -> None:
    assert not cli_tree.misunderstanding(str(command)), command.page


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_sentence_names_exists(page: Path) -> None:
    named = set(NAMED.findall(page.read_text(encoding="utf-8")))

    assert [words for words in sorted(named) if not cli_tree.is_known(words.split())] == []


@pytest.mark.parametrize("command", TARGETS, ids=str)
def test_every_make_target_on_a_page_exists(command: ConsoleCommand) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    targets = [word for word in command.words[1:] if "=" not in word and not word.startswith("-")]

    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_shows_how_to_begin() -> None:
    shown = {str(command) for command in COMMANDS if command.page == Path("README.md")}

    assert {"make setup", "make demo"} & shown
    assert any(command.page == Path("README.md") for command in OURS)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ganglion", "a command is missing"),
        ("ganglion hub", "a command is missing"),
        ("ganglion fly", "no command 'fly'"),
        ("ganglion hub run --warp 9", "--warp"),
        ("ganglion hub run extra", "too much"),
        ("ganglion node token", "missing"),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line: str, reason: str) -> None:
    assert reason in cli_tree.misunderstanding(line)


@pytest.mark.parametrize(
    ("words", "is_known"), [("hub", True), ("hub run --port", True), ("hub fly", False), ("audit list", False)]
)
def test_a_name_that_no_command_has_is_noticed(words: str, *, is_known: bool) -> None:
    assert cli_tree.is_known(words.split()) is is_known
