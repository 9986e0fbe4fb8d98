"""What a node's processes log is kept within limits, and read by time, level and text."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
import structlog

from ganglion.adapters.kept_logs import LogFile, LogQuery, LogReader
from ganglion.adapters.kept_logs.writer import LINE_BYTES_MAX
from ganglion.entrypoints.processes.logs import configure_logs, keep_lines


def a_line(minute: int, event: str, *, level: str = "info") -> str:
    return json.dumps({"event": event, "level": level, "timestamp": f"2026-05-01T10:{minute:02d}:00.000000Z"})


def events(lines: list[str]) -> list[str]:
    return [json.loads(line)["event"] for line in lines]


Keep: TypeAlias = Callable[..., LogFile]


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Keep]:
    """Return what opens log files, and closes them."""
    opened: list[LogFile] = []

    def open_log(process: str = "agent", *, folder: Path = tmp_path, bytes_max: int = 1_000_000) -> LogFile:
        opened.append(LogFile(folder, process, bytes_max=bytes_max))
        return opened[-1]

    yield open_log
    for file in opened:
        file.close()


@pytest.fixture
def reader(tmp_path: Path, keep: Keep) -> LogReader:
    """Return a reader of two processes that logged in turn."""
    agent, serving = keep("agent"), keep("serving")
    agent.write(a_line(1, "a.started"))
    serving.write(a_line(2, "s.started"))
    agent.write(a_line(3, "a.delayed", level="warning"))
    serving.write(a_line(4, "s.failed", level="error"))
    agent.write(a_line(5, "a.went_on"))
    return LogReader(tmp_path)


def test_lines_of_all_processes_come_in_the_order_of_time(reader: LogReader) -> None:
    assert events(reader.read(LogQuery())) == ["a.started", "s.started", "a.delayed", "s.failed", "a.went_on"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (LogQuery(level="warning"), ["a.delayed", "s.failed"]),
        (LogQuery(since="2026-05-01T10:04"), ["s.failed", "a.went_on"]),
        (LogQuery(until="2026-05-01T10:02:30"), ["a.started", "s.started"]),
        (LogQuery(text="started"), ["a.started", "s.started"]),
        (LogQuery(lines_max=2), ["s.failed", "a.went_on"]),
        (LogQuery(bytes_max=100), ["a.went_on"]),
        (LogQuery(since="2027"), []),
    ],
)
def test_a_query_bounds_what_is_read(reader: LogReader, query: LogQuery, found: list[str]) -> None:
    assert events(reader.read(query)) == found


def test_the_oldest_lines_go_when_the_files_are_full(tmp_path: Path, keep: Keep) -> None:
    kept_bytes = 8 * LINE_BYTES_MAX
    file = keep(bytes_max=kept_bytes)
    for number in range(5000):
        file.write(a_line(number % 60, f"work.{number:05d}"))

    found = events(LogReader(tmp_path).read(LogQuery(lines_max=10_000, bytes_max=10_000_000)))

    assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= kept_bytes
    assert max(found) == "work.04999"
    assert 500 < len(found) < 5000


def test_a_line_that_is_too_long_is_cut_and_shown(tmp_path: Path, keep: Keep) -> None:
    file = keep()

    file.write(a_line(1, "x" * 2 * LINE_BYTES_MAX, level="error"))
    file.write(a_line(2, "after"))

    found = LogReader(tmp_path).read(LogQuery(level="warning"))
    assert [len(line) for line in found] == [LINE_BYTES_MAX]


def test_a_line_that_a_power_cut_left_half_written_hides_no_other(tmp_path: Path, keep: Keep) -> None:
    file = keep()
    file.write(a_line(1, "before"))
    with (tmp_path / "agent.jsonl").open("ab") as stream:
        stream.write(b'{"event": "torn", "times\xff\n')
    file.write(a_line(2, "after"))

    found = LogReader(tmp_path).read(LogQuery(since="2026"))

    assert [json.loads(line)["event"] for line in found if line.endswith("}")] == ["before", "after"]
    assert len(found) == 3


def test_a_folder_that_takes_nothing_costs_the_line_alone(
    tmp_path: Path, keep: Keep, capsys: pytest.CaptureFixture[str]
) -> None:
    file = keep(folder=tmp_path / "logs")
    (tmp_path / "logs").rmdir()

    file.write(a_line(1, "lost"))

    assert capsys.readouterr() == ("", "")


def test_what_a_process_logs_is_kept_as_it_stands_on_standard_error(
    tmp_path: Path, keep: Keep, capsys: pytest.CaptureFixture[str]
) -> None:
    before = structlog.get_config()
    configure_logs("agent")
    keep_lines(keep().write)
    try:
        structlog.get_logger().warning("link.lost", hub="https://hub.example")
    finally:
        keep_lines(None)
        structlog.configure(**before)
        structlog.contextvars.clear_contextvars()

    assert LogReader(tmp_path).read(LogQuery()) == capsys.readouterr().err.splitlines()


def made_a_pipe(file: Path, _elsewhere: Path) -> None:
    os.mkfifo(file)


def made_a_link(file: Path, elsewhere: Path) -> None:
    elsewhere.write_text("the node's key\n", encoding="utf-8")
    file.symlink_to(elsewhere)


def made_a_directory(file: Path, _elsewhere: Path) -> None:
    file.mkdir()


@pytest.mark.parametrize("put", [made_a_pipe, made_a_link, made_a_directory])
def test_what_lies_in_a_logs_place_and_is_no_file_is_neither_read_nor_written(
    tmp_path: Path, keep: Keep, put: Callable[[Path, Path], None]
) -> None:
    folder, elsewhere = tmp_path / "logs", tmp_path / "elsewhere"
    serving = keep("serving", folder=folder)
    put(folder / "agent.jsonl", elsewhere)
    agent = keep("agent", folder=folder)

    agent.write(a_line(1, "a.started"))
    serving.write(a_line(2, "s.started"))

    assert events(LogReader(folder).read(LogQuery())) == ["s.started"]
    assert not elsewhere.exists() or elsewhere.read_text(encoding="utf-8") == "the node's key\n"


def test_an_endless_line_is_shown_by_its_beginning_and_the_lines_around_it_as_they_are(
    tmp_path: Path, reader: LogReader, keep: Keep
) -> None:
    with (tmp_path / "agent.jsonl").open("a", encoding="utf-8") as file:
        file.write("begin" + "x" * 1_000_000 + "\n" + a_line(7, "a.last") + "\n")

    found = reader.read(LogQuery())

    assert all(len(line) <= 4 * LINE_BYTES_MAX for line in found)
    assert any(line.startswith("beginxxx") for line in found)
    assert json.loads(found[-1])["event"] == "a.last"


def test_of_logs_that_are_far_too_large_the_newest_are_read(tmp_path: Path, keep: Keep) -> None:
    agent = keep("agent")
    agent.write(a_line(1, "a.oldest"))
    with (tmp_path / "agent.jsonl").open("ab") as file:
        # Nothing of it takes room on the disk.
        file.truncate(10_000_000_000)
    with (tmp_path / "agent.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n" + a_line(2, "a.newest") + "\n")

    found = LogReader(tmp_path).read(LogQuery(text="a."))

    assert events(found) == ["a.newest"]
