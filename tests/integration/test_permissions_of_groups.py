"""A role for a group of nodes, by call: docs/reference/permissions.md says what comes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.wire import paths
from ganglion.wire.records import EventRecord, RecordClass
from integration.hub_api_world import CallingNode, ServedHub, make_package, make_sample, serving
from integration.permission_table import Row, ask, callers, rows

PAGE_ROWS = rows("An operator of a group")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("groups")


@pytest.fixture(scope="module")
def hub(directory: Path) -> Iterator[ServedHub]:
    with serving(HubSettings(data_dir=str(directory / "hub"), port=0)) as served:
        served.call("POST", paths.RELEASES, body=make_package(directory).read_bytes())
        yield served


@pytest.fixture(scope="module")
def tokens(hub: ServedHub) -> dict[str, str]:
    return callers(hub)


@pytest.fixture(scope="module")
def rollout_id(hub: ServedHub, tokens: dict[str, str]) -> str:
    return str(started(hub)["rollout_id"])


def started(hub: ServedHub) -> dict[str, object]:
    rollout = hub.post(paths.ROLLOUTS, {"model": "digits", "version": "1", "stages": ["100%"]}).json
    assert isinstance(rollout, dict)
    return rollout


@pytest.mark.parametrize("row", PAGE_ROWS, ids=lambda row: row.subject)
def test_a_call_is_answered_as_the_table_says(
    hub: ServedHub, tokens: dict[str, str], rollout_id: str, directory: Path, row: Row
) -> None:
    told = {
        caller: ask(hub, row.subject, tokens[caller], rollout_id, directory / "digits-1.ganglion")
        for caller in row.expected
    }

    assert told == row.expected


@pytest.fixture(scope="module")
def two_lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServedHub, str]]:
    """A hub with a node on line 3 and one on line 4, and the token of an operator of line 3."""
    directory = tmp_path_factory.mktemp("lines")
    with serving(HubSettings(data_dir=str(directory / "hub"), port=0)) as served:
        served.call("POST", paths.RELEASES, body=make_package(directory).read_bytes())
        for line in ("3", "4"):
            tell(served.join(f"press-{line}"))
            served.post(paths.NODE_ACTIONS, {"action": "label", "nodes": [f"press-{line}"], "labels": {"line": line}})
        served.post(f"{paths.GROUPS}/line-3", {"select": "line=3"})
        reply = served.post(paths.ACCOUNTS, {"name": "rui", "role": "operator", "sites": ["group:line-3"]}).json
        assert isinstance(reply, dict)
        started(served)
        yield served, reply["token"]


def tell(node: CallingNode) -> None:
    node.report()
    node.send((RecordClass.EVENT, EventRecord(name="update.committed")), (RecordClass.SAMPLE, make_sample()))


def seen(world: tuple[ServedHub, str], path: str) -> list[dict[str, object]]:
    hub, token = world
    answer = hub.call("GET", path, token=token)
    assert answer.status == 200, answer.body
    assert isinstance(answer.json, list)
    return answer.json


def test_lists_show_an_operator_of_a_group_its_nodes_alone(two_lines: tuple[ServedHub, str]) -> None:
    assert [node["name"] for node in seen(two_lines, paths.NODES)] == ["press-3"]
    assert {event["node"] for event in seen(two_lines, paths.EVENTS)} == {"press-3"}
    assert {sample["node"] for sample in seen(two_lines, paths.SAMPLES)} == {"press-3"}


def test_a_rollout_shows_an_operator_of_a_group_its_nodes_alone(two_lines: tuple[ServedHub, str]) -> None:
    (rollout,) = seen(two_lines, paths.ROLLOUTS)

    stages = rollout["stages"]
    assert isinstance(stages, list)
    assert [stage["nodes"] for stage in stages] == [["press-3"]]


def test_an_operator_of_a_group_acts_on_its_nodes_alone(two_lines: tuple[ServedHub, str]) -> None:
    hub, token = two_lines

    everybody = hub.post(paths.NODE_ACTIONS, {"action": "rekey", "select": ""}, token=token).json
    another = hub.post(paths.NODE_ACTIONS, {"action": "rekey", "nodes": ["press-4"]}, token=token)

    assert isinstance(everybody, dict)
    assert [line["node"] for line in everybody["nodes"]] == ["press-3"]
    assert another.code == "forbidden"


def test_a_node_that_gets_the_label_is_the_operators_at_once(two_lines: tuple[ServedHub, str]) -> None:
    hub, token = two_lines
    before = hub.call("GET", f"{paths.NODES}/press-4", token=token)

    hub.post(paths.NODE_ACTIONS, {"action": "label", "nodes": ["press-4"], "labels": {"line": "3"}})

    assert before.status == 403
    assert hub.call("GET", f"{paths.NODES}/press-4", token=token).status == 200


def test_an_operator_of_a_group_cannot_change_who_is_in_it(two_lines: tuple[ServedHub, str]) -> None:
    hub, token = two_lines

    assert hub.post(f"{paths.GROUPS}/line-3", {"select": ""}, token=token).code == "forbidden"


def test_an_operator_of_a_group_rolls_out_to_it_and_not_to_the_fleet_even_when_nobody_else_is_in_it(
    two_lines: tuple[ServedHub, str],
) -> None:
    hub, token = two_lines
    wish = {"model": "digits", "version": "1", "stages": ["100%"]}

    whole = hub.post(paths.ROLLOUT_PLAN, wish, token=token)
    theirs = hub.post(paths.ROLLOUT_PLAN, {**wish, "to": "group:line-3"}, token=token)

    assert (whole.code, theirs.status) == ("forbidden", 200)


def declared(kind: str, name: str, **spec: object) -> dict[str, object]:
    return {"resources": [{"api_version": "ganglion/v1", "kind": kind, "name": name, "spec": spec}]}


def test_an_operator_of_a_group_declares_for_it_and_takes_nothing_from_others(
    two_lines: tuple[ServedHub, str],
) -> None:
    hub, token = two_lines
    quiet = {"agent.report_s": "30"}
    hub.post(f"{paths.GROUPS}/line-4", {"select": "line=4"})
    hub.post(paths.APPLY, declared("Settings", "quiet", scope="group:line-4", settings=quiet))

    taken = hub.post(paths.APPLY, declared("Settings", "quiet", scope="group:line-3", settings=quiet), token=token)
    own = hub.post(paths.APPLY, declared("Settings", "own", scope="group:line-3", settings=quiet), token=token)
    # A rollout of the model runs, so that this one would only be written down for now.
    fleet = hub.post(paths.APPLY, declared("Assignment", "all", model="digits", version="1"), token=token)

    assert (taken.code, own.status, fleet.code) == ("forbidden", 200, "forbidden")
