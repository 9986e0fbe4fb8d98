"""Whatever happens to writer and reader, every promised record is read once, in order."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.adapters.journal import JournalLimits, JournalReader, JournalWriter
from ganglion.ports.agent_store import JournalPosition
from ganglion.wire.records import RecordClass

LIMITS = JournalLimits(total_bytes_max=3000, segment_bytes_max=300)
Step = tuple[str, int]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 120)),
        st.tuples(st.just("kill"), st.integers(0, 30)),
        st.tuples(st.just("read"), st.integers(1, 6)),
        st.tuples(st.just("forget"), st.integers(1, 6)),
    ),
    max_size=60,
)


class World:
    """One journal, with what was promised and what was read. Time passes with every step."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.writer, self.reader = JournalWriter(directory, LIMITS), JournalReader(directory)
        self.position = JournalPosition()
        self.promised: list[bytes] = []
        self.stored: list[bytes] = []
        self.shed = 0
        self.now_ns = 0

    def append(self, size: int) -> None:
        payload = f"{len(self.promised) + self.shed:05d}".encode() + b"." * size
        if self.writer.append(RecordClass.RESULT, self.now_ns, payload):
            self.promised.append(payload)
        else:
            self.shed += 1

    def kill(self, torn_bytes: int) -> None:
        """Kill the writer in the middle of a record, and start it again."""
        self.writer.close()
        with max(self.directory.glob("*.journal")).open("ab") as segment:
            segment.write(b"\x40\x00\x00\x00\xff" + bytes(40)[: max(0, torn_bytes - 5)] if torn_bytes else b"")
        self.writer = JournalWriter(self.directory, LIMITS)

    def read(self, limit: int) -> None:
        """Read, store records and position in one step, and free what is behind it."""
        chunk = self.reader.read(self.position, limit=limit)
        self.stored += [record.payload for record in chunk.records]
        self.position = chunk.position
        self.reader.discard_before(self.position)

    def forget(self, limit: int) -> None:
        """Read and be killed before anything was stored."""
        self.reader.read(self.position, limit=limit)


@contextmanager
def new_world() -> Iterator[World]:
    directory = Path(tempfile.mkdtemp())
    world = World(directory / "journal")
    try:
        yield world
    finally:
        world.writer.close()
        shutil.rmtree(directory)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_every_promised_record_is_read_once_and_in_order(steps: list[Step]) -> None:
    with new_world() as world:
        for name, argument in steps:
            world.now_ns += 10**9
            getattr(world, name)(argument)
        while len(world.stored) < len(world.promised):
            before = len(world.stored)
            world.read(50)
            assert len(world.stored) > before, "the reader waits although records are there"

        assert world.stored == world.promised
        assert world.writer.shed().get("result", 0) == world.shed


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_the_journal_never_takes_more_disk_than_its_limit(steps: list[Step]) -> None:
    with new_world() as world:
        for name, argument in steps:
            world.now_ns += 10**9
            getattr(world, name)(argument if name != "kill" else 0)

            assert sum(file.stat().st_size for file in world.directory.glob("*.journal")) <= LIMITS.total_bytes_max
