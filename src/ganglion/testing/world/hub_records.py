"""What the hub stores of runs of records: one cursor per node and epoch, moved with what it stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ganglion.core.errors import DiskUnusable, EpochTaken
from ganglion.hub.domain.records import ingest
from ganglion.testing.laws.law_3_exactly_once import ExactlyOnce
from ganglion.testing.world import runs
from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.runs import Run

_RECENT_MAX = 400
_WINDOW_S = 600.0


class HubKilled(Exception):
    """The hub died in the middle of a commit."""


@dataclass(frozen=True, slots=True)
class RunBatch:
    """A batch on its way."""

    node_id: str
    epoch: str
    runs: tuple[Run, ...]
    made: int
    shed: Mapping[str, int]


@dataclass(slots=True)
class Cursor:
    """Up to where an epoch is stored; the newest runs are kept to compare with what comes again."""

    seq: int = 0
    made: int = 0
    gaps: int = 0
    shed: dict[str, int] = field(default_factory=dict)
    recent: list[Run] = field(default_factory=list)

    def copy(self) -> "Cursor":
        """Return one of its own."""
        return replace(self, shed=dict(self.shed), recent=list(self.recent))


class HubRecords:
    """Everything here survives the hub's death, but for what a planted error loses."""

    def __init__(self, law: ExactlyOnce, bugs: frozenset[Bug]) -> None:
        self._law, self._bugs = law, bugs
        self.cursors: dict[tuple[str, str], Cursor] = {}
        self.stored_records = 0
        self.dies_at_commit: bool | None = None
        """True: the next commit is the hub's last act; False: it dies just before. None: it lives."""
        self.disk_full = 0
        self._seen: dict[tuple[str, str, int, int], float] = {}

    def store(self, batch: RunBatch, now_s: float) -> tuple[int, list[Run]]:
        """Store what is new; return the cursor and the new runs.

        Raises: EpochTaken; DiskUnusable: nothing was stored; HubKilled: stored or not, nobody hears of it.
        """
        if self.disk_full:
            raise DiskUnusable("the hub's disk is full")
        key = batch.node_id, batch.epoch
        known = self.cursors.get(key) or Cursor()
        if Bug.DOUBLE_EPOCH not in self._bugs:
            _check_same_sender(known, batch)
        new = runs.fresh(batch.runs, known.seq)
        if Bug.DEDUPE_BY_TIME_WINDOW in self._bugs:
            new = self._unless_seen(batch, now_s)
        if self.dies_at_commit is not None:
            return self._die(key, known, batch, new, now_s)
        self._commit(key, known, batch, new, now_s)
        return known.seq, new

    def backup(self) -> dict[tuple[str, str], Cursor]:
        """Return a copy."""
        return {key: cursor.copy() for key, cursor in self.cursors.items()}

    def _commit(self, key: tuple[str, str], known: Cursor, batch: RunBatch, new: Sequence[Run], now_s: float) -> None:
        self._keep(new, now_s)
        known.gaps += max(0, runs.gaps(new, known.seq))
        known.seq = max(known.seq, new[-1].last) if new else known.seq
        known.made = max(known.made, batch.made)
        if batch.shed:
            known.shed = ingest.highest(known.shed, batch.shed)
        known.recent += new
        if len(known.recent) > 2 * _RECENT_MAX:
            del known.recent[:-_RECENT_MAX]
        self.cursors[key] = known

    def _keep(self, new: Sequence[Run], now_s: float) -> None:
        for run in new:
            self.stored_records += run.count
            self._law.kept(now_s, run.maker, run.origin, run.count)
            self._law.event_time(now_s, run.maker, shown_s=run.shown_s, made_s=run.made_s)

    def _die(
        self, key: tuple[str, str], known: Cursor, batch: RunBatch, new: Sequence[Run], now_s: float
    ) -> tuple[int, list[Run]]:
        is_stored, self.dies_at_commit = self.dies_at_commit, None
        if Bug.ACK_BEFORE_COMMIT in self._bugs:
            return batch.runs[-1].last, []
        if Bug.CURSOR_OUTSIDE_TRANSACTION in self._bugs:
            self._keep(new, now_s)
        elif is_stored:
            self._commit(key, known, batch, new, now_s)
        raise HubKilled

    def _unless_seen(self, batch: RunBatch, now_s: float) -> list[Run]:
        name = batch.node_id, batch.epoch, batch.runs[0].seq, batch.runs[-1].last
        seen_s = self._seen.get(name)
        self._seen[name] = now_s
        return [] if seen_s is not None and now_s - seen_s < _WINDOW_S else list(batch.runs)


def _check_same_sender(known: Cursor, batch: RunBatch) -> None:
    """Compare the newest record that came before with the stored one. Raises: EpochTaken."""
    before = [run for run in batch.runs if run.seq <= known.seq]
    if not before:
        return
    seq = min(before[-1].last, known.seq)
    ours = before[-1].maker, before[-1].origin + seq - before[-1].seq
    for run in reversed(known.recent):
        if run.seq <= seq <= run.last:
            if (run.maker, run.origin + seq - run.seq) != ours:
                raise EpochTaken(f"record {seq} of epoch {batch.epoch} is another one")
            return
    if known.recent and known.recent[0].seq < seq:
        raise EpochTaken(f"record {seq} of epoch {batch.epoch} never came, and its owner has given it up")
