"""What the hub holds of large samples before their records come: on a real disk, with limits small enough to meet."""

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ganglion.adapters.content_files import ContentFiles
from ganglion.core.delivery_errors import ContentMissing
from ganglion.core.errors import DiskUnusable, InvalidName, InvalidRequest, TooLarge
from ganglion.hub.services.records.ingest import UNREADABLE_EVENT, Ingest
from ganglion.hub.services.samples.sample_contents import ContentLimits, SampleContents
from ganglion.ports.telemetry_store import SampleRow
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryTelemetryStore
from ganglion.wire import sample_parting
from ganglion.wire.records import Envelope
from ganglion.wire.sample_parting import Parted
from unit.hub.records import batch, envelope, result, sample

NODE = "n1"
DAY_S = 86_400.0
LIMITS = ContentLimits(content_bytes_max=2000, node_bytes_max=5000, node_partials_max=2, joined_bytes_max=6000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "samples"


@pytest.fixture
def contents(root: Path, clock: FakeClock) -> SampleContents:
    return SampleContents(store=ContentFiles(root), clock=clock, limits=LIMITS)


@pytest.fixture
def store() -> MemoryTelemetryStore:
    return MemoryTelemetryStore()


@pytest.fixture
def ingest(store: MemoryTelemetryStore, clock: FakeClock, contents: SampleContents) -> Ingest:
    return Ingest(telemetry=store, clock=clock, joined=contents.joined)


def noise(size_bytes: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).bytes(size_bytes)


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def whole_sample(seq: int = 1, *, size_bytes: int = 1000) -> Envelope:
    return envelope(seq, sample(np.frombuffer(noise(size_bytes, seq), np.uint8).reshape(1, -1)))


def parted(whole: Envelope) -> tuple[Envelope, Parted]:
    found = sample_parting.part(whole.payload, inline_bytes_max=100)
    assert found is not None
    return msgspec.structs.replace(whole, payload=found.payload), found


def bring(contents: SampleContents, data: bytes, *, node: str = NODE, step: int = 300) -> None:
    for offset in range(0, len(data), step):
        contents.take(node, digest_of(data), data[offset : offset + step], offset=offset, size_bytes=len(data))


def samples_in(store: MemoryTelemetryStore) -> Sequence[SampleRow]:
    with store.read() as tx:
        return tx.samples()


def test_a_record_by_content_is_stored_as_the_inline_one_would_be(
    ingest: Ingest, contents: SampleContents, store: MemoryTelemetryStore, clock: FakeClock
) -> None:
    record, part = parted(whole_sample())
    bring(contents, part.content)
    inline = MemoryTelemetryStore()

    ingest.store(NODE, batch([record]))
    Ingest(telemetry=inline, clock=clock).store(NODE, batch([whole_sample()]))

    assert len(samples_in(store)) == 1
    assert samples_in(store) == samples_in(inline)


def test_a_record_without_its_content_stores_nothing_of_the_batch(
    ingest: Ingest, contents: SampleContents, store: MemoryTelemetryStore
) -> None:
    record, part = parted(whole_sample(2))
    sent = batch([envelope(1, result()), record])

    with pytest.raises(ContentMissing):
        ingest.store(NODE, sent)
    with store.read() as tx:
        cursor = tx.cursor(NODE, "e1")
    bring(contents, part.content)

    assert cursor is None
    assert ingest.store(NODE, sent).cursor == 2


def test_a_batch_whose_answer_was_lost_may_come_again_in_either_form(
    ingest: Ingest, contents: SampleContents, store: MemoryTelemetryStore
) -> None:
    record, part = parted(whole_sample())
    bring(contents, part.content)
    ingest.store(NODE, batch([record]))

    acks = [ingest.store(NODE, batch([each])).cursor for each in (record, whole_sample())]

    assert acks == [1, 1]
    assert len(samples_in(store)) == 1


def test_a_record_that_lies_about_its_content_blocks_no_other(
    ingest: Ingest, contents: SampleContents, store: MemoryTelemetryStore
) -> None:
    data = noise(500)
    bring(contents, data)
    record, _ = parted(whole_sample())
    lie = msgspec.structs.replace(record, payload=msgspec.msgpack.encode([digest_of(data), 700, b"a", b"b"]))
    nonsense = msgspec.structs.replace(record, seq=2, payload=msgspec.msgpack.encode(["../../etc", 700, b"", b""]))

    ack = ingest.store(NODE, batch([lie, nonsense, envelope(3, result())]))

    with store.read() as tx:
        told = [event.name for event in tx.events()]
    assert ack.cursor == 3
    assert told == [UNREADABLE_EVENT] * 2
    assert not samples_in(store)


def test_a_batch_that_grows_beyond_its_limit_is_refused_before_anything_is_read(
    ingest: Ingest, contents: SampleContents
) -> None:
    record, part = parted(whole_sample())
    bring(contents, part.content)
    many = [msgspec.structs.replace(record, seq=seq) for seq in range(1, 10)]

    with pytest.raises(TooLarge):
        ingest.store(NODE, batch(many))


def test_a_node_goes_on_where_the_hub_stopped_also_after_its_restart(
    root: Path, contents: SampleContents, clock: FakeClock
) -> None:
    data = noise(1000)
    contents.take(NODE, digest_of(data), data[:300], offset=0, size_bytes=1000)

    after = SampleContents(store=ContentFiles(root), clock=clock, limits=LIMITS)
    held = after.held(NODE, digest_of(data))
    misplaced = after.take(NODE, digest_of(data), data[500:], offset=500, size_bytes=1000)
    whole = after.take(NODE, digest_of(data), data[300:], offset=300, size_bytes=1000)

    assert [each.held_bytes for each in (held, misplaced, whole)] == [300, 300, 1000]
    assert [each.is_complete for each in (held, misplaced, whole)] == [False, False, True]


def test_a_piece_that_comes_twice_is_written_once(contents: SampleContents) -> None:
    data = noise(600)
    for _ in range(3):
        contents.take(NODE, digest_of(data), data[:300], offset=0, size_bytes=600)

    assert contents.take(NODE, digest_of(data), data[300:], offset=300, size_bytes=600).is_complete


def test_one_flipped_byte_is_refused_and_all_of_it_thrown_away(root: Path, contents: SampleContents) -> None:
    data = noise(1000)
    flipped = bytes([data[0] ^ 1]) + data[1:300]
    contents.take(NODE, digest_of(data), flipped, offset=0, size_bytes=1000)

    with pytest.raises(InvalidRequest, match="another digest"):
        contents.take(NODE, digest_of(data), data[300:], offset=300, size_bytes=1000)

    assert contents.held(NODE, digest_of(data)).held_bytes == 0
    assert [file for file in root.rglob("*") if file.is_file()] == []


def test_a_hub_that_was_killed_before_it_checked_the_last_piece_checks_it_at_the_next_call(
    root: Path, contents: SampleContents
) -> None:
    data = noise(1000)
    (root / NODE).mkdir(parents=True)
    (root / NODE / f"{digest_of(data)}.part").write_bytes(data)
    before = contents.held(NODE, digest_of(data))

    after = contents.take(NODE, digest_of(data), b"", offset=1000, size_bytes=1000)

    assert (before.is_complete, after.is_complete) == (False, True)


def test_content_that_the_disk_has_damaged_counts_as_missing_and_may_come_again(
    root: Path, ingest: Ingest, contents: SampleContents
) -> None:
    record, part = parted(whole_sample())
    bring(contents, part.content)
    (root / NODE / part.sha256).write_bytes(b"\0" * len(part.content))

    with pytest.raises(ContentMissing):
        ingest.store(NODE, batch([record]))
    bring(contents, part.content)

    assert ingest.store(NODE, batch([record])).cursor == 1


def test_a_disk_that_takes_no_more_keeps_what_was_there(root: Path, clock: FakeClock) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    data = noise(600)
    full = SampleContents(store=ContentFiles(root, sync=refuse), clock=clock, limits=LIMITS)
    full.take(NODE, digest_of(data), data[:300], offset=0, size_bytes=600)
    with pytest.raises(DiskUnusable):
        full.take(NODE, digest_of(data), data[300:], offset=300, size_bytes=600)

    freed = SampleContents(store=ContentFiles(root), clock=clock, limits=LIMITS)

    assert freed.held(NODE, digest_of(data)).held_bytes == 600
    assert freed.take(NODE, digest_of(data), b"", offset=600, size_bytes=600).is_complete


def test_nothing_is_taken_while_the_disk_has_too_little_room(root: Path, clock: FakeClock) -> None:
    limits = msgspec.structs.replace(LIMITS, disk_free_bytes_min=10)
    contents = SampleContents(store=ContentFiles(root), clock=clock, limits=limits, free_bytes=lambda: 9)

    with pytest.raises(DiskUnusable):
        bring(contents, noise(100))


def test_no_node_sees_or_uses_what_another_one_sent(ingest: Ingest, contents: SampleContents) -> None:
    record, part = parted(whole_sample())
    bring(contents, part.content)

    assert contents.held("n2", part.sha256).held_bytes == 0
    with pytest.raises(ContentMissing):
        ingest.store("n2", batch([record]))


def test_content_beyond_the_limit_is_refused_and_more_bytes_than_announced_are_thrown_away(
    contents: SampleContents,
) -> None:
    data = noise(1000)

    with pytest.raises(TooLarge):
        contents.take(NODE, digest_of(data), data, offset=0, size_bytes=2001)
    with pytest.raises(InvalidRequest):
        contents.take(NODE, digest_of(data), data, offset=0, size_bytes=999)
    with pytest.raises(InvalidName):
        contents.take(NODE, "../control.db", data, offset=0, size_bytes=1000)


def test_a_node_that_leaves_more_than_it_may_loses_what_it_used_least_recently(
    contents: SampleContents, clock: FakeClock
) -> None:
    first, *others = [noise(1000, seed) for seed in range(6)]
    for data in (first, *others[:4]):
        bring(contents, data)
        clock.advance(1)
    bring(contents, first)
    clock.advance(1)

    bring(contents, others[4])

    held = [contents.held(NODE, digest_of(data)).is_complete for data in (first, *others)]
    assert held == [True, False, True, True, True, True]


def test_of_many_contents_on_their_way_only_the_latest_are_continued(
    contents: SampleContents, clock: FakeClock
) -> None:
    begun = [noise(1000, seed) for seed in range(3)]
    for data in begun:
        contents.take(NODE, digest_of(data), data[:10], offset=0, size_bytes=1000)
        clock.advance(1)

    assert [contents.held(NODE, digest_of(data)).held_bytes for data in begun] == [0, 10, 10]


def test_what_nobody_used_for_days_goes_and_what_was_used_stays(
    root: Path, contents: SampleContents, clock: FakeClock
) -> None:
    old, used = noise(100, 1), noise(100, 2)
    bring(contents, old)
    bring(contents, used, node="n2")
    clock.advance(5 * DAY_S)
    bring(contents, used, node="n2")
    clock.advance(3 * DAY_S)

    contents.remove_old()

    assert not contents.held(NODE, digest_of(old)).held_bytes
    assert contents.held("n2", digest_of(used)).is_complete
    assert [folder.name for folder in root.iterdir()] == ["n2"]


def test_two_that_send_the_same_at_the_same_time_leave_one_whole_content(contents: SampleContents) -> None:
    data = noise(2000)

    def send() -> None:
        held = contents.held(NODE, digest_of(data))
        while not held.is_complete:
            at = held.held_bytes
            held = contents.take(NODE, digest_of(data), data[at : at + 7], offset=at, size_bytes=len(data))

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert contents.held(NODE, digest_of(data)).is_complete
