"""Large samples over a line that breaks, to a hub that dies: what has arrived is not sent again, and counts once."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import numpy as np
import pytest

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.core.errors import GanglionError, HubUnreachable, InvalidRequest, NotFound
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.node.services.sending.sample_uploads import SampleUploads
from ganglion.testing.relay import Quality, ThreadedRelay
from ganglion.wire import codec
from ganglion.wire.records import Batch, ContentHeld, SampleByContent, is_map
from integration.hub_api_world import serving
from integration.upload_world import LARGE_BYTES, OVERHEAD, Uploading
from unit.hub.records import batch, envelope, sample


@pytest.fixture
def settings(tmp_path: Path) -> HubSettings:
    return HubSettings(data_dir=str(tmp_path / "hub"), port=0)


@pytest.fixture
def world(tmp_path: Path, settings: HubSettings) -> Iterator[Uploading]:
    outbox = SqliteAgentStore(tmp_path / "outbox.db", limits=OutboxLimits(), new_epoch=lambda: "first")
    with serving(settings) as hub, ThreadedRelay("127.0.0.1", urlsplit(hub.url).port or 0) as relay:
        yield Uploading(tmp_path, hub, hub.join("gate"), relay, outbox)
    outbox.close()


def test_a_transfer_that_was_cut_goes_on_and_costs_hardly_more_than_its_size(world: Uploading) -> None:
    world.keep(1)
    world.relay.carry(Quality(bytes_per_s=1_500_000))
    world.drain_until(world.forwarder(), lambda: world.relay.up_bytes > LARGE_BYTES / 2, world.relay.cut)
    world.relay.restore()
    world.relay.carry(Quality())

    anyio.run(world.forwarder().drain)

    assert len(world.stored()) == 1
    assert LARGE_BYTES < world.relay.up_bytes <= LARGE_BYTES * OVERHEAD


def test_the_same_inputs_are_sent_once_however_often_they_were_kept(world: Uploading) -> None:
    world.keep(1, 1, size_bytes=1_000_000)
    world.keep(1, size_bytes=1_000_000)

    anyio.run(world.forwarder().drain)

    assert len(world.stored()) == 3
    assert world.relay.up_bytes <= 1_000_000 * OVERHEAD


def test_what_arrived_before_a_hub_died_is_not_sent_again(tmp_path: Path, settings: HubSettings) -> None:
    outbox = SqliteAgentStore(tmp_path / "outbox.db", limits=OutboxLimits(), new_epoch=lambda: "first")
    with serving(settings) as hub, ThreadedRelay("127.0.0.1", urlsplit(hub.url).port or 0) as relay:
        first = Uploading(tmp_path, hub, hub.join("gate"), relay, outbox)
        first.keep(1)
        relay.carry(Quality(bytes_per_s=1_500_000))
        first.drain_until(first.forwarder(), lambda: relay.up_bytes > LARGE_BYTES / 2, relay.cut)
        sent_bytes = relay.up_bytes
    with serving(settings) as hub, ThreadedRelay("127.0.0.1", urlsplit(hub.url).port or 0) as relay:
        second = Uploading(tmp_path, dataclasses.replace(hub, token=first.hub.token), first.node, relay, outbox)

        anyio.run(second.forwarder().drain)

        assert len(second.stored()) == 1
        assert sent_bytes + relay.up_bytes <= LARGE_BYTES * OVERHEAD
    outbox.close()


def test_what_a_link_carries_for_contents_counts_with_what_records_cost(world: Uploading) -> None:
    world.keep(1)
    forwarder = world.forwarder()

    anyio.run(forwarder.drain)

    assert forwarder.spent.month_bytes >= LARGE_BYTES


def test_a_sample_that_came_by_content_is_read_and_labelled_like_any_other(world: Uploading) -> None:
    world.keep(1, size_bytes=200_000)
    anyio.run(world.forwarder().drain)

    (sample_id,) = world.stored()
    answer = world.hub.call("GET", f"/api/v1/samples/{sample_id}").json

    assert isinstance(answer, dict)
    assert answer["inputs"]["image"]["shape"] == [1, 200_000]


@dataclasses.dataclass(slots=True)
class ScriptedHub:
    """Answers questions about contents as it is told, and remembers what it was asked."""

    answers: list[ContentHeld | GanglionError]
    puts: list[tuple[int, int]] = dataclasses.field(default_factory=list)

    def content_held(self, sha256: str) -> ContentHeld:
        assert len(sha256) == 64
        return self._next()

    def put_content(self, sha256: str, piece: bytes, *, offset: int, size_bytes: int) -> ContentHeld:
        assert len(sha256) == 64
        assert offset + len(piece) <= size_bytes
        self.puts.append((offset, len(piece)))
        return self._next()

    def _next(self) -> ContentHeld:
        answer = self.answers.pop(0)
        if isinstance(answer, GanglionError):
            raise answer
        return answer


def hand_over(hub: ScriptedHub, sent: Batch) -> Batch:
    return anyio.run(functools.partial(SampleUploads(hub).hand_over, sent))


def noisy_batch(size_bytes: int = 200_000) -> Batch:
    noise = np.random.default_rng(1).integers(0, 256, (1, size_bytes), dtype=np.uint8)
    return batch([envelope(1, sample(noise))])


def test_a_hub_that_lost_a_part_is_sent_it_again_from_there() -> None:
    hub = ScriptedHub(
        [ContentHeld(100_000), ContentHeld(0), ContentHeld(131_072), ContentHeld(200_000, is_complete=True)]
    )

    sent = hand_over(hub, noisy_batch())

    assert [offset for offset, _ in hub.puts] == [100_000, 0, 131_072]
    assert not is_map(sent.records[0].payload)
    assert codec.decode_packed(sent.records[0].payload, SampleByContent).size_bytes > 200_000


@pytest.mark.parametrize("held_bytes", [0, -1, 1 << 60], ids=["never any more", "less than nothing", "more than all"])
def test_a_hub_that_talks_nonsense_does_not_keep_a_node_busy_for_ever(held_bytes: int) -> None:
    hub = ScriptedHub([ContentHeld(held_bytes)] * 20)

    with pytest.raises(HubUnreachable):
        hand_over(hub, noisy_batch())

    assert len(hub.puts) <= 3


def test_a_hub_of_an_earlier_release_gets_samples_inside_their_records() -> None:
    hub = ScriptedHub([NotFound("there is nothing at /api/v1/node/samples")])
    whole = noisy_batch()

    assert hand_over(hub, whole) == whole


def test_a_refusal_of_content_is_a_refusal_of_its_batch() -> None:
    hub = ScriptedHub([ContentHeld(0), InvalidRequest("another digest")])

    with pytest.raises(InvalidRequest):
        hand_over(hub, noisy_batch())


def test_a_hub_that_takes_a_byte_of_each_piece_is_not_fed_for_ever() -> None:
    hub = ScriptedHub([ContentHeld(taken) for taken in range(50)])

    with pytest.raises(HubUnreachable):
        hand_over(hub, noisy_batch())

    assert len(hub.puts) <= 3


def test_small_samples_cost_no_question() -> None:
    small = noisy_batch(1000)

    assert hand_over(ScriptedHub([]), small) == small
