"""Law 3: what was promised is stored exactly once, or counted as given up."""

from typing import ClassVar

from ganglion.testing.laws.intervals import Intervals
from ganglion.testing.laws.law import Law


class ExactlyOnce(Law):
    """Counts records by their maker, a machine, and by the number that the maker gave them when they were made.

    That number is the world's own: neither node nor hub knows it, so no error of theirs can hide in it.
    """

    number: ClassVar[int] = 3
    sentence: ClassVar[str] = (
        "Every record the node promised to keep is stored by the hub exactly once, with its original event time;"
        " what was shed is counted, per class, and reported."
    )

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[int, int] = {}
        """By maker: its records are numbered from 0 to this."""
        self.stored: dict[int, Intervals] = {}
        self.shed: dict[int, Intervals] = {}
        self._copied: dict[int, Intervals] = {}
        self._forgotten: dict[int, Intervals] = {}

    @property
    def forgotten(self) -> int:
        """How many records a restored hub or disk does not know any more."""
        return sum(gone.size for gone in self._forgotten.values())

    def promised(self, maker: int, count: int) -> None:
        """The maker wrote `count` more records down."""
        self.made[maker] = self.made.get(maker, 0) + count

    def kept(self, at_s: float, maker: int, first: int, count: int) -> None:
        """The hub has stored these records."""
        self.looks += 1
        stored = self.stored.get(maker)
        if stored is None:
            stored = self.stored[maker] = Intervals()
        twice = stored.add(first, count)
        if twice and twice > self._overlap(self._copied, maker, first, count):
            self.broke(at_s, f"{twice} records of machine {maker} from {first} on are stored twice")

    def event_time(self, at_s: float, maker: int, *, shown_s: float, made_s: float) -> None:
        """A stored record shows an event time; at another one it was made."""
        if abs(shown_s - made_s) > 1e-6:  # noqa: PLR2004 - a microsecond of rounding
            self.broke(at_s, f"a record of machine {maker} shows {shown_s:.3f} s, and was made at {made_s:.3f} s")

    def gave_up(self, at_s: float, maker: int, first: int, count: int) -> None:
        """The node gave these records up to make room."""
        self.looks += 1
        shed = self.shed.setdefault(maker, Intervals())
        stored = self.stored.get(maker)
        shed.add(first, count)
        if stored is not None and stored.overlap(first, count) > self._overlap(self._copied, maker, first, count):
            self.broke(at_s, f"{count} records of machine {maker} are given up, and the hub has some of them")

    def copied(self, maker: int, first: int, count: int) -> None:
        """These records waited while the disk was copied or put back: both copies have them, and may send them.

        docs/explanation/simulation.md says why this is the one exception.
        """
        self._copied.setdefault(maker, Intervals()).add(first, count)

    def unmade(self, maker: int, first: int, count: int) -> None:
        """The machine's disk was put back to a day when these records did not exist, and nobody else has them."""
        self._forgotten.setdefault(maker, Intervals()).add(first, count)

    def backup(self) -> dict[int, Intervals]:
        """Return what the hub has stored, as its backup knows it."""
        return {maker: stored.copy() for maker, stored in self.stored.items()}

    def restored(self, backup: dict[int, Intervals]) -> int:
        """The hub was put back to its backup. Return how many stored records it forgot."""
        count = 0
        for maker, stored in self.stored.items():
            lost = stored.without(backup.get(maker, Intervals()))
            count += lost.size
            for first, end in lost:
                self._forgotten.setdefault(maker, Intervals()).add(first, end - first)
        self.stored = {maker: stored.copy() for maker, stored in backup.items()}
        return count

    def settled(self, at_s: float, maker: int, waiting: Intervals) -> None:
        """Nothing is under way any more: every record has a place."""
        self.looks += 1
        everything = Intervals()
        if self.made.get(maker):
            everything.add(0, self.made[maker])
        placed = waiting.copy()
        for places in (self.stored, self.shed, self._forgotten):
            for first, end in places.get(maker, ()):
                placed.add(first, end - first)
        missing = everything.without(placed)
        if missing.size:
            first, end = next(iter(missing))
            self.broke(
                at_s, f"{missing.size} records of machine {maker} are nowhere, the first at {first} to {end - 1}"
            )

    def counted(self, at_s: float, maker: int, *, said: int) -> None:
        """The node says that it gave up so many records in its life."""
        self.looks += 1
        truth = self.shed[maker].size if maker in self.shed else 0
        if said < truth:
            self.broke(at_s, f"machine {maker} gave up {truth} records and counts {said}")

    def _overlap(self, places: dict[int, Intervals], maker: int, first: int, count: int) -> int:
        found = places.get(maker)
        return found.overlap(first, count) if found is not None else 0
