import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganglion.adapters.journal import JournalLimits, JournalReader, JournalWriter
from ganglion.core.errors import DataInUse, DiskUnusable
from ganglion.ports.agent_store import JournalPosition, NewRecord
from ganglion.wire.records import RecordClass

START = JournalPosition()
RESULT = RecordClass.RESULT
SECOND_NS = 1_000_000_000


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def writer(directory: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(directory)
    yield writer
    writer.close()


@pytest.fixture
def reader(directory: Path) -> JournalReader:
    return JournalReader(directory)


def append(writer: JournalWriter, *payloads: bytes, record_class: RecordClass = RESULT) -> list[bool]:
    return [writer.append(record_class, 7, payload) for payload in payloads]


def payloads(reader: JournalReader, position: JournalPosition = START, *, limit: int = 100) -> list[bytes]:
    return [record.payload for record in reader.read(position, limit=limit).records]


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.journal"))


def restarted(writer: JournalWriter, directory: Path) -> JournalWriter:
    writer.close()
    return JournalWriter(directory)


def test_records_come_back_in_order_with_class_and_time(writer: JournalWriter, reader: JournalReader) -> None:
    writer.append(RecordClass.RESULT, 5, b"one")
    writer.append(RecordClass.SAMPLE, 6, b"two")

    assert reader.read(START, limit=10).records == [
        NewRecord(RecordClass.RESULT, 5, b"one"),
        NewRecord(RecordClass.SAMPLE, 6, b"two"),
    ]


def test_reading_on_from_a_stored_position_repeats_nothing(writer: JournalWriter, reader: JournalReader) -> None:
    append(writer, b"a", b"b", b"c")
    first = reader.read(START, limit=2)
    append(writer, b"d")

    rest = reader.read(first.position, limit=10)

    assert [r.payload for r in first.records] == [b"a", b"b"]
    assert [r.payload for r in rest.records] == [b"c", b"d"]
    assert payloads(reader, rest.position) == []


def test_a_journal_that_was_never_written_is_empty(reader: JournalReader) -> None:
    assert reader.read(START, limit=10).records == []
    assert reader.shed() == {}


def test_every_start_begins_a_segment_and_the_reader_goes_from_one_to_the_next(
    writer: JournalWriter, reader: JournalReader, directory: Path
) -> None:
    append(writer, b"a")
    writer = restarted(writer, directory)
    append(writer, b"b")
    writer.close()

    assert len(segments(directory)) == 2
    assert payloads(reader) == [b"a", b"b"]


def test_half_a_record_at_the_end_means_wait(writer: JournalWriter, reader: JournalReader, directory: Path) -> None:
    append(writer, b"whole", b"half")
    (segment,) = segments(directory)
    data = segment.read_bytes()

    for size in range(len(data) - 20, len(data)):
        segment.write_bytes(data[:size])
        chunk = reader.read(START, limit=10)
        assert [record.payload for record in chunk.records] == [b"whole"]
        assert chunk.torn == 0
    segment.write_bytes(data)

    assert payloads(reader, chunk.position) == [b"half"]


def test_half_a_record_before_a_restart_is_passed_over_and_counted(
    writer: JournalWriter, reader: JournalReader, directory: Path
) -> None:
    append(writer, b"whole", b"half")
    (segment,) = segments(directory)
    segment.write_bytes(segment.read_bytes()[:-2])
    writer = restarted(writer, directory)
    append(writer, b"next")
    writer.close()

    chunk = reader.read(START, limit=10)

    assert [record.payload for record in chunk.records] == [b"whole", b"next"]
    assert chunk.torn == 1


def test_zeros_after_a_power_cut_are_passed_over(writer: JournalWriter, reader: JournalReader, directory: Path) -> None:
    append(writer, b"whole")
    with segments(directory)[0].open("ab") as segment:
        segment.write(bytes(5000))
    writer = restarted(writer, directory)
    append(writer, b"next")
    writer.close()

    chunk = reader.read(START, limit=10)

    assert [record.payload for record in chunk.records] == [b"whole", b"next"]
    assert chunk.torn == 1


def test_a_flipped_bit_costs_one_record(writer: JournalWriter, reader: JournalReader, directory: Path) -> None:
    append(writer, b"first", b"second", b"third")
    (segment,) = segments(directory)
    segment.write_bytes(segment.read_bytes().replace(b"second", b"sEcond"))
    restarted(writer, directory).close()

    chunk = reader.read(START, limit=10)

    assert [record.payload for record in chunk.records] == [b"first", b"third"]
    assert chunk.torn == 1


def test_a_full_segment_is_followed_by_another(directory: Path, reader: JournalReader) -> None:
    writer = JournalWriter(directory, JournalLimits(segment_bytes_max=200))
    sent = [f"{number:04d}".encode() * 10 for number in range(30)]
    append(writer, *sent)
    writer.close()

    assert len(segments(directory)) > 5
    assert payloads(reader) == sent


def test_what_the_reader_is_done_with_is_freed_but_never_the_newest(directory: Path, reader: JournalReader) -> None:
    writer = JournalWriter(directory, JournalLimits(segment_bytes_max=200))
    append(writer, *[b"x" * 100] * 10)
    behind = reader.read(START, limit=100).position

    reader.discard_before(behind)
    reader.discard_before(JournalPosition(10**6, 0))

    assert len(segments(directory)) == 1
    append(writer, b"later")
    writer.close()
    assert payloads(reader, behind) == [b"later"]


def test_a_restart_never_uses_a_number_again(writer: JournalWriter, reader: JournalReader, directory: Path) -> None:
    append(writer, b"a")
    behind = reader.read(START, limit=10).position
    reader.discard_before(behind)
    writer = restarted(writer, directory)
    append(writer, b"b")
    writer.close()

    assert payloads(reader, behind) == [b"b"]


def test_a_full_journal_sheds_and_counts_across_restarts(directory: Path, reader: JournalReader) -> None:
    limits = JournalLimits(total_bytes_max=1000)
    writer = JournalWriter(directory, limits)
    taken = append(writer, *[b"x" * 83] * 20)
    writer.close()
    writer = JournalWriter(directory, limits)
    append(writer, b"x" * 83)
    writer.close()

    assert taken == [True] * 10 + [False] * 10
    assert reader.shed() == writer.shed() == {"result": 11}
    assert sum(segment.stat().st_size for segment in segments(directory)) <= 1000


def test_samples_leave_room_for_results(directory: Path) -> None:
    writer = JournalWriter(directory, JournalLimits(total_bytes_max=1000))

    samples = append(writer, *[b"x" * 83] * 8, record_class=RecordClass.SAMPLE)
    results = append(writer, *[b"x" * 83] * 8)
    writer.close()

    assert samples == [True] * 5 + [False] * 3
    assert results == [True] * 5 + [False] * 3


def test_a_journal_that_the_reader_emptied_takes_records_again(directory: Path, reader: JournalReader) -> None:
    writer = JournalWriter(directory, JournalLimits(total_bytes_max=1000))
    append(writer, *[b"x" * 83] * 20)

    reader.discard_before(reader.read(START, limit=100).position)

    assert not writer.append(RESULT, 7, b"at once: nobody looked yet")
    assert writer.append(RESULT, 7 + SECOND_NS, b"a second later")
    writer.close()


def test_a_second_writer_is_refused(writer: JournalWriter, directory: Path) -> None:
    with pytest.raises(DataInUse, match="journal"):
        JournalWriter(directory)


def test_an_empty_or_huge_record_is_shed(writer: JournalWriter) -> None:
    assert append(writer, b"", bytes(4_000_001)) == [False, False]
    assert writer.shed() == {"result": 2}


def test_a_large_record_comes_back_whole(writer: JournalWriter, reader: JournalReader) -> None:
    large = os.urandom(3_500_000)
    append(writer, b"before", large, b"after")

    assert payloads(reader) == [b"before", large, b"after"]


def test_a_chunk_ends_before_it_needs_much_memory(directory: Path, reader: JournalReader) -> None:
    writer = JournalWriter(directory)
    append(writer, *[bytes([number]) * 3_000_000 for number in range(1, 9)])
    writer.close()

    first = reader.read(START, limit=100)
    rest = reader.read(first.position, limit=100)

    assert len(first.records) == 3
    assert rest.records[0].payload[:1] == b"\x04"


def test_a_full_disk_sheds_says_why_and_leaves_no_half_record(
    writer: JournalWriter, reader: JournalReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(writer, b"before")
    write = os.write

    def write_half(file: int, data: bytes) -> int:
        return write(file, data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_half)
        refused = append(writer, b"lost")
    assert refused == [False]
    assert isinstance(writer.trouble, DiskUnusable)
    assert "No space left" in writer.trouble.message

    append(writer, b"after")

    assert writer.trouble is None
    assert payloads(reader) == [b"before", b"after"]
    assert reader.shed() == {"result": 1}


def test_a_disk_that_is_read_only_at_the_start_sheds_and_later_takes_records(
    directory: Path, reader: JournalReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        writer = JournalWriter(directory)
        assert append(writer, b"lost") == [False]
    assert writer.trouble is not None
    assert "Read-only" in writer.trouble.message

    assert writer.append(RESULT, 7 + SECOND_NS, b"kept")

    writer.close()
    assert payloads(reader) == [b"kept"]
    assert reader.shed() == {"result": 1}


def test_what_a_full_disk_shed_is_told_once_the_disk_takes_records_again(
    directory: Path, reader: JournalReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        patch.setattr(os, "pwrite", refuse)
        writer = JournalWriter(directory)
        assert append(writer, b"lost", b"lost too") == [False, False]
    assert reader.shed() == {}

    append(writer, b"kept")

    assert payloads(reader) == [b"kept"]
    assert reader.shed() == {"result": 2}
    writer.close()


def test_a_disk_that_cannot_be_read_is_named(writer: JournalWriter, reader: JournalReader, directory: Path) -> None:
    append(writer, b"a")
    (segment,) = segments(directory)
    segment.unlink()
    segment.mkdir()

    with pytest.raises(DiskUnusable, match="cannot be read"):
        reader.read(START, limit=1)


def test_a_position_in_a_journal_that_was_replaced_begins_at_its_start(
    writer: JournalWriter, reader: JournalReader
) -> None:
    append(writer, b"new")

    assert payloads(reader, JournalPosition(99, 1234)) == [b"new"]


def test_files_that_are_no_segments_are_left_alone(
    writer: JournalWriter, reader: JournalReader, directory: Path
) -> None:
    (directory / "notes.journal").write_text("not ours")
    append(writer, b"a")

    assert payloads(reader) == [b"a"]
