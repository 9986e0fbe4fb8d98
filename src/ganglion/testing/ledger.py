"""Exactly once, checked from outside: what the clients were answered against what the hub has stored."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ledger:
    """The outcome of a comparison, for one node or summed up."""

    answered: int
    """Requests that the client got an answer for."""
    stored: int
    """Records with a request id of this client at the hub."""
    lost: int
    """Answered, but not stored."""
    duplicated: int
    """Stored more than once, counted beyond the first."""

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger(
            answered=self.answered + other.answered, stored=self.stored + other.stored, lost=self.lost + other.lost,
            duplicated=self.duplicated + other.duplicated,
        )  # fmt: skip

    @property
    def holds(self) -> bool:
        """Say whether every answered request is stored exactly once."""
        return self.lost == 0 and self.duplicated == 0


def compare(answered: Iterable[str], stored: Iterable[str]) -> Ledger:
    """Compare request ids. A record without an answer is no loss: the node may die between the two."""
    expected, found = set(answered), Counter(stored)
    return Ledger(
        answered=len(expected),
        stored=sum(found.values()),
        lost=len(expected - found.keys()),
        duplicated=sum(count - 1 for count in found.values()),
    )
