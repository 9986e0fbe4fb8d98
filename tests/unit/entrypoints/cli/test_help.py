"""What `--help` and `--version` print."""

from importlib import metadata

import pytest
from typer.testing import CliRunner

from ganglion.entrypoints.cli.app import app

GROUPS = (
    "hub", "node", "node client", "node files", "model", "group", "site", "zone", "rollout", "experiment", "alert",
    "sample", "dataset", "event", "result", "account", "token", "audit", "advise", "trust", "",
)  # fmt: skip


@pytest.mark.parametrize("group", GROUPS)
def test_a_list_of_commands_cuts_no_sentence_on_a_terminal_of_80_columns(group: str) -> None:
    shown = CliRunner().invoke(app, [*group.split(), "--help"], terminal_width=80, color=False).output

    _, _, commands = shown.partition("Commands:")
    assert commands
    assert "..." not in commands


def test_the_version_is_asked_for_as_everywhere() -> None:
    result = CliRunner().invoke(app, ["--version"])

    assert (result.exit_code, result.output) == (0, f"ganglion {metadata.version('ganglion')}\n")
