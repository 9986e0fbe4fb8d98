"""A person's terminal is given back as it was, whatever happens while it stands for another machine's."""

import os
import signal
import termios
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ganglion.entrypoints.terminal.raw_terminal import on_resize, raw_terminal, size_of


@dataclass
class Terminal:
    """Both ends of one."""

    person: int
    descriptor: int

    @property
    def modes(self) -> object:
        return termios.tcgetattr(self.descriptor)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    person, descriptor = os.openpty()
    yield Terminal(person, descriptor)
    os.close(person)
    os.close(descriptor)


class Surprise(Exception):
    """Something that nobody expected."""


@pytest.mark.parametrize("error", [Surprise, KeyboardInterrupt, SystemExit])
def test_an_error_gives_the_terminal_back(terminal: Terminal, error: type[BaseException]) -> None:
    before = terminal.modes

    def work() -> None:
        with raw_terminal(terminal.descriptor, terminal.descriptor):
            assert terminal.modes != before
            raise error

    with pytest.raises(error):
        work()

    assert terminal.modes == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_program_gives_the_terminal_back(terminal: Terminal, number: signal.Signals) -> None:
    before, handler = terminal.modes, signal.getsignal(number)

    with pytest.raises(SystemExit) as ended, raw_terminal(terminal.descriptor, terminal.descriptor):
        signal.raise_signal(number)

    assert ended.value.code == 128 + number
    assert terminal.modes == before
    assert signal.getsignal(number) == handler


def test_every_key_passes_while_it_is_raw(terminal: Terminal) -> None:
    with raw_terminal(terminal.descriptor, terminal.descriptor):
        os.write(terminal.person, b"\x03\x04\x1a\r")

        assert os.read(terminal.descriptor, 100) == b"\x03\x04\x1a\r"


def test_a_program_that_was_cut_off_leaves_no_modes_of_the_screen(terminal: Terminal) -> None:
    with raw_terminal(terminal.descriptor, terminal.descriptor):
        pass

    shown = os.read(terminal.person, 1000)
    assert b"\x1b[?1047l" in shown
    assert b"\x1b[?25h" in shown


def test_another_size_is_told_and_whoever_waits_is_woken(terminal: Terminal) -> None:
    told: list[bool] = []
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    before = signal.getsignal(signal.SIGWINCH)

    with on_resize(lambda: told.append(True), wakes=wakes):
        signal.raise_signal(signal.SIGWINCH)

    assert told
    assert os.read(woken, 10)
    assert signal.getsignal(signal.SIGWINCH) == before
    os.close(woken)
    os.close(wakes)


def test_what_is_no_terminal_has_the_usual_size() -> None:
    woken, wakes = os.pipe()

    assert size_of(woken) == (80, 24)
    os.close(woken)
    os.close(wakes)
