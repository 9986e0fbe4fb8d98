"""What people at a machine are told of the line to the hub, on a real file system."""

import subprocess
import sys
from pathlib import Path

from ganglion.adapters.line_note import LineNotes, is_running, line_note
from ganglion.ports.clock import utc_s
from ganglion.testing.clock import FakeClock


def test_the_note_tells_when_the_hub_last_answered_and_why_it_does_not_now(tmp_path: Path) -> None:
    clock = FakeClock()
    notes = LineNotes(tmp_path / "run", clock)
    notes.tell("")
    heard_at_s = utc_s(clock)
    clock.advance(3600.0)

    notes.tell("the hub cannot be reached: connection refused")

    note = line_note(tmp_path / "run")
    assert note is not None
    assert (note.heard_at_s, note.trouble) == (heard_at_s, "the hub cannot be reached: connection refused")


def test_an_answer_a_second_costs_a_memory_card_two_writes_a_minute(tmp_path: Path) -> None:
    clock, written = FakeClock(), set()
    notes = LineNotes(tmp_path, clock)

    for _ in range(60):
        notes.tell("")
        written.add((tmp_path / "hub.json").stat().st_ino)
        clock.advance(1.0)

    note = line_note(tmp_path)
    assert note is not None
    assert len(written) == 2
    assert utc_s(clock) - (note.heard_at_s or 0.0) <= 31.0


def test_the_next_agent_knows_when_the_one_before_heard_of_the_hub(tmp_path: Path) -> None:
    clock = FakeClock()
    LineNotes(tmp_path, clock).tell("")
    heard_at_s = utc_s(clock)
    clock.advance(60.0)

    LineNotes(tmp_path, clock)

    note = line_note(tmp_path)
    assert note is not None
    assert note.heard_at_s == heard_at_s


def test_an_agent_that_has_ended_does_not_count_as_running(tmp_path: Path) -> None:
    LineNotes(tmp_path, FakeClock())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert is_running(line_note(tmp_path))
    (tmp_path / "hub.json").write_text(f'{{"pid": {ended.pid}}}')
    assert not is_running(line_note(tmp_path))


def test_another_program_with_the_number_of_an_agent_that_ended_is_not_taken_for_it(tmp_path: Path) -> None:
    LineNotes(tmp_path, FakeClock())
    file = tmp_path / "hub.json"

    file.write_text(file.read_text().replace('"birth":"', '"birth":"9'))

    assert not is_running(line_note(tmp_path))


def test_a_disk_that_takes_nothing_stops_no_agent(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where a directory should be")

    LineNotes(tmp_path / "run", FakeClock()).tell("")

    assert line_note(tmp_path / "run") is None


def test_a_damaged_note_is_no_note(tmp_path: Path) -> None:
    (tmp_path / "hub.json").write_bytes(b'{"pid": "many')

    assert line_note(tmp_path) is None
    assert not is_running(None)
