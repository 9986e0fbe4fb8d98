"""A recording that is looked at shows what was there, and has the terminal do nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.replayed_text import ReplayedText

HARMLESS = "plain \x1b[1;31mred\x1b[0m\r\n\x1b[2J\x1b[3;4Hmoved\x1b[?25h\x1b7saved\x1b8\x1b(B"
HARMFUL = [
    "\x1b]52;c;cm0gLXJm\x07",
    "\x1b]0;title\x1b\\",
    "\x9d52;c;cm0=\x9c",
    "\x1bP$qm\x1b\\",
    "\x1b_application\x1b\\",
    "\x1b^private\x1b\\",
    "\x1bXstring\x1b\\",
    "\x1b[c",
    "\x1b[>0c",
    "\x1b[6n",
    "\x9b6n",
    "\x1b[21t",
    "\x1b[>q",
    "\x1b[x",
    "\x1bZ",
    "\x05",
]


def shown(*pieces: str) -> str:
    text = ReplayedText()
    return "".join(text.shown(piece) for piece in pieces)


def test_text_colours_and_movements_are_shown_as_they_were() -> None:
    assert shown(HARMLESS) == HARMLESS


@pytest.mark.parametrize("harmful", HARMFUL)
def test_what_a_terminal_would_act_on_or_answer_is_not_shown(harmful: str) -> None:
    assert shown(f"before{harmful}after") == "beforeafter"


@pytest.mark.parametrize("harmful", HARMFUL)
def test_wherever_a_recording_is_cut_it_is_not_shown(harmful: str) -> None:
    text = f"before{harmful}after"

    assert {shown(text[:cut], text[cut:]) for cut in range(len(text))} == {"beforeafter"}
    assert shown(*text) == "beforeafter"


@given(st.text(alphabet="\x1b\x05\x07\x9b\x9c\x9d[]P\\0;>cqnm x", max_size=60), st.integers(0, 60))
def test_however_it_is_cut_the_same_is_shown_and_nothing_that_acts(text: str, cut: int) -> None:
    found = shown(text)

    assert shown(text[:cut], text[cut:]) == found
    assert not any(each in found for each in ("\x05", "\x9d", "\x1b]", "\x1bP", "\x1b[c", "\x1b[n"))


def test_a_string_without_an_end_is_not_kept_in_memory() -> None:
    text = ReplayedText()
    text.shown("\x1b]52;c;")

    for _ in range(1000):
        assert text.shown("A" * 1000) == ""

    assert text.shown("\x07after") == "after"
