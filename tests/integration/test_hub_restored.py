"""A hub whose data directory was put back from an older copy, while its nodes went on."""

import shutil
from dataclasses import replace
from pathlib import Path

from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.wire import codec, paths
from ganglion.wire.desired import DesiredState
from integration.hub_api_world import CallingNode, ServedHub, make_package, serving


def roll_out(hub: ServedHub, version: str, directory: Path) -> None:
    assert hub.call("POST", paths.RELEASES, body=make_package(directory, version).read_bytes()).status == 201
    started = hub.post(paths.ROLLOUTS, {"model": "digits", "version": version, "stages": ["100%"]}).json
    assert isinstance(started, dict)
    hub.post(paths.rollout(started["rollout_id"], "promote"), {})


def state_of(node: CallingNode) -> DesiredState:
    return codec.decode_json(node.desired(-1, 0).body, DesiredState)


def versions(state: DesiredState) -> list[str]:
    return [assignment.version for assignment in state.assignments]


def test_nodes_follow_a_restored_hub_although_its_revisions_are_older(tmp_path: Path) -> None:
    data, backup = tmp_path / "hub", tmp_path / "backup"
    settings = HubSettings(data_dir=str(data), port=0)
    with serving(settings) as hub:
        account = hub.token
        node = hub.join("gate")
        node.report()
        roll_out(hub, "1", tmp_path)
        before = state_of(node)
    shutil.copytree(data, backup)
    with serving(settings) as newer:
        hub = replace(newer, token=account)
        node.caller = hub
        node.prove()
        roll_out(hub, "2", tmp_path)
        held = state_of(node)
    shutil.rmtree(data)
    shutil.move(backup, data)

    with serving(settings) as hub:
        node.caller = hub
        node.prove()
        root_version = hub.hub.repository.root_version()
        answer = node.desired(held.revision, 0)
        told = codec.decode_json(answer.body, DesiredState)
        again = node.call(
            "GET", f"{paths.DESIRED}?incarnation={told.incarnation}&revision={told.revision + 9}&wait_s=0"
        )

        assert (versions(before), versions(held), versions(told)) == (["1"], ["2"], ["1"])
        assert told.revision < held.revision
        assert told.incarnation != held.incarnation
        # Nodes that saw newer signed metadata are given new keys for it, once.
        assert told.root_version_min == root_version + 1
        # No node can make the hub begin another life as often as it likes.
        assert again.status == 204


def test_nodes_follow_a_restored_hub_that_has_counted_on_beyond_what_they_hold(tmp_path: Path) -> None:
    data, backup = tmp_path / "hub", tmp_path / "backup"
    settings = HubSettings(data_dir=str(data), port=0)
    with serving(settings) as hub:
        account = hub.token
        node = hub.join("gate")
        roll_out(hub, "1", tmp_path)
        # A copy of a hub that goes on: what it gives from now on is forgotten.
        shutil.copytree(data, backup)
        roll_out(hub, "2", tmp_path)
        held = state_of(node)
    shutil.rmtree(data)
    shutil.move(backup, data)

    with serving(settings) as restored:
        node.caller = hub = replace(restored, token=account)
        node.prove()
        for seconds in range(60, 60 + held.revision):
            hub.post(f"{paths.SETTINGS}/nodes/gate", {"set": {"agent.report_s": str(seconds)}})
        told = codec.decode_json(node.desired(held.revision, 0).body, DesiredState)

        assert (versions(held), versions(told)) == (["2"], ["1"])
        assert told.incarnation != held.incarnation


def test_a_restart_of_the_hub_begins_no_other_life(tmp_path: Path) -> None:
    settings = HubSettings(data_dir=str(tmp_path / "hub"), port=0)
    with serving(settings) as hub:
        account = hub.token
        node = hub.join("gate")
        roll_out(hub, "1", tmp_path)
        held = state_of(node)

    for start in range(3):
        with serving(settings) as again:
            node.caller = hub = replace(again, token=account)
            node.prove()
            hub.post(f"{paths.SETTINGS}/nodes/gate", {"set": {"agent.report_s": str(60 + start)}})
            told = codec.decode_json(node.desired(held.revision, 0).body, DesiredState)
            unchanged = node.desired(told.revision, 0)

            assert (told.incarnation, told.revision > held.revision) == (held.incarnation, True)
            assert unchanged.status == 204
            held = told
