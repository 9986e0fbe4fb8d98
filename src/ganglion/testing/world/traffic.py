"""What a machine answers, as records: made when somebody looks, in one piece for the time since the last look."""

from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.hub import MODEL
from ganglion.testing.world.machine import Machine
from ganglion.testing.world.runs import CLASS_NAMES, Run
from ganglion.wire.records import EventRecord, RecordClass

_ROW_BYTES = 40
_EVENT_BYTES, _SUMMARY_BYTES = 160, 700


class Traffic:
    """The records of one machine: the journal that serving writes, and their way into the outbox."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.journal: list[Run] = []
        self.made_until_s = 0.0
        self._origin = 0
        self._carry = {RecordClass.RESULT: 0.0, RecordClass.SAMPLE: 0.0, RecordClass.SUMMARY: 0.0}

    def account(self, until_s: float | None = None) -> None:
        """Make the records of the time since this was last asked, and take them into the outbox."""
        until_s = self._machine.now_s if until_s is None else until_s
        elapsed_s, since_s = until_s - self.made_until_s, self.made_until_s
        self.made_until_s = max(until_s, since_s)
        machine = self._machine
        answering = machine.active.get(MODEL)
        if elapsed_s > 0.0 and answering and machine.powered and machine.serving_up:
            self._answer(min(answering), elapsed_s)
        if machine.works:
            self.take_journal()

    def write_event(self, event: EventRecord, *, write: int) -> None:
        """Append an event of the agent's own to the outbox."""
        run = self._new_run(RecordClass.EVENT, 1, _EVENT_BYTES, event.version)
        run.event, run.write = event, write
        self._put([run])

    def take_journal(self) -> None:
        """Move what serving wrote into the outbox."""
        if self.journal and not self._machine.disk.failing:
            taken, self.journal = self.journal, []
            self._put(taken)

    def _answer(self, version: str, elapsed_s: float) -> None:
        rates = self._machine.around.scenario.rates
        requests = self._whole(RecordClass.RESULT, rates.results_per_s * elapsed_s)
        compared = self._machine.answered(version, requests)
        single = round(requests * rates.results_share)
        if single:
            run = self._new_run(RecordClass.RESULT, single, int(rates.result_bytes) + _ROW_BYTES, version)
            run.compared = compared
            self.journal.append(run)
        if rates.results_share < 1.0:
            minutes = self._whole(RecordClass.SUMMARY, elapsed_s / 60.0)
            if minutes:
                self.journal.append(self._new_run(RecordClass.SUMMARY, minutes, _SUMMARY_BYTES, version))
        samples = self._whole(RecordClass.SAMPLE, rates.samples_per_hour * elapsed_s / 3600.0)
        if samples:
            size = int(rates.sample_bytes) + _ROW_BYTES
            self.journal.append(self._new_run(RecordClass.SAMPLE, samples, size, version))

    def _whole(self, kind: RecordClass, amount: float) -> int:
        exact = self._carry[kind] + amount
        whole = int(exact)
        self._carry[kind] = exact - whole
        return whole

    def _new_run(self, kind: RecordClass, count: int, size_bytes: int, version: str) -> Run:
        made_s = self.made_until_s
        run = Run(0, count, kind, size_bytes, self._machine.maker, self._origin, made_s, made_s, version)
        self._origin += count
        self._machine.around.laws.once.promised(self._machine.maker, count)
        made = self._machine.around.tally.made
        name = CLASS_NAMES[kind]
        made[name] = made.get(name, 0) + count
        return run

    def _put(self, runs: list[Run]) -> None:
        outbox, bugs = self._machine.disk.outbox, self._machine.around.bugs
        held_bytes = outbox.held_bytes
        for run in runs:
            outbox.append(run)
        limits = self._machine.around.limits
        free_bytes = 0 if self._machine.disk.full else self._machine.free_bytes
        if Bug.NEWEST_DROPPED in bugs:
            cap_bytes = limits.room_bytes(held_bytes=held_bytes, free_bytes=free_bytes)
            gone = outbox.drop_newest(outbox.held_bytes - cap_bytes)
        elif Bug.CAP_IGNORED in bugs:
            gone = []
        else:
            gone = outbox.make_room(limits, held_bytes=held_bytes, free_bytes=free_bytes)
        if gone:
            self._give_up(gone)
        tally = self._machine.around.tally
        tally.outbox_peak_bytes = max(tally.outbox_peak_bytes, outbox.held_bytes)
        self._machine.around.laws.spool.holds(
            self._machine.now_s,
            self._machine.name,
            held_bytes=outbox.held_bytes,
            cap_bytes=max(limits.total_bytes_max, held_bytes),
        )

    def _give_up(self, gone: list[Run]) -> None:
        laws, tally = self._machine.around.laws, self._machine.around.tally
        if tally.first_shed_s is None:
            tally.first_shed_s = self._machine.now_s
            self._machine.around.note(f"{self._machine.name} gives up the first records: its outbox is full")
        for run in gone:
            name = CLASS_NAMES[run.kind]
            tally.shed[name] = tally.shed.get(name, 0) + run.count
            laws.once.gave_up(self._machine.now_s, run.maker, run.origin, run.count)
        if Bug.SHED_UNCOUNTED in self._machine.around.bugs:
            self._machine.disk.outbox.shed.clear()
        laws.spool.gave_up(
            self._machine.now_s,
            self._machine.name,
            min(run.kind for run in gone),
            self._machine.disk.outbox.free_by_class(),
        )
