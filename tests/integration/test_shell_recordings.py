"""Recordings and notices as files: private, within limits, and readable after a crash."""

import hashlib
import json
import os
from functools import partial
from pathlib import Path

import pytest

from ganglion.adapters.files import replace_file
from ganglion.adapters.shell_notice import NoticeFiles, notice_in
from ganglion.adapters.shell_recordings import CastFiles, RecordingFiles
from ganglion.core import asciicast
from ganglion.core.asciicast import CastHeader, CastKind
from ganglion.core.errors import InvalidName, NotFound
from ganglion.ports.shell import Closing, ShellNotice

HEADER = CastHeader(width=80, height=24, timestamp=1)
PRIVATE = partial(replace_file, mode=0o600)


def recordings_in(folder: Path, *, bytes_max: int = 10_000, kept_max: int = 20) -> RecordingFiles:
    return RecordingFiles(folder / "shells", bytes_max=bytes_max, kept_max=kept_max, replace=PRIVATE)


def a_closing(number: int = 1) -> Closing:
    return Closing(id=f"s{number}", person="ada", reason="a reason", begun_at_s=float(number))


def test_a_recording_is_private_and_its_digest_is_that_of_the_file(tmp_path: Path) -> None:
    recordings = recordings_in(tmp_path)
    recording = recordings.begin(a_closing(), HEADER)
    recording.add(CastKind.SHOWN, b"secret\r\n", at_s=1.0)
    recording.add(CastKind.SHOWN, b"\xe2\x82", at_s=2.0)

    digest = recording.close(at_s=3.0)

    assert digest == hashlib.sha256(recordings.content("s1")).hexdigest()
    files = list((tmp_path / "shells").iterdir())
    assert len(files) == 2
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "shells").stat().st_mode & 0o777 == 0o700


def test_what_was_written_before_a_crash_is_there(tmp_path: Path) -> None:
    recordings_in(tmp_path).begin(a_closing(), HEADER).add(CastKind.TYPED, b"rm -rf /\r", at_s=1.0)

    after = recordings_in(tmp_path)

    assert [closing.closed_by for closing in after.kept()] == [""]
    _, events = asciicast.read(after.content("s1"))
    assert [event.text for event in events] == ["rm -rf /\r"]


def test_a_full_recording_takes_no_more_and_stays_readable(tmp_path: Path) -> None:
    recordings = recordings_in(tmp_path, bytes_max=1000)
    recording = recordings.begin(a_closing(), HEADER)

    taken = [recording.add(CastKind.SHOWN, b"y" * 100, at_s=1.0) for _ in range(20)]
    recording.close(at_s=2.0)

    assert not taken[-1]
    assert len(recordings.content("s1")) <= 1000
    assert len(asciicast.read(recordings.content("s1"))[1]) == sum(taken)


def test_the_oldest_recordings_go(tmp_path: Path) -> None:
    recordings = recordings_in(tmp_path, kept_max=3)
    for number in range(6):
        recordings.begin(a_closing(number), HEADER).close(at_s=1.0)

    assert [closing.id for closing in recordings.kept()] == ["s3", "s4", "s5"]
    assert len(list((tmp_path / "shells").iterdir())) == 6


@pytest.mark.parametrize("shell_id", ["../../etc/cron.d/x", "", ".hidden", "a/b", "a\0b"])
def test_no_session_is_recorded_elsewhere(tmp_path: Path, shell_id: str) -> None:
    with pytest.raises(InvalidName):
        recordings_in(tmp_path).content(shell_id)
    with pytest.raises(InvalidName):
        CastFiles(tmp_path, replace=PRIVATE).put(shell_id, b"x")


def test_what_is_not_kept_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        recordings_in(tmp_path).content("s1")
    assert recordings_in(tmp_path).kept() == []


def test_a_damaged_note_hides_no_other(tmp_path: Path) -> None:
    recordings = recordings_in(tmp_path)
    recordings.begin(a_closing(1), HEADER).close(at_s=1.0)
    (tmp_path / "shells" / "s0.json").write_bytes(b"")

    assert [closing.id for closing in recordings.kept()] == ["s1"]


def test_a_hub_keeps_recordings_and_forgets_them(tmp_path: Path) -> None:
    casts = CastFiles(tmp_path / "shells", replace=PRIVATE)
    casts.put("s1", b"one")

    assert casts.content("s1") == b"one"
    casts.remove("s1")
    casts.remove("s1")
    with pytest.raises(NotFound):
        casts.content("s1")


def a_notice(*, pid: int) -> ShellNotice:
    return ShellNotice(id="s1", person="ada", role="admin", reason="a reason", until_s=1e9, pid=pid)


def test_a_notice_is_there_as_long_as_the_session_and_somebody_can_take_it_down(tmp_path: Path) -> None:
    board = NoticeFiles(tmp_path, replace=PRIVATE)
    board.show(a_notice(pid=os.getpid()))

    assert notice_in(tmp_path) == a_notice(pid=os.getpid())
    assert not board.is_closing_wanted()
    NoticeFiles(tmp_path, replace=PRIVATE).want_closing()
    assert board.is_closing_wanted()

    board.clear()
    assert notice_in(tmp_path) is None
    assert not board.is_closing_wanted()


def test_a_wish_from_before_ends_no_session_that_is_opened_later(tmp_path: Path) -> None:
    board = NoticeFiles(tmp_path, replace=PRIVATE)
    board.want_closing()

    board.show(a_notice(pid=os.getpid()))

    assert not board.is_closing_wanted()


@pytest.mark.parametrize("text", ["", "{", json.dumps({"id": 1})])
def test_a_notice_that_cannot_be_read_tells_of_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "shell.json").write_text(text, encoding="utf-8")

    assert notice_in(tmp_path) is None


def test_a_notice_of_an_agent_that_is_gone_tells_of_nothing(tmp_path: Path) -> None:
    NoticeFiles(tmp_path, replace=PRIVATE).show(a_notice(pid=2**22 + 1))

    assert notice_in(tmp_path) is None
