"""Settings, commands, samples and the hub's own status over HTTP, as people and nodes use them."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ganglion.entrypoints.settings.hub import HttpSettings, HubSettings, RecordsSettings
from ganglion.wire import codec, paths
from ganglion.wire.desired import DesiredState
from ganglion.wire.records import Batch, RecordClass
from integration.hub_api_world import ServedHub, make_sample, serving

SLOW = RecordsSettings(batches_at_once_max=1)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ServedHub]:
    with serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0)) as running:
        yield running


def put(**values: str) -> dict[str, object]:
    return {"set": {f"collection.{key}": value for key, value in values.items()}}


def test_a_setting_reaches_the_node_that_asks_and_is_explained(hub: ServedHub) -> None:
    node = hub.join("gate-1", site="north")

    hub.post(f"{paths.SETTINGS}/fleet", put(random_share="0.1"))
    hub.post(f"{paths.SETTINGS}/sites/north", put(random_share="0.2"))
    answer = hub.post(f"{paths.SETTINGS}/nodes/gate-1", {"set": {"agent.log_level": "debug"}})

    state = codec.decode_json(node.call("GET", paths.DESIRED).body, DesiredState)
    assert answer.json == {"scope": "node", "name": "gate-1", "settings": {"agent.log_level": '"debug"'}}
    assert (state.collection.random_share, state.agent.log_level) == (0.2, "debug")
    view = hub.call("GET", paths.node("gate-1", "settings")).json
    assert isinstance(view, dict)
    line = next(each for each in view["settings"] if each["key"] == "collection.random_share")
    assert (line["value"], line["source"]) == ("0.2", "site north")
    assert line["overrides"] == ["fleet: 0.1", "default: 0.02"]


def test_a_command_reaches_the_node_and_can_be_looked_at(hub: ServedHub) -> None:
    node = hub.join("gate-1")

    given = hub.post(paths.node("gate-1", "commands"), {"name": "collect", "count": 3})

    state = codec.decode_json(node.call("GET", paths.DESIRED).body, DesiredState)
    assert given.status == 201
    assert [(each.name, each.count) for each in state.commands] == [("collect", 3)]
    listed = hub.call("GET", paths.node("gate-1", "commands")).json
    assert isinstance(listed, list)
    assert [each["state"] for each in listed] == ["waiting"]


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (f"{paths.SETTINGS}/fleet", {"set": {"collection.random_share": "2"}}),
        (f"{paths.SETTINGS}/fleet", {"set": {"nothing": "2"}}),
        (f"{paths.SETTINGS}/nodes/gate-1", {"set": ["collection.random_share"]}),
        (f"{paths.SETTINGS}/sites/..%2fx", {"set": {}}),
        (paths.node("gate-1", "commands"), {"name": "reboot"}),
        (paths.node("gate-1", "commands"), {"name": "collect", "count": 1e99}),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(hub: ServedHub, path: str, document: dict[str, object]) -> None:
    hub.join("gate-1")

    answer = hub.post(path, document)

    assert answer.status in {400, 404}, answer.body


def test_the_hub_tells_how_it_is_doing(hub: ServedHub) -> None:
    status = hub.call("GET", paths.STATUS).json

    assert isinstance(status, dict)
    assert status["takes_records"] is True
    assert status["disk_free_bytes"] > status["disk_free_bytes_min"]
    metrics = hub.call("GET", "/metrics").body.decode()
    assert "ganglion_telemetry_bytes" in metrics
    assert "ganglion_disk_free_bytes" in metrics


def test_a_sample_is_shown_by_its_id_and_samples_are_listed_in_pages(hub: ServedHub) -> None:
    node = hub.join("gate-1")
    node.send(*[(RecordClass.SAMPLE, make_sample())] * 3)
    listed = hub.call("GET", f"{paths.SAMPLES}?limit=2").json
    assert isinstance(listed, list)

    rest = hub.call("GET", f"{paths.SAMPLES}?before={listed[-1]['sample_id']}").json
    one = hub.call("GET", f"{paths.SAMPLES}/{listed[0]['sample_id']}").json

    assert isinstance(rest, list)
    assert len({each["sample_id"] for each in [*listed, *rest]}) == 3
    assert one == listed[0]
    assert hub.call("GET", f"{paths.SAMPLES}/nothing").status == 404
    assert hub.call("GET", f"{paths.SAMPLES}?before=nothing").status == 404


def test_a_disk_without_room_takes_no_records_but_decisions(tmp_path: Path) -> None:
    settings = HubSettings(data_dir=str(tmp_path / "hub"), port=0, records=RecordsSettings(disk_free_bytes_min=2**60))
    with serving(settings) as hub:
        node = hub.join("gate-1")

        answer = node.call("POST", paths.BATCHES, body=_batch())

        assert (answer.status, answer.code) == (507, "disk_unusable")
        status = hub.call("GET", paths.STATUS).json
        assert isinstance(status, dict)
        assert status["takes_records"] is False
        assert hub.post(f"{paths.SETTINGS}/fleet", put(random_share="0.1")).status == 200
        with hub.hub.world.telemetry.read() as tx:
            assert list(tx.cursors()) == []


def test_a_node_that_comes_on_top_is_told_when_to_come_again_and_loses_nothing(tmp_path: Path) -> None:
    settings = HubSettings(data_dir=str(tmp_path / "hub"), port=0, records=SLOW, http=HttpSettings(drain_s=1))
    with serving(settings) as hub:
        node, other = hub.join("gate-1"), hub.join("gate-2")
        with hub.hub.world.telemetry.write():
            # While this transaction lasts, whoever stores a batch waits.
            first = threading.Thread(target=node.call, args=("POST", paths.BATCHES), kwargs={"body": _batch()})
            first.start()
            while hub.hub.gate.inside < 1:
                first.join(0.01)
            refused = other.call("POST", paths.BATCHES, body=_batch())
        first.join()

        assert (refused.status, refused.code) == (429, "hub_busy")
        assert 1 <= int(refused.headers["retry-after"]) <= 300
        assert other.call("POST", paths.BATCHES, body=_batch()).status == 200
        with hub.hub.world.telemetry.read() as tx:
            assert {row.node_id for row in tx.cursors()} == {node.identity.node_id, other.identity.node_id}


def _batch() -> bytes:
    batch = Batch(id="b", sent_at_ns=0, epoch="e1", records=(), made=1)
    return codec.compress(msgspec.msgpack.encode(batch))
