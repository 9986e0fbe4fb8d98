"""What every law has: its number, its sentence, and the places where it was broken."""

from dataclasses import dataclass
from typing import ClassVar

BREACHES_MAX = 20
"""More are not kept: the first one is the one to look at."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A law that did not hold, when in simulated seconds, and in words."""

    law: int
    at_s: float
    words: str

    def __str__(self) -> str:
        return f"law {self.law} at {self.at_s / 3600:.2f} h: {self.words}"


class Law:
    """A judge who is told what happened."""

    number: ClassVar[int]
    sentence: ClassVar[str]

    def __init__(self) -> None:
        self.breaches: list[Breach] = []
        self.looks = 0
        """How often this law had something to judge; a law that was never asked proves nothing."""

    def broke(self, at_s: float, words: str) -> None:
        """Note that the law does not hold."""
        if len(self.breaches) < BREACHES_MAX:
            self.breaches.append(Breach(self.number, at_s, words))
