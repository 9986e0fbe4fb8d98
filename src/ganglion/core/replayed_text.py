"""What of a recorded session may reach the terminal of who looks at it: text, colours and movements.

A program on the far machine may have written what makes a terminal act or answer: take something into its clipboard,
tell its title or its size, as if it were typed. Of that nothing is replayed. Pieces may be cut anywhere.
"""

import re
from typing import Final

_BEGIN = re.compile("[\x05\x1b\x90\x98\x9b\x9d-\x9f]")
_SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)(?P<marks>[0-?]*)[ -/]*(?P<end>[@-~])")
_STRING = re.compile("\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f]")
"""Begins a text for the terminal itself: of its operating system, its device, its application."""
_STRING_END = re.compile("\x07|\x1b\\\\|\x9c")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*)?|\x9b[0-?]*[ -/]*")
_ASKS: Final = frozenset("cnxt")
"""Ends of sequences that a terminal answers, or that tell it to report."""
_ENQUIRY: Final = "\x05"
_ESCAPE, _IDENTIFY = "\x1b", "Z"
_SEQUENCE_MAX: Final = 256


class ReplayedText:
    """One recording, piece by piece."""

    def __init__(self) -> None:
        self._rest = ""
        """The beginning of a sequence that was cut, or of a string: then its first characters alone."""

    def shown(self, piece: str) -> str:
        """Return what of the next piece may be shown by now."""
        text, self._rest = self._rest + piece, ""
        kept: list[str] = []
        at = 0
        while begin := _BEGIN.search(text, at):
            kept.append(text[at : begin.start()])
            at = self._past(text, begin.start(), kept)
        kept.append(text[at:])
        return "".join(kept)

    def _past(self, text: str, at: int, kept: list[str]) -> int:
        """Return where text goes on behind what begins at `at`, which is kept if it does nothing but show."""
        if text[at] == _ENQUIRY:
            return at + 1
        if string := _STRING.match(text, at):
            end = _STRING_END.search(text, string.end())
            if end:
                return end.end()
            # An escape at the very end may be the first half of the end of the string.
            self._rest = string[0] + ("\x1b" if text.endswith("\x1b", string.end()) else "")
            return len(text)
        return self._past_sequence(text, at, kept)

    def _past_sequence(self, text: str, at: int, kept: list[str]) -> int:
        if sequence := _SEQUENCE.match(text, at):
            if not (sequence["end"] in _ASKS or (sequence["end"] == "q" and sequence["marks"].startswith(">"))):
                kept.append(sequence[0])
            return sequence.end()
        unfinished = _UNFINISHED.match(text, at)
        assert unfinished is not None, "it begins with an escape, or with its short form"
        if unfinished.end() == len(text) and len(unfinished[0]) < _SEQUENCE_MAX:
            self._rest = unfinished[0]
            return len(text)
        after = text[at + 1 : at + 2]
        if text[at] == _ESCAPE and after != "[":
            # A sequence of two. One that is none goes.
            kept.append(_ESCAPE + after if after.isprintable() and after != _IDENTIFY else "")
            return at + 2
        return at + 1
