"""Programs on real terminals: what they are given, what they are not, and that nothing of them is left."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganglion.adapters.pty_shell import PtyLimits, PtyShell, PtyShells
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import DiskUnusable
from ganglion.entrypoints.node import shell_child
from ganglion.ports.shell import ShellCall
from ganglion.testing.waiting import wait_until

SOON_S = 60.0
CALL = ShellCall(command=("/bin/sh",), seconds=60, columns=101, rows=37)


class Terminal:
    """A program, and everything that it has shown so far."""

    def __init__(self, shell: PtyShell) -> None:
        self.shell, self.text, self.has_ended = shell, "", False

    def type(self, keys: str) -> None:
        assert self.shell.write(keys.encode(), wait_s=SOON_S) == len(keys)

    def until(self, words: str) -> str:
        def is_shown() -> bool:
            self._read()
            return words in self.text

        wait_until(is_shown, what=f"{words!r}", timeout_s=SOON_S)
        return self.text

    def end(self) -> str:
        def is_over() -> bool:
            self._read()
            return self.has_ended

        wait_until(is_over, what="the end of the program", timeout_s=SOON_S)
        return self.text

    def _read(self) -> None:
        while True:
            data = self.shell.read(bytes_max=4096, wait_s=0.0)
            self.has_ended = data is None
            if not data:
                return
            self.text += data.decode()


@pytest.fixture
def shells(tmp_path: Path) -> PtyShells:
    return PtyShells(
        child=(sys.executable, "-I", "-S", shell_child.__file__),
        folder=tmp_path / "home",
        clock=SystemClock(),
        limits=PtyLimits(memory_bytes=500_000_000, files=64, processes=4096),
    )


@pytest.fixture
def terminal(shells: PtyShells) -> Iterator[Terminal]:
    shell = shells.start(CALL)
    try:
        yield Terminal(shell)
    finally:
        shell.end()


def runs(mark: str) -> list[int]:
    """Return the processes that have this argument."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_a_program_has_a_terminal_of_the_size_that_was_asked_for(terminal: Terminal) -> None:
    terminal.type("tty; stty size\n")
    assert "/dev/pts/" in terminal.until("37 101")

    terminal.shell.resize(80, 20)
    terminal.type("stty size\n")
    terminal.until("20 80")


def test_nothing_of_the_agents_environment_is_inherited(
    shells: PtyShells, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GANGLION_NODE__KEYS__PKCS11_PIN_FILE", "/planted")
    monkeypatch.setenv("PASSWORD", "planted")
    terminal = Terminal(shells.start(CALL))

    terminal.type("env; pwd; ls -A | wc -l; echo over; exit\n")
    shown = terminal.end()
    terminal.shell.end()

    assert "planted" not in shown
    assert str(tmp_path / "home") in shown
    names = {line.partition("=")[0].removeprefix("# ").removeprefix("$ ") for line in shown.splitlines() if "=" in line}
    assert names <= {"PATH", "LANG", "TERM", "HISTFILE", "HOME", "PWD", "OLDPWD", "SHLVL", "_", "GANGLION_SHELL", "PS1"}


def test_a_session_begins_where_nothing_of_the_one_before_is_left(shells: PtyShells) -> None:
    first = Terminal(shells.start(CALL))
    first.type("touch left-behind; exit\n")
    first.end()
    first.shell.end()

    second = Terminal(shells.start(CALL))
    second.type("ls -A; echo that-is-all; exit\n")

    assert second.end().count("left-behind") == 0
    second.shell.end()


def test_limits_of_the_kernel_hold_for_what_runs(terminal: Terminal) -> None:
    terminal.type("echo files $(ulimit -n) core $(ulimit -c) cpu $(ulimit -t) nice $(nice)\n")

    terminal.until("files 64 core 0 cpu 60 nice 10")


def test_no_descriptor_of_the_agent_is_open_in_the_program(terminal: Terminal) -> None:
    terminal.type("readlink /proc/$$/fd/*; echo over-$((1 + 1))\n")

    opened = [line for line in terminal.until("over-2").splitlines() if line.startswith("/")]
    assert len(opened) >= 3
    assert all(file.startswith(("/dev/pts/", "/dev/tty")) for file in opened)


def test_ctrl_c_reaches_what_runs_in_the_foreground_and_nothing_else(terminal: Terminal) -> None:
    terminal.type("sleep 71001; echo back-$((1 + 1))\n")
    wait_until(lambda: runs("71001"), what="the program", timeout_s=SOON_S)

    terminal.type("\x03")
    terminal.type("echo still-$((2 + 1))\n")

    terminal.until("still-3")
    assert not runs("71001")


def test_the_end_of_the_program_ends_all_that_it_left_behind(shells: PtyShells) -> None:
    terminal = Terminal(shells.start(CALL))
    terminal.type("nohup sleep 71002 & (setsid sleep 71003 &); (trap '' HUP TERM; sleep 71004) & sleep 0.1; exit\n")

    terminal.end()

    assert runs("71002") + runs("71003") + runs("71004") == []
    terminal.shell.end()


def test_whoever_ends_a_session_ends_all_of_it(shells: PtyShells) -> None:
    terminal = Terminal(shells.start(CALL))
    terminal.type("(setsid sleep 71005 &); trap '' HUP TERM INT; echo ready; while :; do sleep 71006; done\n")
    wait_until(lambda: runs("71005") and runs("71006"), what="the programs", timeout_s=SOON_S)

    terminal.shell.end()
    terminal.shell.end()

    assert runs("71005") + runs("71006") == []
    assert terminal.shell.read(bytes_max=10, wait_s=0.0) is None
    assert terminal.shell.write(b"x", wait_s=0.0) == 0


def test_what_outlives_the_process_that_holds_it_is_found_and_ended(shells: PtyShells) -> None:
    terminal = Terminal(shells.start(CALL))
    terminal.type("(setsid sleep 71007 &); echo ready\n")
    wait_until(lambda: runs("71007"), what="the program", timeout_s=SOON_S)
    os.kill(terminal.shell.pid, signal.SIGKILL)

    terminal.end()
    terminal.shell.end()

    assert runs("71007") == []


def test_a_program_that_does_not_read_holds_up_nobody(terminal: Terminal) -> None:
    terminal.type("stty raw; sleep 71008\n")
    wait_until(lambda: runs("71008"), what="the program", timeout_s=SOON_S)

    taken = terminal.shell.write(b"x" * 200_000, wait_s=0.2)

    assert taken < 200_000


def test_a_program_that_is_not_there_says_so_and_ends(shells: PtyShells) -> None:
    call = ShellCall(command=("/nowhere/sh",), seconds=60, columns=80, rows=24)
    terminal = Terminal(shells.start(call))

    assert "/nowhere/sh" in terminal.end()
    terminal.shell.end()


def test_a_disk_that_gives_no_directory_gives_no_session(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    shells = PtyShells(
        child=(sys.executable,), folder=tmp_path / "file" / "home", clock=SystemClock(), limits=PtyLimits()
    )

    with pytest.raises(DiskUnusable):
        shells.start(CALL)
