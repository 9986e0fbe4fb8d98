"""The way between one machine and the hub, and what is wrong with it at the moment."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ganglion.testing.chance import SeededChance
from ganglion.testing.world.clock import Agenda


@dataclass(frozen=True, slots=True)
class BandwidthTrace:
    """Measured bandwidth, played again and again: `kbps[i]` holds up to `ends_s[i]`."""

    ends_s: Sequence[float]
    kbps: Sequence[float]

    def at(self, now_s: float) -> float:
        """Return the bandwidth at a time."""
        place = bisect_right(self.ends_s, now_s % self.ends_s[-1])
        return self.kbps[min(place, len(self.kbps) - 1)]


class Link:
    """Counters, for two troubles may overlap. Nothing is carried while `down` or `half_open` is above 0."""

    def __init__(self, agenda: Agenda, chance: SeededChance, *, loss: float, delay_s: float) -> None:
        self._agenda, self._chance = agenda, chance
        self.loss, self.delay_s = loss, delay_s
        self.down = self.half_open = self.lossy = self.duplicating = self.reordering = self.delayed = self.slow = 0
        self.trace: BandwidthTrace | None = None
        self.offset_s = 0.0
        self.injected = 0
        """Messages that were lost, doubled, or came late."""

    @property
    def carries(self) -> bool:
        """Say whether a message would arrive now, if it is not lost by chance."""
        return not (self.down or self.half_open)

    @property
    def is_calm(self) -> bool:
        """Say whether every message arrives, once and in its order."""
        return not (
            self.down or self.half_open or self.lossy or self.duplicating or self.reordering or self.delayed
            or self.loss
        )  # fmt: skip

    def bytes_per_s(self, kbps: float) -> float:
        """Return what goes through now, of a link that was bought as `kbps`."""
        if self.trace is not None:
            kbps = min(kbps, self.trace.at(self._agenda.now_s + self.offset_s))
        return kbps * 125.0 / (10.0 if self.slow else 1.0)

    def carry(self, deliver: Callable[[], None]) -> None:
        """Bring a message to the other side: at once, late, twice or never."""
        if self.is_calm:
            deliver()
            return
        if not self.carries:
            self.injected += 1
            return
        if self._chance.share() < (max(self.loss, 0.3) if self.lossy else self.loss):
            self.injected += 1
            return
        delay_s = self.delay_s
        if self.delayed:
            self.injected += 1
            delay_s += 120.0 * self._chance.share()
        if self.reordering and self._chance.share() < 0.3:  # noqa: PLR2004 - every third message
            self.injected += 1
            delay_s += 900.0 * self._chance.share()
        self._agenda.after(delay_s, deliver)
        if self.duplicating and self._chance.share() < 0.3:  # noqa: PLR2004 - as above
            self.injected += 1
            self._agenda.after(delay_s + 1800.0 * self._chance.share(), deliver)
