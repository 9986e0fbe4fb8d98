"""What a run has shown: verdicts, figures, the timeline, and samples for pictures."""

import msgspec


class Verdict(msgspec.Struct, frozen=True):
    """One law's word."""

    law: int
    sentence: str
    looks: int
    """How often it had something to judge."""
    broken: tuple[str, ...]


class Reach(msgspec.Struct, frozen=True):
    """How far a release came, in hours since it was planned; None: it did not."""

    version: str
    behaves: str
    at_h: float
    machines: int
    first_h: float | None
    most_h: float | None
    """Nine of ten machines had committed it …"""
    all_h: float | None
    """… and every one."""


class Figures(msgspec.Struct, frozen=True):
    """What was counted. Bytes on the link are as they go over it, compressed."""

    updates: int
    reverts: int
    made: dict[str, int]
    shed: dict[str, int]
    stored: int
    waiting: int
    up_bytes: int
    down_bytes: int
    outbox_peak_bytes: int
    """The largest outbox of any machine."""
    worst_age_h: float
    """The oldest that a record was when the hub stored it: the worst staleness."""
    first_shed_h: float | None
    power_cuts: int
    restarts: int
    epochs_renewed: int
    hub_restorations: int
    faults: int
    """Planned ones, and messages that were lost, doubled or late."""
    faults_by_kind: dict[str, int]
    forgotten: int = 0
    """Records that were lost with a hub or a disk that was put back to an older day."""


class Sample(msgspec.Struct, frozen=True):
    """The fleet at one moment."""

    at_h: float
    online: int
    versions: dict[str, int]
    waiting_bytes: int
    worst_outbox_bytes: int


class Outcome(msgspec.Struct, frozen=True):
    """Everything."""

    title: str
    seed: int
    nodes: int
    hours: float
    verdicts: tuple[Verdict, ...]
    figures: Figures
    releases: tuple[Reach, ...]
    timeline: tuple[str, ...]
    samples: tuple[Sample, ...]
    timeline_left_out: int = 0

    @property
    def broken(self) -> tuple[str, ...]:
        """Return what was broken, in words."""
        return tuple(words for verdict in self.verdicts for words in verdict.broken)

    def text(self) -> str:
        """Return the timeline and the verdicts: the same for the same seed, byte by byte."""
        left_out = [f"… and {self.timeline_left_out:,} lines more"] if self.timeline_left_out else []
        laws = [
            f"law {verdict.law}: {'BROKEN' if verdict.broken else 'held'} in {verdict.looks:,} looks"
            for verdict in self.verdicts
        ]
        return "\n".join([*self.timeline, *left_out, *laws, *self.broken, ""])
