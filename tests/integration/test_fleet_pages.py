"""The pages "How to organise a fleet" and "How to keep a fleet as files", executed."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli.tree import tree
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.wire import paths
from ganglion.wire.alert_resources import AlertCondition
from integration.hub_api_world import ServedHub, make_package, serving
from source_tree import ROOT

HOWTO = ROOT / "docs" / "howto"
CONSOLE = re.compile(r"^\$ (ganglion .*)$", re.MULTILINE)
FILE = re.compile(r"^`(fleet/\S+)`:\n\n```yaml\n(.*?)```", re.DOTALL | re.MULTILINE)
DIFFERS = 1


@dataclass
class Person:
    """Somebody who types what a page says, as the first account."""

    hub: ServedHub

    def type(self, line: str) -> int:
        """Return the exit code. Errors of ours fall through."""
        options = ["--hub", self.hub.url, "--token", self.hub.token, "--ca-pin", self.hub.ca_pin]
        words = shlex.split(line)[1:]
        try:
            code = tree(words)(args=[*words, *([] if "--schema" in words else options)], standalone_mode=False)
        except typer.Exit as ended:
            return ended.exit_code
        return int(code or 0)


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0)) as hub:
        hub.call("POST", paths.RELEASES, body=make_package(tmp_path).read_bytes())
        for name in ("gate-1", "gate-2"):
            hub.join(name, "porto").report()
        yield Person(hub)


def lines(page: str) -> list[str]:
    return CONSOLE.findall((HOWTO / page).read_text(encoding="utf-8"))


def declare(page: str, directory: Path) -> None:
    for name, text in FILE.findall((HOWTO / page).read_text(encoding="utf-8")):
        file = directory / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")


def test_every_command_of_organise_a_fleet_does_what_it_says(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = lines("organise-a-fleet.md")
    assert len(typed) > 15

    assert {line: person.type(line) for line in typed} == dict.fromkeys(typed, 0)

    told = capsys.readouterr().out
    assert "bottling plant" in told
    assert Path("fleet.csv").read_text(encoding="utf-8").splitlines()[0] == "name,site,zone,labels"
    assert person.hub.hub.fleet.node("gate-1").labels == {"line": "3"}


def test_the_files_of_the_page_are_applied_once_and_then_nothing_differs(
    person: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare("fleet-as-files.md", tmp_path)
    person.type("ganglion node label gate-1 gate-2 line=3")
    typed = lines("fleet-as-files.md")

    codes = [person.type(line) for line in typed]

    assert codes == [DIFFERS, 0, 0, 0, 0, 0]
    assert "> Assignment digits-on-line-3" in capsys.readouterr().out
    (rollout,) = person.hub.hub.rollouts.list()
    assert (rollout.model, rollout.limits.to, rollout.limits.approvals) == ("digits", "group:line-3", 1)
    settings = person.hub.hub.node_settings.explain("gate-1").settings
    assert {line.source for line in settings if line.key == "collection.random_share"} == {"group line-3"}


def test_every_command_and_every_file_of_be_told_does_what_it_says(person: Person, tmp_path: Path) -> None:
    text = (HOWTO / "be-told.md").read_text(encoding="utf-8")
    typed = [line for line in lines("be-told.md") if not line.startswith("ganglion alert test")]
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "alerts.yaml").write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")

    codes = {line: person.type(line) for line in [*typed, "ganglion apply -f fleet/ --yes"]}

    assert set(codes.values()) == {0}
    assert person.type("ganglion diff -f fleet/") == 0
    declared = [view.definition.condition for view in person.hub.hub.alerting.alerts.views() if view.owner]
    assert len(declared) == 9
    assert set(re.findall(r"^\| `([a-z_0-9]+)` \|", text.split("## When")[0], re.MULTILINE)) == set(AlertCondition)


def test_what_a_person_changed_shows_as_drift_and_is_taken_back(
    person: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare("fleet-as-files.md", tmp_path)
    person.type("ganglion apply -f fleet/ --yes")
    person.type("ganglion group create line-3 --select line=4")
    capsys.readouterr()

    assert person.type("ganglion diff -f fleet/") == DIFFERS
    assert 'spec.select: "line=4" -> "line=3"' in capsys.readouterr().out
    person.type("ganglion apply -f fleet/ --yes")
    assert person.type("ganglion diff -f fleet/") == 0


def test_problems_are_told_by_file_and_line(person: Person, tmp_path: Path) -> None:
    declare("fleet-as-files.md", tmp_path)
    groups = tmp_path / "fleet" / "groups.yaml"
    groups.write_text(groups.read_text(encoding="utf-8").replace("select: line=3", "selekt: line=3"), encoding="utf-8")
    models = tmp_path / "fleet" / "models.yaml"
    models.write_text(models.read_text(encoding="utf-8").replace("version: 1", "version: 9"), encoding="utf-8")

    with pytest.raises(InvalidRequest) as refused:
        person.type("ganglion apply -f fleet/ --yes")

    told = str(refused.value)
    assert "groups.yaml:6: Group line-3: spec.selekt" in told
    assert "models.yaml:7: Assignment digits-on-line-3: spec.version: digits:9 was not released" in told
    assert person.hub.hub.organisation.places.groups() == []


def test_a_program_with_a_role_for_a_group_applies_what_concerns_it_alone(person: Person, tmp_path: Path) -> None:
    declare("fleet-as-files.md", tmp_path)
    person.type("ganglion node label gate-1 gate-2 line=3")
    person.type("ganglion apply -f fleet/ --yes")
    wish = {"name": "ci", "role": "operator", "sites": ["group:line-3"]}
    reply = person.hub.post(paths.PROGRAM_TOKENS, wish).json
    assert isinstance(reply, dict)
    theirs = {"api_version": "ganglion/v1", "kind": "Settings", "name": "loud", "spec": {}}
    theirs["spec"] = {"scope": "group:line-3", "settings": {"agent.log_level": "debug"}}
    fleets = {**theirs, "name": "all", "spec": {"scope": "fleet", "settings": {"agent.log_level": "debug"}}}

    own = person.hub.post(paths.APPLY, {"resources": [theirs]}, token=reply["token"])
    wide = person.hub.post(paths.APPLY, {"resources": [theirs, fleets]}, token=reply["token"])
    pruning = person.hub.post(paths.APPLY, {"resources": [theirs], "prune": True}, token=reply["token"])

    assert own.status == 200, own.body
    assert (wide.code, pruning.code) == ("forbidden", "forbidden")


def test_schemas_are_published_for_every_kind(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = person.hub.call("GET", paths.SCHEMAS).json
    assert isinstance(kinds, list)

    for kind in kinds:
        with suppress(typer.Exit):
            person.type(f"ganglion apply --schema {kind}")
        printed = capsys.readouterr().out
        document = person.hub.call("GET", f"{paths.SCHEMAS}/{kind}").json
        assert isinstance(document, dict)
        assert document["properties"]["kind"] == {"const": kind}
        assert f'"const": "{kind}"' in printed
