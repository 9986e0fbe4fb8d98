"""One branch of the tree of commands reads as it does among all the others."""

from collections.abc import Sequence

import pytest
import typer

from cli_tree import PROGRAM, Command, every_command, root
from ganglion.entrypoints.cli.tree import tree

COMMANDS = [each.words[1:] for each in every_command() if len(each.words) > 1]


def found(top: Command, words: Sequence[str]) -> Command:
    for word in words:
        top = next(each for each in top.children if each.words[-1] == word)
    return top


def only(words: Sequence[str]) -> Command:
    return Command((PROGRAM,), typer.Context(typer.main.get_command(tree(words)), info_name=PROGRAM))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_reads_the_same_by_itself_as_among_all(words: Sequence[str]) -> None:
    alone, among_all = found(only([*words, "--help"]), words), found(root(), words)

    assert alone.context.get_help() == among_all.context.get_help()
    assert [each.words for each in alone.children] == [each.words for each in among_all.children]


def test_only_the_command_that_is_named_is_read() -> None:
    top = only(["node", "client", "list", "-o", "json"])

    assert [each.words[1:] for each in every_command(top)] == [
        (),
        ("node",),
        ("node", "client"),
        ("node", "client", "list"),
    ]


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], ["fly"], ["--install-completion"]])
def test_where_no_command_is_named_all_are_known(words: Sequence[str]) -> None:
    assert [each.words for each in every_command(only(words))] == [each.words for each in every_command()]


def test_where_a_group_has_no_such_command_it_knows_all_of_its_own() -> None:
    nodes, all_nodes = found(only(["node", "fly"]), ["node"]), found(root(), ["node"])

    assert [each.words for each in nodes.children] == [each.words for each in all_nodes.children]
