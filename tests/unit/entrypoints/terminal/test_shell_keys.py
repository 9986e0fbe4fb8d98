"""Every key is for the other side, except `~.` at the beginning of a line."""

import pytest

from ganglion.entrypoints.terminal.shell_keys import Keys


def pressed(*pieces: bytes) -> tuple[bytes, bool]:
    keys, sent = Keys(), b""
    for piece in pieces:
        data, leaves = keys.read(piece)
        sent += data
        if leaves:
            return sent, True
    return sent, False


@pytest.mark.parametrize(
    ("pieces", "sent"),
    [
        ((b"~.",), b""),
        ((b"ls\r~.rest",), b"ls\r"),
        ((b"ls\n~.",), b"ls\n"),
        ((b"ls\r", b"~", b"."), b"ls\r"),
        ((b"~/bin\r~.",), b"~/bin\r"),
        ((b"~\r~.",), b"~\r"),
    ],
)
def test_a_tilde_and_a_dot_at_the_beginning_of_a_line_leave(pieces: tuple[bytes, ...], sent: bytes) -> None:
    assert pressed(*pieces) == (sent, True)


@pytest.mark.parametrize(
    ("pieces", "sent"),
    [
        ((b"ls ~.\r",), b"ls ~.\r"),
        ((b"~~.\r",), b"~.\r"),
        ((b"\x03\x04\x1b[A",), b"\x03\x04\x1b[A"),
        ((b"~",), b""),
        ((b"",), b""),
    ],
)
def test_every_other_key_is_for_the_other_side(pieces: tuple[bytes, ...], sent: bytes) -> None:
    assert pressed(*pieces) == (sent, False)
