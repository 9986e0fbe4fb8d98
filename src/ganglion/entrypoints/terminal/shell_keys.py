"""Which of the keys that a person presses are for this side: `~.` at the beginning of a line leaves a session."""

from typing import Final

_TILDE, _DOT, _LINE_ENDS = ord("~"), ord("."), frozenset(b"\r\n")
ESCAPE: Final = "~."


class Keys:
    """Reads keys as they come, in pieces of any size."""

    def __init__(self) -> None:
        self._is_line_start, self._is_tilde_held = True, False

    def read(self, data: bytes) -> tuple[bytes, bool]:
        """Return what is for the other side, and whether the person leaves; what follows that is dropped.

        `~~` at the beginning of a line is one `~` for the other side.
        """
        sent = bytearray()
        for key in data:
            if self._is_tilde_held:
                self._is_tilde_held = False
                if key == _DOT:
                    return bytes(sent), True
                # The tilde was meant for the other side after all.
                sent.append(_TILDE)
                if key != _TILDE:
                    sent.append(key)
            elif self._is_line_start and key == _TILDE:
                self._is_tilde_held = True
                continue
            else:
                sent.append(key)
            self._is_line_start = key in _LINE_ENDS
        return bytes(sent), False
