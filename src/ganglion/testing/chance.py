"""Chance that a seed decides: the same seed gives the same run on every machine and Python version."""

import hashlib

_WORD_BYTES = 8


class SeededChance:
    """SHA-256 in counter mode. Even, repeatable, and no secret at all."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._blocks = 0
        self._left = b""

    def token_bytes(self, size: int) -> bytes:
        """Return the next `size` bytes of the stream."""
        while len(self._left) < size:
            self._left += hashlib.sha256(f"{self._seed}:{self._blocks}".encode()).digest()
            self._blocks += 1
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def share(self) -> float:
        """Return a number in [0, 1) with 53 bits, as the machine's own source does."""
        return (int.from_bytes(self.token_bytes(_WORD_BYTES), "big") >> 11) / (1 << 53)
