"""The fleet as a file that people keep, and labels that come with join tokens."""

from pathlib import Path

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.fleet import files as fleet_files
from ganglion.entrypoints.fleet import node_names
from ganglion.wire.fleet_resources import FleetList, FleetNode, GroupDefinition, SiteDefinition
from ganglion.wire.resources import TokenRequest

FLEET = FleetList(
    nodes=[FleetNode(name="gate-1", site="porto", zone="plant", labels={"line": "3", "canary": "yes"})],
    sites={"porto": SiteDefinition(description="plant, with a comma")},
    groups={"line-3": GroupDefinition(select="line=3")},
)


def test_a_list_comes_back_from_json_as_it_was(tmp_path: Path) -> None:
    fleet_files.write(FLEET, tmp_path / "fleet.json")

    assert fleet_files.read(tmp_path / "fleet.json") == FLEET


def test_nodes_come_back_from_csv_as_they_were(tmp_path: Path) -> None:
    fleet_files.write(FLEET, tmp_path / "fleet.csv")

    assert fleet_files.read(tmp_path / "fleet.csv") == FleetList(nodes=FLEET.nodes)


def test_a_list_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    for fleet in (FLEET, FleetList()):
        fleet_files.write(fleet, tmp_path / "fleet.json")

    assert fleet_files.read(tmp_path / "fleet.json") == FleetList()
    assert [file.name for file in tmp_path.iterdir()] == ["fleet.json"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fleet.csv", "name,site\ngate-1,porto\n"),
        ("fleet.csv", "name,site,zone,labels\ngate-1,porto\n"),
        ("fleet.csv", "name,site,zone,labels\ngate-1,porto,plant,line\n"),
        ("fleet.csv", "name,site,zone,labels\ngate-1,porto,plant,line=3,line=4\n"),
        ("fleet.csv", '"'),
        ("fleet.json", "[]"),
        ("fleet.json", '{"nodes": [{"site": "porto"}]}'),
        ("fleet.txt", ""),
    ],
)
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(InvalidRequest):
        fleet_files.read(tmp_path / name)


def test_the_file_of_a_fleet_is_a_file_of_names_for_tokens(tmp_path: Path) -> None:
    fleet_files.write(FLEET, tmp_path / "fleet.csv")

    (request,) = node_names.requests(TokenRequest(""), names=tmp_path / "fleet.csv", count=None, prefix="")

    assert (request.name, request.site, request.zone) == ("gate-1", "porto", "plant")
    assert request.labels == {"line": "3", "canary": "yes"}


def test_labels_of_all_are_overridden_by_those_of_a_line(tmp_path: Path) -> None:
    file = tmp_path / "names.csv"
    file.write_text('name,labels\ngate-1,"line=4"\ngate-2,\n', encoding="utf-8")
    plain = TokenRequest("", labels={"line": "3", "new": "yes"})

    made = node_names.requests(plain, names=file, count=None, prefix="")

    assert [each.labels for each in made] == [{"line": "4", "new": "yes"}, {"line": "3", "new": "yes"}]
