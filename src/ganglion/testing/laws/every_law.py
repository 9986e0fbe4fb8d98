"""All laws that a simulated world can try; law 10, what a busy agent costs serving, is a bench."""

from dataclasses import dataclass, field

from ganglion.testing.laws.law import Breach, Law
from ganglion.testing.laws.law_1_serves import AlwaysServes
from ganglion.testing.laws.law_2_healthy_bytes import HealthyBytes
from ganglion.testing.laws.law_3_exactly_once import ExactlyOnce
from ganglion.testing.laws.law_4_bounded_spool import BoundedSpool
from ganglion.testing.laws.law_5_own_previous import OwnPrevious
from ganglion.testing.laws.law_6_silence import SilenceIsNothing
from ganglion.testing.laws.law_7_power_loss import OldOrNew
from ganglion.testing.laws.law_8_converges import Converges
from ganglion.testing.laws.law_9_zones import ClosedBorders
from ganglion.testing.laws.law_11_own_arm import OwnArm


@dataclass(slots=True)
class Laws:
    """One judge for each law."""

    serves: AlwaysServes = field(default_factory=AlwaysServes)
    healthy: HealthyBytes = field(default_factory=HealthyBytes)
    once: ExactlyOnce = field(default_factory=ExactlyOnce)
    spool: BoundedSpool = field(default_factory=BoundedSpool)
    previous: OwnPrevious = field(default_factory=OwnPrevious)
    silence: SilenceIsNothing = field(default_factory=SilenceIsNothing)
    power: OldOrNew = field(default_factory=OldOrNew)
    converges: Converges = field(default_factory=Converges)
    borders: ClosedBorders = field(default_factory=ClosedBorders)
    arms: OwnArm = field(default_factory=OwnArm)

    @property
    def judges(self) -> tuple[Law, ...]:
        """Every law, in the order of its number."""
        return (
            self.serves, self.healthy, self.once, self.spool, self.previous, self.silence, self.power, self.converges,
            self.borders, self.arms,
        )  # fmt: skip

    @property
    def breaches(self) -> list[Breach]:
        """What was broken, the earliest first."""
        found = [breach for law in self.judges for breach in law.breaches]
        return sorted(found, key=lambda breach: (breach.at_s, breach.law))
