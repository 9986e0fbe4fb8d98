"""Reference files from a person's hand to a node's directory, with a real hub and the node's own link."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ganglion.core.errors import NotFound
from ganglion.node.domain.file_limits import FileLimits
from ganglion.node.services.places import Places
from ganglion.node.services.reference_files import ReferenceFiles
from ganglion.wire import paths
from ganglion.wire.desired import DesiredState, ReferenceFile
from integration.trust_world import World, trust_world

TABLE = b"sensor,offset\n1,0.25\n" * 2000
NO_FLOOR = FileLimits(disk_free_bytes_min=0)


class Desk:
    """A node's reference files, and the state that they follow."""

    def __init__(self, world: World) -> None:
        self.world, self.places = world, Places(world.directory / "node")
        self.state: DesiredState | None = None
        self.files = self.restarted()

    def restarted(self) -> ReferenceFiles:
        """Return what a new agent process begins with."""
        self.files = ReferenceFiles(
            link=self.world.link(),
            desired=lambda: self.state,
            places=self.places,
            node_id=self.world.node.identity.node_id,
            limits=NO_FLOOR,
        )
        return self.files

    def put(self, name: str, content: bytes, scope: str = "fleet", target: str = "") -> None:
        file = self.world.directory / "source"
        file.write_bytes(content)
        self.world.client.put_file(scope, target, name, file)

    def follow(self, state: DesiredState | None = None) -> dict[str, str]:
        """Take the hub's newest word, or this one, and return what the node tells."""
        self.state = state or self.world.told()
        self.files.align()
        return dict(self.files.told)

    def content(self, name: str) -> bytes:
        return (self.places.files / name).read_bytes()

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.places.files.glob("*"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with trust_world(tmp_path) as world:
        yield Desk(world)


def test_a_file_for_the_fleet_comes_to_the_node_by_its_name(desk: Desk) -> None:
    desk.put("calibration.csv", TABLE)

    told = desk.follow()

    assert told == {"calibration.csv": "applied"}
    assert desk.content("calibration.csv") == TABLE


def test_the_narrowest_of_several_files_of_one_name_wins_and_gives_way_when_it_is_removed(desk: Desk) -> None:
    for scope, target in (("node", "gate"), ("fleet", ""), ("site", "north")):
        desk.put("map", f"{scope} {target}".encode(), scope, target)
    seen = []
    for scope, target in (("node", "gate"), ("site", "north"), ("fleet", "")):
        desk.follow()
        seen.append(desk.content("map").decode().split()[0])
        desk.world.client.remove_file(scope, target, "map")

    told = desk.follow()

    assert seen == ["node", "site", "fleet"]
    assert (told, desk.names) == ({}, [])


def test_a_file_for_others_is_neither_wanted_nor_given(desk: Desk) -> None:
    desk.world.hub.join("elsewhere", site="south")
    desk.put("secret", b"for the south alone", "site", "south")
    (listed,) = desk.world.client.files()

    answer = desk.world.node.call("GET", f"{paths.NODE_FILES}/{listed.sha256}")

    assert desk.follow() == {}
    assert (answer.status, answer.code) == (404, "not_found")


def test_another_content_takes_the_place_of_the_first_in_one_step(desk: Desk) -> None:
    desk.put("map", b"first")
    desk.follow()
    desk.put("map", b"second")

    desk.follow()

    assert desk.content("map") == b"second"
    assert list(desk.places.file_parts.iterdir()) == []


def test_a_file_that_was_damaged_on_the_disk_is_brought_again_after_a_start(desk: Desk) -> None:
    desk.put("map", TABLE)
    desk.follow()
    (desk.places.files / "map").write_bytes(b"?" * len(TABLE))

    desk.restarted()
    told = desk.follow(desk.state)

    assert (told, desk.content("map")) == ({"map": "applied"}, TABLE)


def test_a_whole_file_needs_no_hub_after_a_start(desk: Desk) -> None:
    desk.put("map", TABLE)
    desk.follow()
    desk.world.hub.stop()

    desk.restarted()

    assert desk.follow(desk.state) == {"map": "applied"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda state: msgspec.structs.replace(state, files_statement=b"", files_key="", files_signature=b""),
            "signed",
        ),
        (lambda state: msgspec.structs.replace(state, files_signature=b"\0" * 64), "signature"),
        (lambda state: msgspec.structs.replace(state, revision=state.revision + 1), "revision"),
        (lambda state: msgspec.structs.replace(state, files=()), "another one"),
        (lambda state: msgspec.structs.replace(state, files=(*state.files, *state.files)), "each name once"),
        (lambda state: _renamed(state, "../escaped"), "name"),
        (lambda state: _renamed(state, ".hidden"), "name"),
        (lambda state: _sized(state, 10**15), "at most"),
        (lambda state: _sized(state, -1), "at most"),
    ],
    ids=["unsigned", "forged", "replayed", "emptied", "doubled", "escaping", "hidden", "endless", "negative"],
)
def test_a_list_that_the_hub_did_not_sign_for_this_node_and_revision_changes_nothing(
    desk: Desk, change: object, why: str
) -> None:
    desk.put("map", b"first")
    desk.follow()
    desk.put("map", b"second")
    assert callable(change)

    told = desk.follow(change(desk.world.told()))

    assert (desk.content("map"), desk.names) == (b"first", ["map"])
    assert all(state.startswith("failed") and why in state for state in told.values())
    assert not (desk.places.data.parent / "escaped").exists()
    assert desk.follow() == {"map": "applied"}
    assert desk.content("map") == b"second"


def _renamed(state: DesiredState, name: str) -> DesiredState:
    (file,) = state.files
    return msgspec.structs.replace(state, files=(ReferenceFile(name, file.sha256, file.size_bytes),))


def _sized(state: DesiredState, size_bytes: int) -> DesiredState:
    (file,) = state.files
    return msgspec.structs.replace(state, files=(ReferenceFile(file.name, file.sha256, size_bytes),))


def test_bytes_that_are_not_the_signed_ones_are_never_put_in_place_and_not_fetched_for_ever(desk: Desk) -> None:
    desk.put("map", TABLE)
    (listed,) = desk.world.client.files()
    stored = desk.world.hub.hub.artifacts.path(desk.world.hub.hub.artifacts.put(TABLE))
    stored.write_bytes(b"!" * len(TABLE))

    told = desk.follow()
    again = desk.files.align()

    assert listed.size_bytes == len(TABLE)
    assert told["map"].startswith("failed")
    assert (desk.names, again) == ([], True)


def test_what_lies_in_the_way_is_removed_and_nothing_outside_is_touched(desk: Desk) -> None:
    outside = desk.world.directory / "outside"
    outside.write_bytes(b"mine")
    desk.places.files.mkdir(parents=True)
    (desk.places.files / "map").symlink_to(outside)
    (desk.places.files / "leftover").mkdir()
    desk.put("map", b"theirs")

    desk.follow()

    assert (outside.read_bytes(), desk.content("map"), desk.names) == (b"mine", b"theirs", ["map"])
    assert not (desk.places.files / "map").is_symlink()


def test_the_hub_shows_what_is_declared_and_what_a_node_says_of_it(desk: Desk) -> None:
    desk.put("map", b"first", "site", "north")

    (declared,) = desk.world.client.files()
    (of_node,) = desk.world.client.node_files("gate")

    assert (declared.scope, declared.target, declared.name, declared.put_by) == ("site", "north", "map", "admin")
    assert (of_node.name, of_node.state) == ("map", "waiting")


@pytest.mark.parametrize(
    ("scope", "target", "name"), [("group", "nobody", "map"), ("node", "nobody", "map"), ("fleet", "", "no-such-file")]
)
def test_whom_nobody_knows_gets_nothing(desk: Desk, scope: str, target: str, name: str) -> None:
    if scope == "fleet":
        with pytest.raises(NotFound):
            desk.world.client.remove_file(scope, target, name)
        return
    with pytest.raises(NotFound):
        desk.put(name, b"x", scope, target)
