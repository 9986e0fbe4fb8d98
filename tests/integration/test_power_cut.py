"""What a power cut takes of each class of records, on a disk that loses or tears what was not synced."""

import random
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.adapters.journal import JournalReader, JournalWriter
from ganglion.node.domain.sending.outbox import WHEN_DURABLE, Durable, OutboxLimits
from ganglion.node.services.sending.journal_intake import IntakeSettings, JournalIntake
from ganglion.ports.agent_store import NewRecord
from ganglion.testing.clock import FakeClock
from ganglion.wire.records import RecordClass

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "exactly-once.md"
CUTS = 25


@dataclass(frozen=True, slots=True)
class Machine:
    """A node's journal and outbox on one disk."""

    directory: Path
    store: SqliteAgentStore
    journal: JournalWriter
    intake: JournalIntake

    def keep(self, record_class: RecordClass, payload: bytes) -> None:
        """Make one record the way that its class takes."""
        if WHEN_DURABLE[record_class] is Durable.COMMIT:
            self.store.save(b"state", [NewRecord(record_class, 1, payload)])
        else:
            assert self.journal.append(record_class, 1, payload)

    def take_in(self) -> None:
        while self.intake.move():
            pass

    def waiting(self) -> list[bytes]:
        return [envelope.payload for envelope in self.store.pending(records_max=10_000, bytes_max=1 << 30)]


@contextmanager
def machine(directory: Path) -> Iterator[Machine]:
    directory.mkdir(exist_ok=True)
    store = SqliteAgentStore(directory / "outbox.db", limits=OutboxLimits(), new_epoch=lambda: "e1")
    journal = JournalWriter(directory / "journal")
    intake = JournalIntake(
        store=store, journal=JournalReader(directory / "journal"), clock=FakeClock(), settings=IntakeSettings()
    )
    yield Machine(directory, store, journal, intake)
    journal.close()
    store.close()


def cut_power(disk: Path, copy: Path, chance: random.Random) -> None:
    """Copy what is left of a disk: everything synced, and of the rest some, torn anywhere."""
    shutil.copytree(disk, copy, ignore=shutil.ignore_patterns("*-shm"))
    # What SQLite had begun to write behind the last commit may be there in part.
    with (copy / "outbox.db-wal").open("ab") as wal:
        wal.write(chance.randbytes(chance.choice([0, 1, 24, 4120, 9000])))
    for segment in (copy / "journal").glob("*.journal"):
        content = segment.read_bytes()
        left = content[: chance.randint(0, len(content))]
        # File systems differ: the end is missing, or there are zeros in its place.
        segment.write_bytes(left + bytes(chance.choice([0, len(content) - len(left)])))


def payload(number: int) -> bytes:
    """Return msgpack of some text, which no class takes for anything else."""
    text = f"record {number:04d}".encode()
    return bytes([0xA0 + len(text)]) + text


@pytest.mark.parametrize("record_class", RecordClass)
def test_a_power_cut_takes_of_each_class_what_the_table_says_and_nothing_comes_twice(
    record_class: RecordClass, tmp_path: Path
) -> None:
    is_lost_at_all = False
    for seed in range(CUTS):
        chance, made, safe = random.Random(seed), 0, 0
        with machine(tmp_path / f"disk-{seed}") as before:
            for made in range(1, chance.randint(2, 30)):
                before.keep(record_class, payload(made))
                if chance.random() < 0.2:
                    before.take_in()
                    safe = made
            safe = made if WHEN_DURABLE[record_class] is Durable.COMMIT else safe
            cut_power(before.directory, tmp_path / f"copy-{seed}", chance)

        with machine(tmp_path / f"copy-{seed}") as after:
            after.keep(record_class, payload(9999))
            after.take_in()
            found = after.waiting()

        expected = [payload(number) for number in range(1, made + 1)]
        assert found[-1] == payload(9999), seed
        assert found[:-1] == expected[: len(found) - 1], seed
        assert len(found) - 1 >= safe, seed
        is_lost_at_all |= len(found) - 1 < made
    assert is_lost_at_all is (WHEN_DURABLE[record_class] is Durable.INTAKE), "the cuts must have been able to lose"


def test_every_commit_of_the_outbox_is_synced(tmp_path: Path) -> None:
    with machine(tmp_path) as node:
        pragmas = [
            node.store._file.connection.execute(f"pragma {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        ]

    assert pragmas == ["wal", 2]


def test_the_table_in_the_documentation_is_the_one_in_the_code() -> None:
    row = re.compile(r"^\| ([a-z]+) \| (before anything[^|]*|when the agent[^|]*) \|", re.MULTILINE)

    rows = row.findall(DOCUMENT.read_text(encoding="utf-8"))

    assert dict(rows) == {record_class.name.lower(): when.value for record_class, when in WHEN_DURABLE.items()}
