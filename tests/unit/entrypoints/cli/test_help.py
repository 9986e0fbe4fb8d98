"""What `--help` and `--version` print."""

from importlib import metadata

import pytest
from typer.testing import CliRunner

from ganglion.entrypoints.cli.app import app
from ganglion.entrypoints.cli.serve_app import app as serve_app

GROUPS = ("hub", "node", "model", "rollout", "sample", "dataset", "event", "result", "account", "trust", "alert")


@pytest.mark.parametrize("group", GROUPS)
def test_a_list_of_commands_cuts_no_sentence_on_a_terminal_of_80_columns(group: str) -> None:
    shown = CliRunner().invoke(app, [group, "--help"], terminal_width=80, color=False).output

    _, _, commands = shown.partition("Commands:")
    assert commands
    assert "..." not in commands


def test_serve_reads_the_same_by_itself_as_among_all_commands() -> None:
    alone, among_all = (CliRunner().invoke(each, ["serve", "--help"], color=False).output for each in (serve_app, app))

    assert "--grpc-port" in alone
    assert alone == among_all


def test_the_version_is_asked_for_as_everywhere() -> None:
    result = CliRunner().invoke(app, ["--version"])

    assert (result.exit_code, result.output) == (0, f"ganglion {metadata.version('ganglion')}\n")
