"""Every call of the hub and every command, by everybody: docs/reference/permissions.md says what comes of it."""

import io
import shlex
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main

import cli_tree
from ganglion.core.errors import GanglionError
from ganglion.core.identity_errors import Forbidden, Unauthenticated
from ganglion.entrypoints.cli.app import app as commands
from ganglion.entrypoints.hub_api import app, openapi
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.wire import paths
from integration.hub_api_world import ServedHub, make_package, serving
from integration.permission_table import Row, ask, callers, described_calls, rows

GANGLION = typer.main.get_command(commands)
"""Built once: all of it takes a twentieth of a second."""
CALLS, COMMANDS = rows("Calls"), rows("Commands")
LOCAL = {line.subject for line in rows("Commands that ask no hub")}
BY_CALL = {line.subject: line.expected["call"] for line in rows("Commands that need more than one line")}


@dataclass(frozen=True, slots=True)
class World:
    """A hub with a release and a rollout, and a token for each column."""

    hub: ServedHub
    tokens: dict[str, str]
    rollout_id: str
    package: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("permissions")
    with serving(HubSettings(data_dir=str(directory / "hub"), port=0)) as hub:
        package = make_package(directory)
        hub.call("POST", paths.RELEASES, body=package.read_bytes())
        tokens = callers(hub)
        rollout = hub.post(paths.ROLLOUTS, {"model": "digits", "version": "1", "stages": ["100%"]}).json
        assert isinstance(rollout, dict)
        yield World(hub, tokens, rollout["rollout_id"], package)


@pytest.mark.parametrize("row", CALLS, ids=lambda row: row.subject)
def test_a_call_is_answered_as_the_table_says(world: World, row: Row) -> None:
    told = {
        caller: ask(world.hub, row.subject, world.tokens[caller], world.rollout_id, world.package)
        for caller in row.expected
    }

    assert told == row.expected


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.subject)
def test_a_command_ends_as_the_table_says(
    world: World, row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO("a long enough password\n" * len(row.expected)))
    (tmp_path / "digits.ganglion").write_bytes(world.package.read_bytes())

    told = {caller: run(world, row.subject, world.tokens[caller]) for caller in row.expected}
    # Some commands show a secret, once, to whoever asked for it: that was this test.
    capsys.readouterr()

    assert told == row.expected


def test_the_table_has_every_call_of_the_hub_and_no_other() -> None:
    described = sorted(described_calls(openapi.describe(app.create_routes())))

    assert sorted(row.subject for row in CALLS) == described


def test_the_table_has_every_command_and_no_other() -> None:
    every = {" ".join(command.words) for command in cli_tree.every_command() if not command.children}
    tried = {next(name for name in sorted(every, key=len, reverse=True) if begins(row, name)) for row in COMMANDS}

    assert sorted([*tried, *LOCAL, *BY_CALL]) == sorted(every)


def test_a_command_that_cannot_be_tried_in_one_line_names_a_call_that_is_tried() -> None:
    assert set(BY_CALL.values()) <= {row.subject for row in CALLS}


def begins(row: Row, name: str) -> bool:
    return f"{row.subject} ".startswith(f"{name} ")


def run(world: World, line: str, token: str) -> str:
    """Run a command as it stands in the table, as the holder of `token`."""
    for written in ("tokens.jsonl", "ceremony"):
        remove(Path(written))
    named = line.replace("ROLLOUT_ID", world.rollout_id).replace("HUB_URL", world.hub.url)
    options = ["--token", token, "--ca-pin", world.hub.ca_pin]
    options += [] if line.startswith("ganglion login") else ["--hub", world.hub.url]
    try:
        with suppress(SystemExit):
            GANGLION.main(args=[*shlex.split(named)[1:], *options], standalone_mode=False)
    except (Forbidden, Unauthenticated) as error:
        return {Forbidden: "403", Unauthenticated: "401"}[type(error)]
    except GanglionError:
        return "yes"
    return "yes"


def remove(path: Path) -> None:
    """Remove what the command wrote for the caller before."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
