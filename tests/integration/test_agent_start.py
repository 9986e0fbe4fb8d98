"""What the agent makes of what it finds on its disk."""

from pathlib import Path

import msgspec
import pytest

from ganglion.core.errors import DataCorrupt
from ganglion.core.identity_errors import NotJoined
from ganglion.entrypoints.node.agent_start import open_link, open_store, read_active, read_state
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.node.domain.update.reconcile import Installed, ModelState, NodeState, begin
from ganglion.node.services.identity import NodeIdentity
from ganglion.node.services.places import Places
from ganglion.ports.serving_control import ActiveModel, ActiveModels
from unit.node.builders import an_assignment

COMMITTED = ActiveModels(models={"meter": ActiveModel("2", "/packages/meter/2", "2" * 64, offline_s_max=60)})


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> NodeSettings:
    return NodeSettings(data_dir=str(tmp_path))


def test_a_damaged_outbox_is_moved_aside_and_a_new_epoch_begins(settings: NodeSettings, places: Places) -> None:
    before = open_store(settings, places)
    epoch = before.figures().epoch
    before.close()
    places.database.write_bytes(b"this was a database" * 500)

    store = open_store(settings, places)

    assert store.figures().epoch != epoch
    (aside,) = places.data.glob("outbox.db.damaged-*")
    assert aside.read_bytes().startswith(b"this was")
    store.close()


def test_a_stored_state_is_read_back(settings: NodeSettings, places: Places) -> None:
    state = NodeState(models={"meter": ModelState(committed=Installed("1", "/p", "1" * 64))})
    store = open_store(settings, places)
    store.save(msgspec.msgpack.encode(state))

    assert read_state(store, COMMITTED) == state
    store.close()


@pytest.mark.parametrize("stored", [None, b"\xc1 no state at all"])
def test_a_state_that_was_lost_is_what_serving_starts_from(
    settings: NodeSettings, places: Places, stored: bytes | None
) -> None:
    store = open_store(settings, places)
    if stored is not None:
        store.save(stored)

    state = read_state(store, COMMITTED)

    model = state.models["meter"]
    assert model.committed == Installed("2", "/packages/meter/2", "2" * 64, offline_s_max=60)
    # The hub's wish for the same bytes is fulfilled: nothing is tried on the node's clients once more.
    assert begin(model, an_assignment("2")) is model
    store.close()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b'{"models": 3}'])
def test_a_start_up_file_that_cannot_be_read_counts_as_none(places: Places, content: bytes) -> None:
    places.active.write_bytes(content)

    assert read_active(places.active) == ActiveModels()


def test_a_start_up_file_that_is_no_file_counts_as_none(places: Places) -> None:
    places.active.mkdir()

    assert read_active(places.active) == ActiveModels()


def test_a_missing_key_is_named_with_what_to_do(settings: NodeSettings, places: Places) -> None:
    with pytest.raises(NotJoined):
        open_link(settings, places)
    identity = NodeIdentity(node_id="n", name="gate", site="porto", hub_url="https://127.0.0.1:1", ca_pin="0" * 64)
    places.identity.write_bytes(msgspec.json.encode(identity))

    with pytest.raises(DataCorrupt, match=r"node\.key.*join again"):
        open_link(settings, places)
